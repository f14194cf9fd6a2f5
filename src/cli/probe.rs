//! The process that asks whether a mount answers: what [`crate::fuse::probe`] starts this program as.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use crate::fuse::probe;

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
