//! A web server that misbehaves as a test wants it to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use words::locator::Url;

/// A server on an address of this machine that answers every connection by `behave`, given the path that was asked for.
pub struct Server {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    pub fn start(behave: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static) -> Self {
        Self::on("127.0.0.1:0", behave)
    }

    pub fn on(
        address: &str,
        behave: impl Fn(&str, &mut TcpStream) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).expect("an address of this machine");
        let address = listener.local_addr().expect("an address");
        let connections = Arc::new(AtomicUsize::new(0));
        let (counter, behave) = (Arc::clone(&connections), Arc::new(behave));
        thread::spawn(move || {
            for stream in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
                let behave = Arc::clone(&behave);
                let mut stream = stream.expect("a connection");
                thread::spawn(move || behave(&request(&stream), &mut stream));
            }
        });
        Self { address, connections }
    }

    pub fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).expect("an URL")
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Reads the head of a request and returns its path; empty if the client has gone away.
fn request(stream: &TcpStream) -> String {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().and_then(std::io::Result::ok).unwrap_or_default();
    for line in lines.map_while(std::io::Result::ok) {
        let line = line.to_ascii_lowercase();
        assert!(!line.starts_with("cookie") && !line.starts_with("authorization"), "{line}");
        if let Some(encoding) = line.strip_prefix("accept-encoding:") {
            assert_eq!(encoding.trim(), "identity");
        }
        if line.is_empty() {
            break;
        }
    }
    first.split(' ').nth(1).unwrap_or_default().to_owned()
}

pub fn send(stream: &mut TcpStream, text: &str) {
    // The client may have hung up: that is what some of these tests are about.
    let _ = stream.write_all(text.as_bytes());
}

pub fn redirect(stream: &mut TcpStream, location: &str) {
    send(
        stream,
        &format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"),
    );
}

/// Waits until the client hangs up.
pub fn hang(stream: &mut TcpStream) {
    let _ = stream.read(&mut [0; 64]);
}
