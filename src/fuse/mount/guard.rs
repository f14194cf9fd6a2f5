//! The guard: a process that aborts a daemon's connection when the daemon dies. It holds neither the device nor the library, so
//! that it keeps neither of them in use.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

use crate::fd;
use crate::fuse::mount::daemons::is_dying;
use crate::fuse::mount::kernel_connection::Connection;

/// The signal that the kernel sends when the thread that started the guard ends (prctl(2), `PR_SET_PDEATHSIG`). That thread ends
/// at once when the daemon is killed, whatever the other threads do.
pub const DEATH: Signal = Signal::USR2;
/// Between two looks whether the daemon is dying. They are needed for a crash, where the first thread may wait for the others.
const LOOK: Duration = Duration::from_secs(1);
/// Between two looks after the signal, which comes a moment before the daemon counts as dying.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
const LOOKS_AGAIN: u32 = 100;

/// Starts this program as `guard <pid>`, which aborts the connection when this process dies. Must be called by the process's
/// first thread. Errors: the connection's control file cannot be opened.
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
        // Ctrl-C signals the terminal's whole process group, which the guard must outlive.
        .process_group(0)
        .spawn()
}

/// Waits until the daemon that started this process dies, then aborts its connection. `notices` becomes readable when
/// [`DEATH`] comes. A daemon that ends regularly has unmounted, and the abort then does nothing.
pub fn watch(daemon: Pid, mut notices: UnixStream, mut abort: File) -> io::Result<()> {
    notices.set_nonblocking(true)?;
    set_parent_process_death_signal(Some(DEATH))?;
    let mut again = 0_u32;
    while getppid() == Some(daemon) && !is_dying(daemon) {
        let pause = if again > 0 { LOOK_AGAIN } else { LOOK };
        again = again.saturating_sub(1);
        if fd::await_readable(&notices, pause).unwrap_or(false) {
            let _ = notices.read(&mut [0; 64])?;
            again = LOOKS_AGAIN;
        }
    }
    abort.write_all(b"1")
}
