//! The errors of mounting and unmounting, each with the way out.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "/dev/fuse is not there: load the module with `modprobe fuse`, or give the container \
         the device (docker: --device /dev/fuse --cap-add SYS_ADMIN)"
    )]
    NoDevice,
    #[error(
        "/dev/fuse is no device: remove it and load the module with `modprobe fuse`, or give the \
         container the device (docker: --device /dev/fuse --cap-add SYS_ADMIN)"
    )]
    NotADevice,
    #[error("/dev/fuse cannot be opened; the user needs read and write permission on it")]
    Device(#[source] io::Error),
    #[error("the mountpoint {0} is not there; make it with `mkdir -p {0}`")]
    NoMountpoint(PathBuf),
    #[error("the mountpoint {0} is not a directory")]
    NotDirectory(PathBuf),
    #[error(
        "the mountpoint {0} is not empty; mount over an empty directory, or what is in it would be hidden"
    )]
    NotEmpty(PathBuf),
    #[error("{path} is mounted already ({kind}); unmount it first with `mediafs unmount {path}`")]
    Occupied { path: PathBuf, kind: String },
    #[error("the mountpoint {path} cannot be examined")]
    Mountpoint {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(
        "fusermount3 is not installed, and only root mounts and unmounts without it; install the package fuse3"
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
    #[error(
        "{path} is mounted, and its daemon does not answer within {secs} s; if it hangs, kill it (`kill -9`) and mount again"
    )]
    Unanswered { path: PathBuf, secs: u64 },
    #[error("{0} is not mounted")]
    NotMounted(PathBuf),
    #[error("{0} is in use; leave it with every shell and program, or detach it with --lazy")]
    Busy(PathBuf),
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
