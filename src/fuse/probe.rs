//! Whether a mount answers, asked by a process of its own: whoever asks a daemon that has taken the question and never answers
//! cannot be killed, and this process must end whatever mounts are at.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::statfs;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// What a mount answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    Answers,
    /// The daemon behind it is gone: 'Transport endpoint is not connected'.
    Gone,
    /// Nothing in time.
    Silent,
    Fails(Errno),
}

/// Asks what is mounted on `path` by running this very program as `probe <path>`, and waits this long at most.
pub fn ask(path: &Path, patience: Duration) -> io::Result<Health> {
    let mut asker = Command::new("/proc/self/exe")
        .arg("probe")
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    if !ends(&asker, patience)? {
        // If it cannot be killed it is left behind, and goes with the mount.
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

/// Asks in this process: the exit code is the errno.
pub fn answer(path: &PathBuf) -> ExitCode {
    // Attributes may be known to the kernel; how much space there is, it always asks.
    match statfs(path) {
        Ok(_) => ExitCode::SUCCESS,
        Err(errno) => ExitCode::from(u8::try_from(errno.raw_os_error()).unwrap_or(u8::MAX)),
    }
}

fn ends(process: &Child, patience: Duration) -> io::Result<bool> {
    let process = pidfd_open(Pid::from_child(process), PidfdFlags::empty())?;
    let mut events = [PollFd::new(&process, PollFlags::IN)];
    Ok(poll(&mut events, Timespec::try_from(patience).ok().as_ref())? > 0)
}
