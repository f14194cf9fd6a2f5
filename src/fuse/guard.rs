//! The guard: a process of a daemon's that ends its mount when the daemon dies.
//! Holds neither the device nor the library, so that it keeps nothing alive.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::fuse::connection::Connection;
use crate::fuse::daemons::is_dying;

/// Which signal the kernel sends when the thread that started the guard ends, as it does at once when the daemon is killed,
/// whatever its other threads are at (prctl(2), `PR_SET_PDEATHSIG`).
pub const DEATH: Signal = Signal::USR2;
/// Between looks at a daemon: of one that crashes the first thread may wait for the others.
const LOOK: Duration = Duration::from_secs(1);
/// Between looks after the signal, which comes a moment before the daemon counts as dying.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
const LOOKS_AGAIN: u32 = 100;

/// Starts this very program as `guard <pid>`, which aborts the connection when this process has died. To be called by the first
/// thread of the process. Errors: the connection's control file cannot be opened.
pub fn start(connection: Connection) -> io::Result<Child> {
    let abort = connection.abort_file()?;
    Command::new("/proc/self/exe")
        .arg("guard")
        .arg(std::process::id().to_string())
        .stdin(Stdio::from(abort))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .env_clear()
        .current_dir("/")
        // Ctrl-C goes to the whole group of a terminal.
        .process_group(0)
        .spawn()
}

/// Waits for the death of the daemon that started this process, then aborts its connection. `notices` becomes readable when
/// [`DEATH`] comes. A daemon that ends by itself has unmounted: what is written then changes nothing.
pub fn watch(daemon: Pid, mut notices: UnixStream, mut abort: File) -> io::Result<()> {
    notices.set_nonblocking(true)?;
    set_parent_process_death_signal(Some(DEATH))?;
    let mut again = 0_u32;
    while getppid() == Some(daemon) && !is_dying(daemon) {
        let pause = if again > 0 { LOOK_AGAIN } else { LOOK };
        again = again.saturating_sub(1);
        let mut events = [PollFd::new(&notices, PollFlags::IN)];
        if poll(&mut events, Timespec::try_from(pause).ok().as_ref()).is_ok_and(|told| told > 0) {
            let _ = notices.read(&mut [0; 64])?;
            again = LOOKS_AGAIN;
        }
    }
    abort.write_all(b"1")
}
