//! Attaching from URLs (CONTRACT 8), from a server on loopback that the configuration allows.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::daemon::Mount;
use super::server::Server;
use super::tool::{Done, installed, run, shell};
use super::{
    EBADMSG, EEXIST, EFBIG, EINVAL, EMEDIUMTYPE, ENAMETOOLONG, ENOENT, EPERM, ERANGE, config,
    errno, names, picture, read,
};
use crate::config::Config;
use crate::wait::found;

const EAGAIN: i32 = 11;
const EACCES: i32 = 13;
const ETIMEDOUT: i32 = 110;
const EHOSTUNREACH: i32 = 113;
const EREMOTEIO: i32 = 121;
const EDQUOT: i32 = 122;

/// A configuration that may fetch from this address, and from no other on loopback.
fn allowing(address: &impl fmt::Display) -> Config {
    config().with(&format!("fetch.allow = ['{address}']"))
}

/// A mount of it that waits at most 3 s for the server.
fn start(server: &Server) -> Option<Mount> {
    allowing(&server.address).with("fetch.timeout = '3s'").mount()
}

/// Writes to `<field>.url` and returns the verdict, which fsync waits for.
fn write_url(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

fn attribute(path: &Path, name: &str) -> String {
    let path = path.display().to_string();
    run("getfattr", &["--only-values", "-n", name, &path]).stdout
}

/// Checks that a tool attaches a picture, given its URL and the path of the field.
fn attaches(tool: impl Fn(&str, &Path) -> Done) {
    let server = Server::start();
    let Some(mount) = start(&server) else { return };
    let avatar = mount.row().join("avatar");
    tool(&server.url("/1.png"), &avatar).succeeded();
    assert_eq!(read(&avatar), picture::good(1));
    let found = fs::symlink_metadata(&avatar).expect("stat");
    assert!(found.is_file(), "the link has become the file");
    assert_eq!(names(&mount.row()), ["avatar"]);
}

fn ln(arguments: &[&str], url: &str, path: &Path) -> Done {
    let path = path.display().to_string();
    run("ln", &[arguments, &[url, &path]].concat())
}

#[test]
fn ln_s_attaches_what_the_url_leads_to() {
    attaches(|url, path| ln(&["-s"], url, path));
}

#[test]
fn python_symlink_attaches() {
    if installed("python3") {
        let script = "import os, sys; os.symlink(sys.argv[1], sys.argv[2])";
        attaches(|url, path| run("python3", &["-c", script, url, &path.display().to_string()]));
    }
}

#[test]
fn php_symlink_attaches() {
    if installed("php") {
        let script = "exit(symlink($argv[1], $argv[2]) ? 0 : 9);";
        attaches(|url, path| run("php", &["-r", script, "--", url, &path.display().to_string()]));
    }
}

#[test]
fn echo_into_the_url_of_a_field_attaches() {
    attaches(|url, path| shell("echo \"$1\" > \"$2.url\"", &[Path::new(url), path]));
}

#[test]
fn mediafs_attach_attaches() {
    let server = Server::start();
    let Some(mount) = start(&server) else { return };
    let avatar = mount.row().join("avatar");
    for seed in [1, 2] {
        let url = server.url(&format!("/{seed}.png"));
        mount.command(&["attach", &url, &avatar.display().to_string()]).succeeded();
        assert_eq!(read(&avatar), picture::good(seed));
    }
    let refused = mount.command(&["attach", &server.url("/text"), &avatar.display().to_string()]);
    assert_eq!(refused.code, 1, "{refused}");
    assert!(refused.stderr.contains("content_types"), "{refused}");
    assert_eq!(read(&avatar), picture::good(2));
    let elsewhere = mount.outside("avatar", b"");
    let refused = mount.command(&["attach", &server.url("/1"), &elsewhere.display().to_string()]);
    assert_eq!(refused.code, 2, "{refused}");
}

#[test]
fn mediafs_attach_to_no_field_touches_no_scratch() {
    let server = Server::start();
    let Some(mount) = start(&server) else { return };
    let scratch = mount.row().join("nothing.url");
    fs::write(&scratch, "somebody's").expect("scratch");
    let nothing = mount.row().join("nothing").display().to_string();
    let refused = mount.command(&["attach", &server.url("/1.png"), &nothing]);
    assert_eq!(refused.code, 2, "{refused}");
    assert_eq!(read(&scratch), b"somebody's");
}

#[test]
fn shortcut_files_attach_when_they_are_copied_or_moved_to_the_url_of_a_field() {
    let server = Server::start();
    let Some(mount) = start(&server) else { return };
    let (row, url) = (mount.row(), server.url("/1.png"));
    let shortcut = format!("[InternetShortcut]\r\nURL={url}\r\n");
    let webloc = format!(
        "<?xml version=\"1.0\"?>\n<plist><dict><key>URL</key><string>{url}</string></dict></plist>"
    );
    let desktop = format!("[Desktop Entry]\nType=Link\nURL={url}\n");
    for (tool, text) in [("cp", &shortcut), ("cp", &webloc), ("mv", &desktop)] {
        let source = mount.outside("shortcut", text.as_bytes());
        run(tool, &[source, row.join("avatar.url")]).succeeded();
        assert_eq!(read(&row.join("avatar")), picture::good(1), "{text}");
        fs::remove_file(row.join("avatar")).expect("removed");
    }
    // As editors save: written beside it, then renamed.
    fs::write(row.join(".shortcut.tmp"), &shortcut).expect("scratch");
    fs::rename(row.join(".shortcut.tmp"), row.join("avatar.url")).expect("taken");
    assert_eq!(read(&row.join("avatar")), picture::good(1));
    assert_eq!(names(&row), ["avatar"]);
}

#[test]
fn the_url_of_a_field_reads_as_its_public_url_and_is_not_listed() {
    let server = Server::start();
    let Some(mount) = config().with("library.base_url = 'https://media.example'").mount() else {
        return;
    };
    let row = mount.row();
    assert_eq!(errno(fs::read(row.join("avatar.url"))), ENOENT, "nothing is attached");
    let avatar = mount.attach("avatar", &picture::good(1));
    let shown = fs::read_to_string(row.join("avatar.url")).expect("a URL");
    assert!(shown.starts_with("https://media.example/") && shown.ends_with('\n'), "{shown}");
    let length = fs::metadata(row.join("avatar.url")).expect("stat").len();
    assert_eq!(length, shown.len() as u64, "the size is exact");
    assert_eq!(names(&row), ["avatar"]);
    fs::remove_file(avatar).expect("removed");
    fs::remove_dir(row).expect("an unlisted name never keeps a directory");
    assert_eq!(server.connections(), 0);
}

#[test]
fn the_source_and_the_name_of_the_file_are_kept() {
    if !installed("getfattr") {
        return;
    }
    let server = Server::start();
    let Some(mount) = start(&server) else { return };
    let avatar = mount.row().join("avatar");
    let url = server.url("/1.my photo.png?size=1 x");
    symlink(&url, &avatar).expect("attached");
    assert_eq!(attribute(&avatar, "user.xdg.origin.url"), url);
    assert_eq!(attribute(&avatar, "user.mediafs.original_filename"), "1.my photo.png");
    assert_eq!(run("getfattr", &["-d", &avatar.display().to_string()]).stdout, "");
}

#[test]
fn ln_s_on_an_occupied_field_is_eexist_and_ln_sf_replaces() {
    let server = Server::start();
    let Some(mount) = start(&server) else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    assert_eq!(errno(symlink(server.url("/2.png"), &avatar)), EEXIST);
    assert_eq!(server.connections(), 0);
    let mut old = File::open(&avatar).expect("the old picture opens");
    ln(&["-sf"], &server.url("/2.png"), &avatar).succeeded();
    assert_eq!(read(&avatar), picture::good(2));
    assert_eq!(super::rest(&mut old), picture::good(1), "the old handle keeps its picture");
    assert_eq!(names(&mount.row()), ["avatar"]);
    let refused = ln(&["-sf"], &server.url("/text"), &avatar);
    assert!(refused.stderr.contains("Wrong medium type"), "{refused}");
    assert_eq!(read(&avatar), picture::good(2), "the old attachment is intact");
}

#[test]
fn a_link_under_a_scratch_name_waits_to_be_renamed() {
    let server = Server::start();
    let Some(mount) = start(&server) else { return };
    let row = mount.row();
    let url = server.url("/1.png");
    symlink(&url, row.join("CuXyZ")).expect("a link");
    assert_eq!(fs::read_link(row.join("CuXyZ")).expect("a link"), Path::new(&url));
    assert!(fs::symlink_metadata(row.join("CuXyZ")).expect("stat").is_symlink());
    assert_eq!(names(&row), ["CuXyZ"]);
    fs::rename(row.join("CuXyZ"), row.join("other")).expect("another name");
    assert_eq!(names(&row), ["other"]);
    assert_eq!(server.connections(), 0, "nothing is fetched for a scratch name");
    fs::remove_file(row.join("other")).expect("removed");
    symlink(&url, row.join("again")).expect("a link");
    fs::remove_dir(&row).expect("scratch never keeps a row");
}

/// URLs that must not be fetched: each with the errno for a symbolic link,
/// the errno for a write to the field's URL, and a word of the reason.
fn unfit(server: &Server, inner: &Server) -> Vec<(String, i32, i32, &'static str)> {
    let port = inner.address.port();
    let there = |host: &str| format!("http://{host}:{port}/1.png");
    let url = |path: &str| server.url(path);
    let here = server.address;
    vec![
        ("file:///etc/passwd".into(), EPERM, EACCES, "url_policy"),
        ("ftp://example.org/a.png".into(), EPERM, EACCES, "url_policy"),
        ("../../../etc/passwd".into(), EPERM, EINVAL, "(url)"),
        (there("127.0.0.1"), EACCES, EACCES, "loopback"),
        (there("localhost"), EACCES, EACCES, "loopback"),
        (there("[::ffff:127.0.0.1]"), EACCES, EACCES, "IPv4 inside IPv6"),
        (there("2130706433"), EACCES, EACCES, "loopback"),
        (there("0x7f.1"), EACCES, EACCES, "loopback"),
        (there("0.0.0.0"), EACCES, EACCES, "unspecified"),
        (there("169.254.169.254"), EACCES, EACCES, "link-local"),
        (format!("http://user:pass@{here}/1.png"), EACCES, EACCES, "password"),
        (url("/away"), EACCES, EACCES, "loopback"),
        ("http://nowhere.invalid/".into(), EHOSTUNREACH, EHOSTUNREACH, "url_host"),
        (url("/absent"), EREMOTEIO, EREMOTEIO, "status 404"),
        (url("/gzip"), EREMOTEIO, EREMOTEIO, "gzip"),
        (url("/empty"), EREMOTEIO, EREMOTEIO, "empty"),
        (url("/loop"), EREMOTEIO, EREMOTEIO, "redirects"),
        (url("/text"), EMEDIUMTYPE, EMEDIUMTYPE, "content_types"),
        (url("/small.png"), ERANGE, ERANGE, "min_width"),
        (url("/short"), EBADMSG, EBADMSG, "truncated"),
        (url("/huge"), EFBIG, EFBIG, "max_size"),
        (url("/endless"), EFBIG, EFBIG, "max_size"),
        (url("/slow"), ETIMEDOUT, ETIMEDOUT, "url_timeout"),
        (format!("{}?{}", url("/1.png"), "a".repeat(10_000)), ENAMETOOLONG, EINVAL, "8 KiB"),
    ]
}

#[test]
fn what_a_url_must_not_do_is_refused_with_its_errno_and_reason_and_the_old_file_stays() {
    let (server, inner) = (Server::start(), Server::start());
    server.lead_away(&inner.url("/1.png"));
    let Some(mount) = start(&server) else { return };
    let avatar = mount.attach("avatar", &picture::good(7));
    let view = mount.row().join("avatar.url");
    for (url, _, expected, reason) in unfit(&server, &inner) {
        let started = Instant::now();
        assert_eq!(errno(write_url(&view, &url)), expected, "{url}");
        let said = mount.last_error();
        assert!(said.contains("user/42/avatar") && said.contains(reason), "{url}: {said}");
        assert!(!said.contains("pass@"), "no secret is repeated: {said}");
        assert_eq!(read(&avatar), picture::good(7), "{url}");
        assert!(started.elapsed() < Duration::from_secs(20), "{url}");
    }
    assert_eq!(inner.connections(), 0, "nothing was fetched that must not be");
    assert_eq!(names(&mount.row()), ["avatar"]);
}

#[test]
fn a_symbolic_link_that_must_not_be_is_refused_with_the_same_errno_and_leaves_nothing() {
    let (server, inner) = (Server::start(), Server::start());
    server.lead_away(&inner.url("/1.png"));
    let Some(mount) = start(&server) else { return };
    let avatar = mount.row().join("avatar");
    for (url, expected, _, reason) in unfit(&server, &inner) {
        assert_eq!(errno(symlink(&url, &avatar)), expected, "{url}");
        assert_eq!(errno(fs::symlink_metadata(&avatar)), ENOENT, "{url}");
        let said = mount.last_error();
        // The kernel refuses some by itself, and CONTRACT 9 others.
        let silent = [EPERM, ENAMETOOLONG].contains(&expected);
        assert!(silent || said.contains(reason), "{url}: {said}");
    }
    assert_eq!(inner.connections(), 0, "nothing was fetched that must not be");
    assert_eq!(names(&mount.row()), Vec::<String>::new());
}

#[test]
fn bytes_that_came_whole_and_were_refused_are_in_the_quarantine() {
    let server = Server::start();
    let Some(mount) = start(&server) else { return };
    let view = mount.row().join("memo.url");
    write_url(&view, &server.url("/text")).expect("any file will do");
    assert_eq!(errno(write_url(&mount.row().join("avatar.url"), &server.url("/slow"))), ETIMEDOUT);
    assert_eq!(names(&mount.path(".mediafs/quarantine")), Vec::<String>::new(), "half a file");
    // At least 4 KiB, which only the end of a shorter file tells.
    let rules = "tables.user.fields.note = { type = 'file', min_size = '4 KiB' }";
    let Some(mount) = allowing(&server.address).with(rules).mount() else { return };
    let view = mount.row().join("note.url");
    assert_eq!(errno(write_url(&view, &server.url("/text"))), ERANGE);
    assert_eq!(names(&mount.path(".mediafs/quarantine")).len(), 1);
}

#[test]
fn close_and_fsync_are_verdicts_and_are_repeated_until_something_else_is_written() {
    let server = Server::start();
    let Some(mount) = start(&server) else { return };
    let row = mount.row();
    let text = mount.outside("text", server.url("/text").as_bytes());
    let copied = run("cp", &[&text, &row.join("avatar.url")]);
    assert!(copied.code == 1 && copied.stderr.contains("Wrong medium type"), "{copied}");
    let mut file = File::create(row.join("avatar.url")).expect("opened");
    file.write_all(server.url("/text").as_bytes()).expect("written");
    assert_eq!(errno(file.sync_all()), EMEDIUMTYPE);
    assert_eq!(errno(file.sync_all()), EMEDIUMTYPE);
    file.set_len(0).expect("emptied");
    let at = server.url("/1.png");
    std::os::unix::fs::FileExt::write_all_at(&file, at.as_bytes(), 0).expect("written");
    file.sync_all().expect("attached");
    assert_eq!(read(&row.join("avatar")), picture::good(1));
}

#[test]
fn an_attachment_that_was_unlinked_for_a_url_is_put_back_when_that_is_refused() {
    if !installed("python3") {
        return;
    }
    let server = Server::start();
    let Some(mount) = start(&server) else { return };
    let avatar = mount.attach("avatar", &picture::good(1));
    let by_link = "import os, sys
os.unlink(sys.argv[2])
os.symlink(sys.argv[1], sys.argv[2])";
    let by_view = "import os, sys
os.unlink(sys.argv[2])
view = open(sys.argv[2] + '.url', 'w')
view.write(sys.argv[1])
view.close()";
    for script in [by_link, by_view] {
        for url in [server.url("/text"), "http://user:pass@example.org/".to_owned()] {
            let done = run("python3", &["-c", script, &url, &avatar.display().to_string()]);
            assert_eq!(done.code, 1, "{done}");
            assert_eq!(read(&avatar), picture::good(1), "{script}");
        }
    }
}

#[test]
fn a_running_download_is_in_status_json_and_readers_keep_the_old_file() {
    let server = Server::start();
    let Some(mount) = allowing(&server.address).mount() else { return };
    let avatar = mount.attach("avatar", &picture::good(9));
    let (view, url) = (mount.row().join("avatar.url"), server.url("/held"));
    let writer = thread::spawn(move || write_url(&view, &url));
    let length = picture::good(1).len() as u64;
    let download = found("half of the download is shown", || {
        let shown = mount.status()["downloads"][0].clone();
        shown["received"].as_u64().is_some_and(|received| received >= length / 2).then_some(shown)
    });
    assert_eq!(download["path"], "user/42/avatar");
    assert_eq!(download["expected"], length);
    assert_eq!(download["host"], server.address.to_string());
    assert_eq!(read(&avatar), picture::good(9), "until the commit");
    server.release();
    writer.join().expect("a thread").expect("attached");
    assert_eq!(read(&avatar), picture::good(1));
    assert_eq!(mount.status()["downloads"], serde_json::json!([]));
}

#[test]
fn a_download_does_not_hold_up_the_rest_of_the_tree() {
    let server = Server::start();
    let Some(mount) = allowing(&server.address).mount() else { return };
    let writers: Vec<_> = (0..8)
        .map(|row| {
            let (view, url) =
                (mount.row_of(&row.to_string()).join("avatar.url"), server.url("/held"));
            thread::spawn(move || write_url(&view, &url))
        })
        .collect();
    let avatar = mount.attach("avatar", &picture::good(2));
    assert_eq!(read(&avatar), picture::good(2));
    server.release();
    for writer in writers {
        writer.join().expect("a thread").expect("attached");
    }
}

#[test]
fn a_link_in_a_collection_is_an_item() {
    let server = Server::start();
    let config = allowing(&server.address)
        .field("photos", "image, collection = 'list', max_items = 2")
        .field("sides", "image, collection = 'dict'");
    let Some(mount) = config.mount() else { return };
    let (photos, sides) = (mount.row().join("photos"), mount.row().join("sides"));
    ln(&["-s"], &server.url("/1.png"), &photos.join("b.png")).succeeded();
    symlink(server.url("/2.png"), photos.join("a.png")).expect("attached");
    assert_eq!(read(&photos.join("b.png")), picture::good(1));
    assert_eq!(errno(symlink(server.url("/3.png"), photos.join("c.png"))), EDQUOT);
    assert_eq!(server.connections(), 2, "what has no room is not fetched");
    ln(&["-sf"], &server.url("/3.png"), &sides.join("front.png")).succeeded();
    mount
        .command(&["attach", &server.url("/4.png"), &sides.join("front.png").display().to_string()])
        .succeeded();
    assert_eq!(read(&sides.join("front.png")), picture::good(4), "replaced");
    assert_eq!(names(&sides), ["front.png"]);
}

/// A web server with TLS. Dropping this kills it.
struct Secure {
    server: Child,
    address: String,
    folder: TempDir,
}

impl Secure {
    /// Serves a picture as `/picture.png`, with a self-signed certificate for `localhost`.
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("picture.png"), picture::good(5)).expect("a picture");
        let subject = "subjectAltName=DNS:localhost";
        let (key, certificate) = (folder.path().join("key.pem"), folder.path().join("cert.pem"));
        let arguments = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        let rest = ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", subject];
        let leaf = ["-addext", "basicConstraints=critical,CA:FALSE"];
        let mut all: Vec<&OsStr> =
            [&arguments[..], &rest, &leaf].concat().into_iter().map(OsStr::new).collect();
        all.extend([
            OsStr::new("-keyout"),
            key.as_os_str(),
            OsStr::new("-out"),
            certificate.as_os_str(),
        ]);
        run("openssl", &all).succeeded();
        let script = "import functools, http.server, ssl, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + '/cert.pem', sys.argv[1] + '/key.pem')
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()";
        let mut server = Command::new("python3")
            .args([OsStr::new("-c"), OsStr::new(script), folder.path().as_os_str()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python runs");
        let mut port = String::new();
        let stdout = server.stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut port).expect("its port");
        Self { server, address: format!("localhost:{}", port.trim()), folder }
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn https_is_checked_against_the_roots_of_the_system() {
    if !installed("openssl") || !installed("python3") {
        return;
    }
    let secure = Secure::start();
    let url = format!("https://{}/picture.png", secure.address);
    let config = allowing(&secure.address);
    let known = secure.folder.path().join("cert.pem");
    // With the certificate among the trusted roots, and without.
    let Some(mount) = Mount::within(&[("SSL_CERT_FILE", &known)], &config) else { return };
    let avatar = mount.row().join("avatar");
    symlink(&url, &avatar).expect("attached");
    assert_eq!(read(&avatar), picture::good(5));
    let Some(mount) = config.mount() else { return };
    assert_eq!(errno(symlink(&url, mount.row().join("avatar"))), EREMOTEIO);
    assert!(mount.last_error().contains("certificate"), "{}", mount.last_error());
}

#[test]
fn no_proxy_of_the_environment_is_used() {
    let (server, proxy) = (Server::start(), Server::start());
    let config = allowing(&"127.0.0.0/8");
    let url = proxy.url("/1.png");
    let environment: Vec<_> = ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"]
        .map(|name| (name, Path::new(&url)))
        .into();
    let Some(mount) = Mount::within(&environment, &config) else { return };
    let avatar = mount.row().join("avatar");
    symlink(server.url("/2.png"), &avatar).expect("attached");
    assert_eq!(read(&avatar), picture::good(2));
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn ln_s_has_30_seconds_in_all_because_it_holds_its_directory() {
    let server = Server::start();
    let config = allowing(&server.address).with("fetch.timeout = '10m'");
    let Some(mount) = config.mount() else { return };
    let begun = Instant::now();
    assert_eq!(errno(symlink(server.url("/held"), mount.row().join("avatar"))), ETIMEDOUT);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(mount.last_error().contains("url_timeout"), "{}", mount.last_error());
}

#[test]
fn downloads_beyond_the_bound_are_eagain_and_the_others_arrive() {
    let server = Server::start();
    let Some(mount) = allowing(&server.address).mount() else { return };
    let (done, is_done) = mpsc::channel();
    // Four are fetched at a time and 32 wait.
    for row in 0..40 {
        let (view, url) = (mount.row_of(&row.to_string()).join("avatar.url"), server.url("/held"));
        let done = done.clone();
        thread::spawn(move || done.send(write_url(&view, &url)).expect("the test waits"));
    }
    for _ in 0..4 {
        assert_eq!(errno(is_done.recv().expect("an answer")), EAGAIN);
    }
    let avatar = mount.attach("avatar", &picture::good(2));
    assert_eq!(read(&avatar), picture::good(2), "other work goes on");
    let path = avatar.display().to_string();
    let script = "import os, sys; os.unlink(sys.argv[2]); os.symlink(sys.argv[1], sys.argv[2])";
    let refused = run("python3", &["-c", script, &server.url("/1.png"), &path]);
    assert!(refused.stderr.contains("[Errno 11]"), "{refused}");
    assert_eq!(read(&avatar), picture::good(2), "what was unlinked for it is back");
    server.release();
    drop(done);
    for outcome in is_done {
        assert!(outcome.is_ok() || errno(outcome) == EAGAIN);
    }
}
