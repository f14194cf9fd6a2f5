//! `mediafs guard`, hidden: the process that [`crate::fuse::mount::guard`] starts.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use rustix::process::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1};
use signal_hook::low_level::pipe;

use crate::fuse::mount::guard;

pub fn run(daemon: i32) -> ExitCode {
    // The daemon is dead by now, and nobody reads an error.
    if watch(daemon).is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn watch(daemon: i32) -> io::Result<()> {
    let daemon = Pid::from_raw(daemon).ok_or(io::ErrorKind::InvalidInput)?;
    let (notices, told) = UnixStream::pair()?;
    // A signal to the daemon's whole service must not end the guard before the daemon.
    let (ignored, _) = UnixStream::pair()?;
    for signal in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1] {
        pipe::register(signal, ignored.try_clone()?)?;
    }
    pipe::register(guard::DEATH.as_raw(), told)?;
    let abort = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    guard::watch(daemon, notices, abort)
}
