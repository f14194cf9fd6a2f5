//! Which daemon serves a mount, and what becomes of a mount whose daemon has died.
//!
//! A daemon that is killed can be dead and hold its mount: a thread of it stands in the kernel, to tell it that a name is stale,
//! and waits for a directory's lock; a client holds that lock, and waits for the daemon. The thread cannot be killed, and as long
//! as it lives the descriptor of `/dev/fuse` is open, so that the kernel does not know that nobody will answer, and the library's
//! lock is held. Nothing but aborting the connection ends that. The guard does it at once ([`crate::fuse::guard`]); where that
//! was killed too, whoever mounts or unmounts next ([`end_dead`]).

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::socket_peercred;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{Pid, PidfdFlags, Signal, geteuid, pidfd_open};

use crate::fuse::connection::Connection;

/// How long a daemon whose connection was aborted may take to end.
const END: Duration = Duration::from_secs(2);

/// Makes it known who serves a connection, as long as the listener is open: the kernel tells whoever connects which process
/// listens (`SO_PEERCRED`, unix(7)). Nothing is said there. Errors: somebody else listens there.
pub fn announce(connection: Connection) -> io::Result<UnixListener> {
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name(connection))?)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Turns away those who have asked who listens: only so many can wait.
pub fn turn_away(listener: &UnixListener) {
    while listener.accept().is_ok() {}
}

/// The process that serves a connection, by its own word. Nothing where none says so, where it cannot be seen from here (another
/// network or process namespace), or where somebody says so whose mount it is not.
fn server_of(connection: Connection) -> Option<Pid> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).ok()?;
    let address = SocketAddrUnix::new_abstract_name(name(connection).as_bytes()).ok()?;
    connect(&socket, &address).ok()?;
    let peer = socket_peercred(&socket).ok()?;
    let owner = connection.owner().unwrap_or_else(|_| geteuid());
    (peer.uid.is_root() || peer.uid == owner).then_some(peer.pid)
}

/// The process that listens at the other end of a connected socket.
pub fn listener(socket: impl AsFd) -> Option<Pid> {
    socket_peercred(socket).ok().map(|peer| peer.pid)
}

/// Whether a process has been killed, or crashed, and is not gone: its first thread has ended or must, whatever the others are
/// at (`proc_pid_status(5)`).
pub fn is_dying(pid: Pid) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { return false };
    let value = |key| status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("").trim();
    let pending = |key| u64::from_str_radix(value(key), 16).unwrap_or(0);
    let killed = 1 << (Signal::KILL.as_raw() - 1);
    value("State:").starts_with(['Z', 'X'])
        || value("CoreDumping:") == "1"
        || (pending("SigPnd:") | pending("ShdPnd:")) & killed != 0
}

/// Ends what dead daemons of mediafs have left: their clients get their errno, and their libraries are free. Takes as long as
/// such a daemon takes to end, two seconds at most; without one, nothing. What this process may not end stays.
pub fn end_dead() {
    let connections = Connection::all().unwrap_or_default();
    let dead = connections.into_iter().filter_map(|connection| {
        server_of(connection).filter(|pid| is_dying(*pid)).map(|pid| (connection, pid))
    });
    for (connection, pid) in dead {
        match connection.abort() {
            Ok(()) => {
                tracing::warn!(%pid, %connection, "ended the mount of a daemon that has died");
                await_end(pid);
            }
            Err(error) => tracing::error!(
                %pid, %connection, %error,
                "a daemon has died and its clients wait for it; end that as root: `mediafs unmount` or `umount -f`"
            ),
        }
    }
}

/// Waits until all threads of a process have ended; whether its parent has looked does not matter (`pidfd_open(2)`).
fn await_end(pid: Pid) {
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    let deadline = Instant::now() + END;
    while let left = deadline.saturating_duration_since(Instant::now())
        && !left.is_zero()
    {
        let mut events = [PollFd::new(&process, PollFlags::IN)];
        if poll(&mut events, Timespec::try_from(left).ok().as_ref()).is_ok_and(|ended| ended > 0) {
            return;
        }
    }
}

/// The name of a connection's abstract socket, which has no file and goes with the listener.
fn name(connection: Connection) -> String {
    format!("mediafs/connection/{connection}")
}
