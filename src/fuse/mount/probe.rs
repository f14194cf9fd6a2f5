//! The probe: asks whether a mount answers, in a process of its own. A process that asks a hung daemon cannot be killed, and the
//! daemon or command that needs the answer must not hang with it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use rustix::fs::statfs;
use rustix::io::Errno;
use rustix::process::Pid;

use crate::fuse::mount::daemons;

/// The state of a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Answers,
    /// The daemon has ended: 'Transport endpoint is not connected'.
    Gone,
    /// No answer came in time.
    Silent,
    Fails(Errno),
}

/// Runs this program as `probe <path>`, and waits up to `patience` for it.
pub fn ask(path: &Path, patience: Duration) -> io::Result<Health> {
    let mut asker = Command::new("/proc/self/exe")
        .arg("probe")
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if !daemons::await_end(Pid::from_child(&asker), patience)? {
        // A process that cannot be killed stays until the mount ends.
        asker.kill()?;
        return Ok(Health::Silent);
    }
    Ok(match asker.wait()?.code() {
        Some(0) => Health::Answers,
        Some(code) if code == Errno::NOTCONN.raw_os_error() => Health::Gone,
        Some(code) => Health::Fails(Errno::from_raw_os_error(code)),
        None => Health::Silent,
    })
}

/// Asks in this process. The exit code is the errno.
pub fn answer(path: &PathBuf) -> ExitCode {
    // The kernel may have cached attributes, but always passes statfs on.
    match statfs(path) {
        Ok(_) => ExitCode::SUCCESS,
        Err(errno) => ExitCode::from(u8::try_from(errno.raw_os_error()).unwrap_or(u8::MAX)),
    }
}
