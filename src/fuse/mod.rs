//! FUSE: the kernel's side of the tree. Decodes requests, calls the tree, encodes answers.
//! Does not decide anything about files, names or rules.

mod adapter;
mod attach;
mod errno;
mod inval;
mod mounts;
mod pool;
mod session;

use std::io;
use std::path::PathBuf;

pub use errno::errno;
pub use session::{Mounted, Settings, mount};

/// Why a tree cannot be mounted, with the way out.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "there is no /dev/fuse; load the module with `modprobe fuse`, or give the container `--device /dev/fuse`"
    )]
    NoDevice,
    #[error("/dev/fuse cannot be opened; the user needs read and write permission on it")]
    Device(#[source] io::Error),
    #[error("the mountpoint {0} is not there; create it with `mkdir -p`")]
    NoMountpoint(PathBuf),
    #[error("the mountpoint {0} is not a directory")]
    NotDirectory(PathBuf),
    #[error(
        "the mountpoint {0} is not empty; mount over an empty directory, or what is in it would be hidden"
    )]
    NotEmpty(PathBuf),
    #[error("something is mounted on {0} already; unmount it with `mediafs unmount` first")]
    Occupied(PathBuf),
    #[error("the mountpoint {path} cannot be examined")]
    Mountpoint {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "fusermount3 is not installed and only root mounts without it; install the package fuse3"
    )]
    NoHelper,
    #[error(
        "only root may mount with allow_other, unless /etc/fuse.conf has the line `user_allow_other`"
    )]
    OtherUsers,
    #[error("fusermount3 refused the mount: {0}")]
    Helper(String),
    #[error("the kernel refused the mount on {path}")]
    Refused {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{path} cannot be unmounted")]
    Unmount {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the session with the kernel failed")]
    Session(#[source] io::Error),
    #[error("the mounted tree did not answer within {0} seconds")]
    Silent(u64),
    #[error("the mounted tree answered its first request with an error")]
    Unwell(#[source] io::Error),
    #[error("a thread could not be started")]
    Thread(#[source] io::Error),
}
