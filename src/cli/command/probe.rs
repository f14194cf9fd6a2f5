//! `mediafs probe`, hidden: the process that [`crate::fuse::mount::probe`] starts.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::fuse::mount::probe;

/// Ask a mount whether it answers; started by other commands, not by people
#[derive(Debug, Args)]
pub struct Probe {
    mountpoint: PathBuf,
}

impl Probe {
    pub fn run(&self) -> ExitCode {
        probe::answer(&self.mountpoint)
    }
}
