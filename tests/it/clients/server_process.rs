//! Servers on loopback that run during a test: daemons that announce when they are ready, and programs that run once for each
//! connection, as under inetd.
//!
//! Each server leads a process group, which is killed at the end of the test, also if that fails. Servers that Debian has started
//! on the usual ports are not used.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

use crate::mount::tool::present;

const PATIENCE: Duration = Duration::from_secs(60);

/// The path of a server's program: where the system keeps daemons, or where `scripts/test` unpacks those that cannot be
/// installed together. `None`, with a message, if it is missing.
pub fn program(name: &str) -> Option<PathBuf> {
    let unpacked = concat!(env!("CARGO_TARGET_TMPDIR"), "/../clients/usr/sbin");
    let found = [unpacked, "/usr/sbin", "/usr/local/sbin"]
        .iter()
        .map(|directory| Path::new(directory).join(name))
        .find(|path| path.is_file());
    present(name, found.is_some());
    found
}

/// A free port of a loopback address that no other test uses.
pub fn free_address() -> SocketAddr {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id() * 64 + TAKEN.fetch_add(1, Ordering::Relaxed);
    let [_, _, high, low] = number.to_be_bytes();
    let listener = TcpListener::bind((Ipv4Addr::new(127, 1, high, low), 0)).expect("a free port");
    listener.local_addr().expect("its address")
}

/// A server process. Dropping this kills it.
pub struct Server(Child);

impl Server {
    /// Starts a program in a process group of its own, and waits until it prints `ready` on stderr.
    pub fn start(command: &mut Command, ready: &'static str) -> Self {
        let mut process = command
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let said = BufReader::new(process.stderr.take().expect("its messages"));
        let server = Self(process);
        let (tell, told) = mpsc::channel();
        // Reads to the end: a server blocks if nobody reads its output.
        thread::spawn(move || {
            for line in said.lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let mut all = String::new();
        while !all.contains(ready) {
            let line = told.recv_timeout(PATIENCE);
            all += &line.unwrap_or_else(|_| panic!("the server is not ready; it said:\n{all}"));
            all.push('\n');
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

/// A listener that starts a process for each connection, with the connection as its stdin and stdout.
pub struct Inetd {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    /// Guards the list of processes that were started.
    sessions: Arc<Mutex<Vec<Child>>>,
    listener: Option<JoinHandle<()>>,
}

impl Inetd {
    pub fn start(session: impl Fn() -> Command + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let stopped = Arc::new(AtomicBool::new(false));
        let sessions = Arc::new(Mutex::new(Vec::new()));
        let (is_stopped, started) = (Arc::clone(&stopped), Arc::clone(&sessions));
        let listener = thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                if is_stopped.load(Ordering::Acquire) {
                    break;
                }
                let output = connection.try_clone().expect("a second descriptor");
                let process = session()
                    .process_group(0)
                    .stdin(Stdio::from(OwnedFd::from(connection)))
                    .stdout(Stdio::from(OwnedFd::from(output)))
                    .stderr(Stdio::null())
                    .spawn()
                    .expect("the server starts");
                lock(&started).push(process);
            }
        });
        Self { address, stopped, sessions, listener: Some(listener) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until all sessions so far have ended.
    pub fn wait(&self) {
        let sessions = std::mem::take(&mut *lock(&self.sessions));
        for mut session in sessions {
            session.wait().expect("a child");
        }
    }
}

impl Drop for Inetd {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // The connection wakes the listener, which finds that it is to stop.
        let _ = TcpStream::connect(self.address);
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
        lock(&self.sessions).iter_mut().for_each(end);
    }
}

/// Kills a process and its group.
fn end(process: &mut Child) {
    let id = i32::try_from(process.id()).ok().and_then(Pid::from_raw);
    if let (Some(id), Ok(None)) = (id, process.try_wait()) {
        let _ = kill_process_group(id, Signal::KILL);
    }
    let _ = process.kill();
    let _ = process.wait();
}

fn lock(sessions: &Mutex<Vec<Child>>) -> MutexGuard<'_, Vec<Child>> {
    sessions.lock().unwrap_or_else(PoisonError::into_inner)
}
