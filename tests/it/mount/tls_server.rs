//! A web server with TLS, whose certificate no authority has signed.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::tool::run;

const SERVE: &str = "import functools, http.server, ssl, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + '/cert.pem', sys.argv[1] + '/key.pem')
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()";

/// The server. Dropping this kills it.
pub struct TlsServer {
    process: Child,
    /// `localhost` and the port.
    pub address: String,
    folder: TempDir,
}

impl TlsServer {
    /// Serves these bytes as `/picture.png`, with a self-signed certificate for `localhost`.
    pub fn start(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        fs::write(path("picture.png"), bytes).expect("a picture");
        let new_key = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
                       -subj /CN=localhost -addext subjectAltName=DNS:localhost \
                       -addext basicConstraints=critical,CA:FALSE";
        let mut words: Vec<_> = new_key.split_whitespace().collect();
        let (key, certificate) = (path("key.pem"), path("cert.pem"));
        words.extend(["-keyout", &key, "-out", &certificate]);
        run("openssl", &words).succeeded();
        let mut process = Command::new("python3")
            .args([Path::new("-c"), Path::new(SERVE), folder.path()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3 starts");
        let mut port = String::new();
        let stdout = process.stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut port).expect("its port");
        Self { process, address: format!("localhost:{}", port.trim()), folder }
    }

    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
