//! Laws of downloads, against real servers that misbehave and names that change their addresses.

mod server;

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use server::{Server, hang, redirect, send};

use super::error::Wait;
use super::*;
use words::download::Allowed;
use words::locator::UrlError;

fn local(allow: &[&str]) -> Policy {
    let allow = allow.iter().map(|text| Allowed::parse(text).expect("a range")).collect();
    Policy { allow, ..Policy::default() }
}

fn fetcher() -> Fetcher {
    Fetcher::new(local(&["127.0.0.0/8"]))
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn fetch_with(fetcher: &Fetcher, url: &Url, limit: u64) -> Result<(Vec<u8>, Fetched), Error> {
    let mut bytes = Vec::new();
    let whole = fetcher.fetch(url, ByteCount(limit), soon(), &mut |piece| {
        assert_eq!(piece.offset, bytes.len() as u64);
        bytes.extend_from_slice(piece.bytes);
        ControlFlow::Continue(())
    })?;
    Ok((bytes, whole))
}

fn fetch(url: &Url, limit: u64) -> Result<(Vec<u8>, Fetched), Error> {
    fetch_with(&fetcher(), url, limit)
}

const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";

#[test]
fn a_body_arrives_whole_with_what_the_server_says_of_it() {
    let server = Server::start(|path, stream| {
        assert_eq!(path, "/a%20b.txt?x=1");
        send(stream, HELLO);
    });
    let (bytes, fetched) = fetch(&server.url("/a b.txt?x=1"), 5).expect("fetched");
    assert_eq!(bytes, b"hello");
    assert_eq!((fetched.length, fetched.content_type.as_deref()), (5, Some("text/plain")));
}

#[test]
fn a_body_without_a_length_ends_with_its_chunks_or_its_connection() {
    let server = Server::start(|path, stream| match path {
        "/chunks" => send(
            stream,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        ),
        _ => send(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello"),
    });
    for path in ["/chunks", "/close"] {
        assert_eq!(fetch(&server.url(path), 5).expect(path).0, b"hello", "{path}");
        assert!(matches!(fetch(&server.url(path), 4), Err(Error::TooLarge { .. })), "{path}");
    }
}

#[test]
fn nothing_that_is_not_public_is_connected_to() {
    let server = Server::start(|_, stream| send(stream, HELLO));
    let port = server.address.port();
    for host in [
        "127.0.0.1",
        "2130706433",
        "0x7f.1",
        "127.1",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "0.0.0.0",
        "[::]",
        "localhost",
    ] {
        let url = Url::parse(&format!("http://{host}:{port}/")).expect(host);
        let refused = fetch_with(&Fetcher::new(Policy::default()), &url, 100);
        assert!(matches!(refused, Err(Error::Address { .. })), "{host}: {refused:?}");
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn what_the_operator_allows_is_fetched_and_nothing_beside_it() {
    let server = Server::start(|_, stream| send(stream, HELLO));
    let with = |allowed: &str| fetch_with(&Fetcher::new(local(&[allowed])), &server.url("/"), 100);
    let port = server.address.port();
    assert!(with("127.0.0.1").is_ok());
    assert!(with(&format!("127.0.0.1:{port}")).is_ok());
    assert!(matches!(with("127.0.0.2"), Err(Error::Address { .. })));
    assert!(matches!(with("localhost"), Err(Error::Address { .. })));
    assert!(matches!(with(&format!("127.0.0.1:{}", port - 1)), Err(Error::Address { .. })));
    assert_eq!(server.connections(), 2);
}

/// A lookup that returns one list after the other, and a count of its calls.
fn changing(answers: Vec<Vec<SocketAddr>>) -> (Arc<Lookup>, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let lookup = Arc::new(move |_: &str, _: u16| {
        let turn = count.fetch_add(1, Ordering::SeqCst);
        Ok(answers.get(turn).or(answers.last()).cloned().unwrap_or_default())
    });
    (lookup, asked)
}

#[test]
fn the_connection_goes_to_the_very_address_that_was_checked() {
    let good = Server::on("127.0.0.2:0", |path, stream| match path {
        "/again" => redirect(stream, "/there"),
        _ => send(stream, HELLO),
    });
    let bad = Server::start(|_, stream| send(stream, HELLO));
    let answers = vec![vec![good.address], vec![bad.address]];
    let url = |path: &str| Url::parse(&format!("http://flip.test{path}")).expect("an URL");

    let (lookup, asked) = changing(answers.clone());
    let fetcher = Fetcher::with_lookup(local(&["127.0.0.2"]), lookup);
    assert!(fetch_with(&fetcher, &url("/"), 100).is_ok());
    assert_eq!(asked.load(Ordering::SeqCst), 1, "a second answer could be another one");

    let (lookup, asked) = changing(answers);
    let fetcher = Fetcher::with_lookup(local(&["127.0.0.2"]), lookup);
    let refused = fetch_with(&fetcher, &url("/again"), 100);
    assert!(matches!(refused, Err(Error::Address { .. })), "{refused:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert_eq!(bad.connections(), 0);
}

#[test]
fn one_forbidden_address_of_a_name_refuses_them_all() {
    let good = Server::on("127.0.0.2:0", |_, stream| send(stream, HELLO));
    let bad = SocketAddr::from(([10, 0, 0, 1], 80));
    for answer in [vec![good.address, bad], vec![bad, good.address]] {
        let (lookup, _) = changing(vec![answer]);
        let fetcher = Fetcher::with_lookup(local(&["127.0.0.2"]), lookup);
        let url = Url::parse("http://two.test/").expect("an URL");
        let refused = fetch_with(&fetcher, &url, 100).expect_err("refused");
        assert_eq!(refused.to_string(), "two.test (10.0.0.1) is private");
    }
    assert_eq!(good.connections(), 0);
}

#[test]
fn five_redirects_are_followed_and_six_are_not() {
    let server = Server::start(|path, stream| {
        match path.trim_start_matches('/').parse::<u32>().expect("a number") {
            0 => send(stream, HELLO),
            left => redirect(stream, &format!("/{}", left - 1)),
        }
    });
    let (_, fetched) = fetch(&server.url("/5"), 100).expect("five");
    assert_eq!(fetched.url, server.url("/5").follow("/0").expect("an URL"));
    assert!(matches!(fetch(&server.url("/6"), 100), Err(Error::Redirects { .. })));
    assert_eq!(server.connections(), 6 + 6);
}

#[test]
fn a_redirect_is_held_to_the_same_rules() {
    let inner = Server::on("127.0.0.2:0", |_, stream| send(stream, HELLO));
    let port = inner.address.port();
    let server = Server::start(move |path, stream| match path {
        "/private" => redirect(stream, &format!("http://127.0.0.2:{port}/")),
        "/number" => redirect(stream, &format!("http://2130706434:{port}/")),
        "/file" => redirect(stream, "file:///etc/passwd"),
        "/login" => redirect(stream, "http://u:p@127.0.0.1/"),
        "/loop" => redirect(stream, "/loop"),
        _ => send(stream, "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"),
    });
    let fetcher = Fetcher::new(local(&["127.0.0.1"]));
    let refused = |path| fetch_with(&fetcher, &server.url(path), 100).expect_err(path);
    assert!(matches!(refused("/private"), Error::Address { .. }));
    assert!(matches!(refused("/number"), Error::Address { .. }));
    assert!(matches!(refused("/file"), Error::Redirect { source: UrlError::Scheme(_), .. }));
    assert!(matches!(refused("/login"), Error::Redirect { source: UrlError::Credentials, .. }));
    assert!(matches!(refused("/loop"), Error::Redirects { .. }));
    assert!(matches!(refused("/nowhere"), Error::Redirect { source: UrlError::Missing, .. }));
    assert_eq!(inner.connections(), 0);
}

#[test]
fn a_status_other_than_200_is_no_file() {
    let server = Server::start(|path, stream| {
        send(stream, &format!("HTTP/1.1 {} X\r\nContent-Length: 5\r\n\r\nhello", &path[1..]));
    });
    for status in [204, 206, 300, 304, 404, 403, 500] {
        let refused = fetch(&server.url(&format!("/{status}")), 100);
        assert!(
            matches!(refused, Err(Error::Status { status: told, .. }) if told == status),
            "{status}: {refused:?}"
        );
    }
}

#[test]
fn an_encoding_that_was_not_asked_for_is_refused() {
    let server = Server::start(|path, stream| match path {
        "/gzip" => send(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x0b\x08",
        ),
        "/transfer" => send(
            stream,
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        ),
        _ => send(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Encoding: identity\r\nContent-Length: 1\r\n\r\nx",
        ),
    });
    for path in ["/gzip", "/transfer"] {
        let refused = fetch(&server.url(path), 100);
        assert!(matches!(refused, Err(Error::Encoding { .. })), "{path}: {refused:?}");
    }
    assert!(fetch(&server.url("/plain"), 100).is_ok());
}

#[test]
fn a_length_above_the_limit_is_refused_before_the_body() {
    let (sent, was_sent) = mpsc::channel();
    let server = Server::start(move |_, stream| {
        send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n");
        hang(stream);
        sent.send(()).expect("the test waits");
    });
    let refused = fetch(&server.url("/"), 1000);
    assert!(matches!(refused, Err(Error::TooLarge { length: 10_000_000_000, .. })), "{refused:?}");
    was_sent.recv().expect("the client hung up without reading on");
}

#[test]
fn reading_stops_at_the_limit_of_the_field_and_of_the_policy() {
    let server = Server::start(|_, stream| {
        send(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        let block = vec![0; 64 << 10];
        // For ever, or until the client hangs up.
        while stream.write_all(&block).is_ok() {}
    });
    let policy = Policy { max_size: Some(ByteCount(100_000)), ..local(&["127.0.0.1"]) };
    for (fetcher, limit) in [(fetcher(), 50_000), (Fetcher::new(policy), 1 << 40)] {
        let refused = fetch_with(&fetcher, &server.url("/"), limit);
        assert!(
            matches!(refused, Err(Error::TooLarge { length, .. }) if length < 200_000),
            "{refused:?}"
        );
    }
}

#[test]
fn a_body_shorter_than_its_length_is_truncated() {
    let server = Server::start(|path, stream| match path {
        "/length" => send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"),
        _ => send(stream, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello"),
    });
    for path in ["/length", "/chunk"] {
        let refused = fetch(&server.url(path), 100);
        assert!(matches!(refused, Err(Error::Truncated { .. })), "{path}: {refused:?}");
    }
}

#[test]
fn one_byte_a_second_ends_at_the_deadline() {
    let server = Server::start(|path, stream| {
        match path {
            "/head" => send(stream, "HTTP/1.1 200 OK\r\nX-Slow: "),
            _ => send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        }
        let (_never, wait) = mpsc::channel::<()>();
        while stream.write_all(b"x").is_ok() {
            let _ = wait.recv_timeout(Duration::from_millis(20));
        }
    });
    for path in ["/head", "/body"] {
        let start = Instant::now();
        let deadline = start + Duration::from_millis(300);
        let mut take = |_: Piece<'_>| ControlFlow::Continue(());
        let refused = fetcher().fetch(&server.url(path), ByteCount(1000), deadline, &mut take);
        assert!(
            matches!(refused, Err(Error::TimedOut { waiting: Wait::Whole, .. })),
            "{path}: {refused:?}"
        );
        assert!(start.elapsed() < Duration::from_secs(5), "{path}: {:?}", start.elapsed());
    }
}

#[test]
fn a_server_and_a_lookup_that_stall_end_at_the_deadline() {
    let server = Server::start(|_, stream| hang(stream));
    let stalled: Arc<Lookup> = Arc::new(|_, _| {
        let (_never, wait) = mpsc::channel::<()>();
        let _ = wait.recv_timeout(Duration::from_secs(2));
        Ok(Vec::new())
    });
    let nameless = Url::parse("http://slow.test/").expect("an URL");
    let slow = Fetcher::with_lookup(Policy::default(), stalled);
    for (fetcher, url) in [(&fetcher(), &server.url("/")), (&slow, &nameless)] {
        let start = Instant::now();
        let deadline = start + Duration::from_millis(200);
        let mut take = |_: Piece<'_>| ControlFlow::Continue(());
        let refused = fetcher.fetch(url, ByteCount(1000), deadline, &mut take);
        assert!(matches!(refused, Err(Error::TimedOut { .. })), "{url}: {refused:?}");
        assert!(start.elapsed() < Duration::from_secs(1), "{url}: {:?}", start.elapsed());
    }
}

#[test]
fn what_cannot_be_reached_is_told_apart_from_what_is_not_found() {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("a port");
    let url = Url::parse(&format!("http://{free}/")).expect("an URL");
    let refused = fetch(&url, 100);
    assert!(matches!(refused, Err(Error::Unreachable { .. })), "{refused:?}");

    for answer in [Ok(Vec::new()), Err(())] {
        let lookup: Arc<Lookup> = Arc::new(move |_, _| {
            answer.clone().map_err(|()| std::io::Error::other("no such name"))
        });
        let fetcher = Fetcher::with_lookup(Policy::default(), lookup);
        let url = Url::parse("https://nowhere.test/").expect("an URL");
        let refused = fetch_with(&fetcher, &url, 100);
        assert!(matches!(refused, Err(Error::HostNotFound { .. })), "{refused:?}");
    }
}

#[test]
fn what_is_no_web_server_is_refused() {
    let server = Server::start(|path, stream| match path {
        "/ssh" => send(stream, "SSH-2.0-OpenSSH_9.2\r\n"),
        "/lengths" => {
            send(stream, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!");
        }
        "/head" => {
            send(stream, "HTTP/1.1 200 OK\r\n");
            while stream.write_all(b"X-Long: 0123456789012345678901234567890\r\n").is_ok() {}
        }
        _ => {}
    });
    for path in ["/ssh", "/lengths", "/head", "/nothing"] {
        let refused = fetch(&server.url(path), 100);
        assert!(
            matches!(refused, Err(Error::Protocol { .. } | Error::Unreachable { .. })),
            "{path}: {refused:?}"
        );
    }
}

#[test]
fn a_server_that_speaks_no_tls_is_refused() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("a port");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        send(&mut stream, HELLO);
        hang(&mut stream);
    });
    let secure = Url::parse(&format!("https://{address}/")).expect("an URL");
    let refused = fetch(&secure, 100);
    assert!(matches!(refused, Err(Error::Protocol { .. })), "{refused:?}");
}

#[test]
fn a_receiver_may_end_it_at_any_piece() {
    let server = Server::start(|_, stream| {
        send(stream, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        while stream.write_all(&[0; 4096]).is_ok() {}
    });
    let mut pieces = 0;
    let ended = fetcher().fetch(&server.url("/"), ByteCount(u64::MAX), soon(), &mut |_| {
        pieces += 1;
        ControlFlow::Break(())
    });
    assert!(matches!(ended, Err(Error::Stopped)));
    assert_eq!(pieces, 1);
}
