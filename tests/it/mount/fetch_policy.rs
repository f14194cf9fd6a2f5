//! URLs that must not be fetched, and refused downloads: each with its errno, its reason and no change (CONTRACT 8).

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

use super::daemon::Mount;
use super::tls_server::TlsServer;
use super::tool::installed;
use super::url::{allowing, served, write_url};
use super::web_server::Server;
use super::{
    EACCES, EBADMSG, EFBIG, EHOSTUNREACH, EINVAL, EMEDIUMTYPE, ENAMETOOLONG, ENOENT, EPERM, ERANGE,
    EREMOTEIO, ETIMEDOUT, errno, names, picture, read,
};

/// URLs that are refused: each with the errno of a symbolic link,
/// the errno of a write to the field's URL, and a word of the reason.
fn refused(server: &Server, inner: &Server) -> Vec<(String, i32, i32, &'static str)> {
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
fn a_refused_url_has_its_errno_and_reason_and_the_old_file_stays() {
    let inner = Server::start();
    let Some((server, mount)) = served() else { return };
    server.lead_away(&inner.url("/1.png"));
    let avatar = mount.attach("avatar", &picture::good(7));
    let view = mount.row().join("avatar.url");
    for (url, _, expected, reason) in refused(&server, &inner) {
        let started = Instant::now();
        assert_eq!(errno(write_url(&view, &url)), expected, "{url}");
        mount.last_error_has("user/42/avatar", reason);
        assert!(!mount.last_error().contains("pass@"), "the password is not repeated");
        assert_eq!(read(&avatar), picture::good(7), "{url}");
        assert!(started.elapsed() < Duration::from_secs(20), "{url}");
    }
    assert_eq!(inner.connections(), 0, "the address that is not allowed was never connected to");
    assert_eq!(names(&mount.row()), ["avatar"]);
}

#[test]
fn a_symbolic_link_to_a_refused_url_has_the_same_errno_and_leaves_nothing() {
    let inner = Server::start();
    let Some((server, mount)) = served() else { return };
    server.lead_away(&inner.url("/1.png"));
    let avatar = mount.row().join("avatar");
    for (url, expected, _, reason) in refused(&server, &inner) {
        assert_eq!(errno(symlink(&url, &avatar)), expected, "{url}");
        assert_eq!(errno(fs::symlink_metadata(&avatar)), ENOENT, "{url}");
        // Without a journal entry: ENAMETOOLONG comes from the kernel, and EPERM means that the target is no URL (CONTRACT 9).
        if ![EPERM, ENAMETOOLONG].contains(&expected) {
            mount.last_error_has("user/42/avatar", reason);
        }
    }
    assert_eq!(inner.connections(), 0, "the address that is not allowed was never connected to");
    assert_eq!(names(&mount.row()), [""; 0]);
}

#[test]
fn refused_bytes_that_came_whole_are_in_the_quarantine() {
    let Some((server, mount)) = served() else { return };
    write_url(&mount.row().join("memo.url"), &server.url("/text")).expect("a memo may be a text");
    assert_eq!(errno(write_url(&mount.row().join("avatar.url"), &server.url("/slow"))), ETIMEDOUT);
    assert!(mount.all_kept().is_empty(), "half a file is not kept");
    // Only the end of a file tells that it is shorter than 4 KiB.
    let rules = "tables.user.fields.note = { type = 'file', min_size = '4 KiB' }";
    let Some(mount) = allowing(&server.address).with(rules).mount() else { return };
    assert_eq!(errno(write_url(&mount.row().join("note.url"), &server.url("/text"))), ERANGE);
    assert_eq!(mount.all_kept().len(), 1);
}

#[test]
fn https_is_checked_against_the_roots_of_the_system() {
    if !installed("openssl") || !installed("python3") {
        return;
    }
    let server = TlsServer::start(&picture::good(5));
    let url = format!("https://{}/picture.png", server.address);
    let config = allowing(&server.address);
    // With the certificate among the trusted roots, and without.
    let trusted = [("SSL_CERT_FILE", &*server.certificate())];
    let Some(mount) = Mount::within(&trusted, &config) else { return };
    let avatar = mount.row().join("avatar");
    symlink(&url, &avatar).expect("attached");
    assert_eq!(read(&avatar), picture::good(5));
    let Some(mount) = config.mount() else { return };
    assert_eq!(errno(symlink(&url, mount.row().join("avatar"))), EREMOTEIO);
    mount.last_error_has("user/42/avatar", "certificate");
}

#[test]
fn no_proxy_of_the_environment_is_used() {
    let (server, proxy) = (Server::start(), Server::start());
    let url = proxy.url("/1.png");
    let environment = ["http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"];
    let environment = environment.map(|name| (name, Path::new(&url)));
    let Some(mount) = Mount::within(&environment, &allowing(&"127.0.0.0/8")) else { return };
    let avatar = mount.row().join("avatar");
    symlink(server.url("/2.png"), &avatar).expect("attached");
    assert_eq!(read(&avatar), picture::good(2));
    assert_eq!(proxy.connections(), 0);
}
