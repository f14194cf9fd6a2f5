//! Which daemon serves a mount, and how the mount of a dead daemon is ended.
//!
//! A killed daemon can go on holding its mount. One of its threads is inside the kernel, to invalidate a name, and waits for a
//! directory's lock. A client holds that lock and waits for the daemon. The thread cannot be killed. While it lives,
//! `/dev/fuse` stays open, so that the kernel does not fail the clients' requests, and the library stays locked. Only an abort
//! of the connection ends this. The guard aborts at once ([`crate::fuse::mount::guard`]); if the guard was killed too, the next
//! `mount` or `unmount` does ([`end_dead`]).

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::Duration;

use rustix::net::sockopt::socket_peercred;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::{Pid, PidfdFlags, Signal, geteuid, pidfd_open};

use crate::fd;
use crate::fuse::mount::kernel_connection::Connection;

/// How long [`end_dead`] waits for a daemon to end after its connection was aborted.
const END: Duration = Duration::from_secs(2);

/// Announces that this process serves a connection, as long as the listener is open. The kernel tells a process that connects
/// which process listens (`SO_PEERCRED`, unix(7)); no byte is sent. Errors: another process listens at this name.
pub fn announce(connection: Connection) -> io::Result<UnixListener> {
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name(connection))?)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Closes the connections of processes that have asked, so that the listener's queue never fills.
pub fn turn_away(listener: &UnixListener) {
    while listener.accept().is_ok() {}
}

/// The process that announces itself as the server of a connection. `None` if there is none, if it is invisible from here
/// (another network or pid namespace), or if its user is neither root nor the mount's owner.
fn server_of(connection: Connection) -> Option<Pid> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).ok()?;
    let address = SocketAddrUnix::new_abstract_name(name(connection).as_bytes()).ok()?;
    connect(&socket, &address).ok()?;
    let peer = socket_peercred(&socket).ok()?;
    let owner = connection.owner().unwrap_or_else(|_| geteuid());
    (peer.uid.is_root() || peer.uid == owner).then_some(peer.pid)
}

/// The process that listens at the other end of a connected socket (`SO_PEERCRED`).
pub fn listener(socket: impl AsFd) -> Option<Pid> {
    socket_peercred(socket).ok().map(|peer| peer.pid)
}

/// Whether a process was killed or has crashed and still exists: its first thread has ended or is about to, whatever the other
/// threads do (`proc_pid_status(5)`).
pub fn is_dying(pid: Pid) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { return false };
    let value = |key| status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("").trim();
    let pending = |key| u64::from_str_radix(value(key), 16).unwrap_or(0);
    let killed = 1 << (Signal::KILL.as_raw() - 1);
    value("State:").starts_with(['Z', 'X'])
        || value("CoreDumping:") == "1"
        || (pending("SigPnd:") | pending("ShdPnd:")) & killed != 0
}

/// Ends the mounts of dead mediafs daemons: their clients get an errno, and their libraries are unlocked. Waits up to two
/// seconds for each to end. Mounts that this process may not abort are logged and stay.
pub fn end_dead() {
    let connections = Connection::all().unwrap_or_default();
    let dead = connections.into_iter().filter_map(|connection| {
        server_of(connection).filter(|pid| is_dying(*pid)).map(|pid| (connection, pid))
    });
    for (connection, pid) in dead {
        match connection.abort() {
            Ok(()) => {
                tracing::warn!(%pid, %connection, "ended the mount of a daemon that has died");
                let _ = await_end(pid, END);
            }
            Err(error) => tracing::error!(
                %pid, %connection, %error,
                "a daemon has died and its clients wait for it; end that as root: `mediafs unmount` or `umount -f`"
            ),
        }
    }
}

/// Waits up to `patience` until all threads of a process have ended, whether or not its parent has reaped it (`pidfd_open(2)`).
/// Returns whether they have.
pub fn await_end(pid: Pid, patience: Duration) -> io::Result<bool> {
    fd::await_readable(pidfd_open(pid, PidfdFlags::empty())?, patience)
}

/// The name of a connection's abstract socket. It has no file, and ends with the listener.
fn name(connection: Connection) -> String {
    format!("mediafs/connection/{connection}")
}
