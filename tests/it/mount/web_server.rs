//! A web server on loopback that behaves as the requested path says, and counts its connections.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use super::picture;

pub struct Server {
    pub address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    connections: AtomicUsize,
    /// The target of the redirect at `/away`.
    away: Mutex<String>,
    /// Whether the second half of `/held` may be sent.
    released: Mutex<bool>,
    change: Condvar,
}

impl Server {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let (mut stream, state) = (stream.expect("a connection"), Arc::clone(&shared));
                thread::spawn(move || state.serve(&path(&stream), &mut stream));
            }
        });
        Self { address, state }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The number of connections so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Sets the target of `/away`.
    pub fn lead_away(&self, to: &str) {
        to.clone_into(&mut self.state.away.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Lets `/held` send its second half.
    pub fn release(&self) {
        *self.state.released.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.state.change.notify_all();
    }
}

impl State {
    fn serve(&self, path: &str, stream: &mut TcpStream) {
        match path {
            "/small.png" => body(stream, &picture::png(40, 40, 1)),
            "/text" => body(stream, &b"no picture\n".repeat(50)),
            "/empty" => body(stream, b""),
            "/short" => head(stream, "200 OK", "Content-Length: 999999\r\n"),
            "/huge" => head(stream, "200 OK", "Content-Length: 10000000000\r\n"),
            "/endless" => endless(stream),
            "/slow" => slow(stream),
            "/gzip" => head(stream, "200 OK", "Content-Encoding: gzip\r\nContent-Length: 1\r\n"),
            "/away" => {
                let to = self.away.lock().unwrap_or_else(PoisonError::into_inner).clone();
                redirect(stream, &to);
            }
            "/loop" => redirect(stream, "/loop"),
            "/held" => self.held(stream),
            _ => match path.trim_start_matches('/').split('.').next().map(str::parse) {
                Some(Ok(seed)) => body(stream, &picture::good(seed)),
                _ => head(stream, "404 Not Found", "Content-Length: 0\r\n"),
            },
        }
    }

    /// Sends half a picture, and the other half after `release`.
    fn held(&self, stream: &mut TcpStream) {
        let picture = picture::good(1);
        let (first, second) = picture.split_at(picture.len() / 2);
        head(stream, "200 OK", &format!("Content-Length: {}\r\n", picture.len()));
        send(stream, first);
        let released = self.released.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.change.wait_while(released, |released| !*released));
        send(stream, second);
    }
}

/// The path of a request.
fn path(stream: &TcpStream) -> String {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next().unwrap_or_default();
    let _rest: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
    first.split(' ').nth(1).unwrap_or_default().to_owned()
}

fn send(stream: &mut TcpStream, bytes: &[u8]) {
    // Some tests make the client hang up.
    let _ = stream.write_all(bytes);
}

fn head(stream: &mut TcpStream, status: &str, headers: &str) {
    send(stream, format!("HTTP/1.1 {status}\r\n{headers}\r\n").as_bytes());
}

fn body(stream: &mut TcpStream, bytes: &[u8]) {
    head(stream, "200 OK", &format!("Content-Length: {}\r\n", bytes.len()));
    send(stream, bytes);
}

fn redirect(stream: &mut TcpStream, to: &str) {
    head(stream, "302 Found", &format!("Location: {to}\r\nContent-Length: 0\r\n"));
}

fn endless(stream: &mut TcpStream) {
    head(stream, "200 OK", "Connection: close\r\n");
    send(stream, &picture::good(1));
    while stream.write_all(&[0; 4096]).is_ok() {}
}

/// Sends a good picture, one byte now and then.
fn slow(stream: &mut TcpStream) {
    let picture = picture::good(1);
    head(stream, "200 OK", &format!("Content-Length: {}\r\n", picture.len()));
    let (_never, wait) = mpsc::channel::<()>();
    for byte in picture.iter() {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        let _ = wait.recv_timeout(Duration::from_millis(100));
    }
    let _ = stream.read(&mut [0; 1]);
}
