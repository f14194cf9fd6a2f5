//! `mediafs unmount`: unmounts a tree. Its daemon finishes and exits 0. The mounts of dead daemons are ended first.

use std::path::PathBuf;

use clap::Args;

use crate::cli::error::Error;
use crate::cli::print::say;
use crate::fuse;
use crate::fuse::mount::detach::{When, detach};
use crate::fuse::mount::mountpoint::{absolute, health};
use crate::fuse::mount::probe::Health;
use crate::fuse::mount::{daemons, mounts};

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
        let unknown =
            |source| Error::File { action: "look at", path: self.mountpoint.clone(), source };
        let path = absolute(&self.mountpoint).map_err(unknown)?;
        let Some(mount) = mounts::on(&path).map_err(unknown)? else {
            return Err(fuse::Error::NotMounted(path).into());
        };
        if !mount.is_fuse() {
            return Err(Error::Foreign { path, kind: mount.kind });
        }
        daemons::end_dead();
        let is_gone = || Ok::<_, Error>(health(&path)? == Health::Gone);
        let when = if self.lazy || is_gone()? { When::AtOnce } else { When::Unused };
        detach(&path, when)?;
        say(format_args!("unmounted {}", path.display()))
    }
}
