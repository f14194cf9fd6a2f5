//! `mediafs mount`: serves the tree in the foreground until it is told to stop.
//! Does not know what is in the tree.

use std::path::PathBuf;

use clap::Args;

use super::options::Options;
use super::{Error, preflight};
use crate::config::Config;

/// Where the kernel takes filesystems from programs.
pub const DEVICE: &str = "/dev/fuse";

/// Mount the tree, in the foreground, until Ctrl-C or `mediafs unmount`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mediafs mount ./media
  mediafs --config /etc/mediafs/site.toml mount -o allow_other /srv/media

'mounted on MOUNTPOINT' is printed once requests are answered.
SIGINT and SIGTERM unmount; open files get 30 s to be closed.")]
pub struct Mount {
    /// Mount options, separated by commas: `allow_other`
    #[arg(short = 'o', value_name = "OPTS")]
    options: Vec<String>,

    /// An empty directory
    mountpoint: PathBuf,
}

/// A mount that nothing stands in the way of any more.
#[derive(Debug)]
pub struct Prepared {
    pub mountpoint: PathBuf,
    pub allow_other: bool,
}

impl Mount {
    pub fn run(&self, config: &Config) -> Result<(), Error> {
        let prepared = self.prepare(config)?;
        Err(Error::Refused(format!(
            "{}: nothing serves the tree yet",
            prepared.mountpoint.display()
        )))
    }

    /// Checks options, mountpoint, library and kernel; clears a stale mount. What is refused is refused here.
    pub fn prepare(&self, config: &Config) -> Result<Prepared, Error> {
        let options = Options::parse(self.options.iter().map(String::as_str))?;
        let mountpoint = preflight::check(&self.mountpoint, &config.library.path)?;
        Ok(Prepared { mountpoint, allow_other: options.allow_other || config.mount.allow_other })
    }
}
