//! `mediafs unmount`: takes a mount away; the daemon behind it finishes and exits 0.
//! Does not talk to the daemon.

use std::path::PathBuf;

use clap::Args;

use super::detach::{When, detach};
use super::preflight::{absolute, is_stale};
use super::{Error, mounts, say};

/// Unmount what is mounted on a directory
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mediafs unmount ./media
  mediafs unmount --lazy ./media     though somebody is still in it

A mount whose daemon died ('Transport endpoint is not connected') is cleared, too.")]
pub struct Unmount {
    mountpoint: PathBuf,

    /// Take the name away at once, the rest when nobody uses it any more
    #[arg(short = 'z', long)]
    lazy: bool,
}

impl Unmount {
    pub fn run(&self) -> Result<(), Error> {
        let path = absolute(&self.mountpoint)?;
        let mounts = mounts::all()?;
        let mounted = mounts::at(&path, &mounts).ok_or_else(|| Error::NotMounted(path.clone()))?;
        if !mounted.is_fuse() {
            return Err(Error::Foreign { path, kind: mounted.kind.clone() });
        }
        let when = if self.lazy || is_stale(&path) { When::AtOnce } else { When::Unused };
        detach(&path, when)?;
        say(format_args!("unmounted {}", path.display()))
    }
}
