//! A FUSE connection: the kernel's end of a mount, by its number in the control filesystem (Linux,
//! `Documentation/filesystems/fuse/fuse.rst`, "Control filesystem").

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, Uid, open, openat, statat, statfs};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, UnmountFlags, fsconfig_create, fsmount, fsopen,
    unmount,
};

use crate::fuse::mount::mounts;

/// The directory where systemd mounts the control filesystem.
const USUAL_PLACE: &str = "/sys/fs/fuse/connections";
/// The control filesystem's `statfs.f_type` (linux/magic.h, `FUSE_CTL_SUPER_MAGIC`).
const MAGIC: i64 = 0x6573_5543;

/// The minor number of the mount's device. No other mount has it while this one exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection(u32);

impl Connection {
    /// The connection behind a mount: `0:57` of `/proc/self/mountinfo` is connection 57.
    pub fn of(mount: &mounts::Mount) -> Option<Self> {
        let (_, minor) = mount.device.split_once(':')?;
        minor.parse().ok().map(Self)
    }

    /// All connections of this machine, including those of lazily unmounted trees. Without the control filesystem, only those of
    /// mounted trees.
    pub fn all() -> io::Result<Vec<Self>> {
        let Ok(control) = control() else {
            return Ok(mounts::all()?.iter().filter_map(|(_, mount)| Self::of(mount)).collect());
        };
        let mut found = Vec::new();
        for entry in Dir::new(control)? {
            let number = entry?.file_name().to_str().ok().and_then(|name| name.parse().ok());
            found.extend(number.map(Self));
        }
        Ok(found)
    }

    /// Opens the file that aborts the connection when it is written to. The open file belongs to this connection for good: after
    /// the connection's end a write does nothing, although the number may be another mount's by then.
    /// Errors: the control filesystem is not mounted, and this process may not mount it; or another user owns the mount.
    pub fn abort_file(self) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        Ok(openat(control()?, format!("{self}/abort"), flags, Mode::empty())?.into())
    }

    pub fn owner(self) -> io::Result<Uid> {
        let stat = statat(control()?, format!("{self}/abort"), AtFlags::empty())?;
        Ok(Uid::from_raw(stat.st_uid))
    }

    /// Aborts the connection: requests that wait for an answer fail with `ECONNABORTED`, later ones with `ENOTCONN`.
    pub fn abort(self) -> io::Result<()> {
        match self.abort_file() {
            Ok(mut file) => file.write_all(b"1"),
            Err(error) => self.abort_by_mount().map_err(|_| error),
        }
    }

    /// Aborts by a forced umount(2), for a process that may unmount but has no control filesystem, as in a container. The mount
    /// itself stays if it is in use.
    fn abort_by_mount(self) -> io::Result<()> {
        let mounts = mounts::all()?;
        let found = mounts.iter().find(|(_, mount)| Self::of(mount) == Some(self));
        let (path, _) = found.ok_or(io::ErrorKind::NotFound)?;
        match unmount(path, UnmountFlags::FORCE | UnmountFlags::NOFOLLOW) {
            Ok(()) | Err(rustix::io::Errno::BUSY) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Opens the control filesystem's root: at the usual directory, else on a mount that only this process sees (`fsmount(2)`).
fn control() -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    if statfs(USUAL_PLACE).is_ok_and(|found| found.f_type == MAGIC) {
        return Ok(open(USUAL_PLACE, flags, Mode::empty())?);
    }
    let context = fsopen("fusectl", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    // The descriptor from fsmount(2) is one of `O_PATH`, and cannot be read.
    Ok(openat(mount, ".", flags, Mode::empty())?)
}
