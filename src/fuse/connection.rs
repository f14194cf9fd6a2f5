//! A FUSE connection: the kernel's end of a mount, by the number that the control filesystem lists it under
//! (Linux, `Documentation/filesystems/fuse/fuse.rst`, "Control filesystem").

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;

use rustix::fs::{AtFlags, Dir, Mode, OFlags, Uid, open, openat, statat, statfs};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, UnmountFlags, fsconfig_create, fsmount, fsopen,
    unmount,
};

use crate::fuse::mounts;

/// Where systemd mounts the control filesystem.
const USUAL_PLACE: &str = "/sys/fs/fuse/connections";
/// `statfs.f_type` of it (linux/magic.h, `FUSE_CTL_SUPER_MAGIC`).
const MAGIC: i64 = 0x6573_5543;

/// The minor number of the mount's device, which is no other mount's while this one exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection(u32);

impl Connection {
    /// The connection behind a mount: `0:57` of `/proc/self/mountinfo` is connection 57.
    pub fn of(mount: &mounts::Mount) -> Option<Self> {
        let (_, minor) = mount.device.split_once(':')?;
        minor.parse().ok().map(Self)
    }

    /// All connections of this machine, also those of lazily unmounted trees; without the control filesystem, those that are
    /// mounted.
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

    /// What ends the connection when it is written to. The file stays this connection's: once that has ended a write does
    /// nothing, although the number may be another mount's by then.
    /// Errors: the control filesystem is not mounted, and this process may not mount it; or the mount is somebody else's.
    pub fn abort_file(self) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        Ok(openat(control()?, format!("{self}/abort"), flags, Mode::empty())?.into())
    }

    /// Whose mount it is.
    pub fn owner(self) -> io::Result<Uid> {
        let stat = statat(control()?, format!("{self}/abort"), AtFlags::empty())?;
        Ok(Uid::from_raw(stat.st_uid))
    }

    /// Ends the connection: requests that wait for an answer and all later ones fail (`ECONNABORTED`, `ENOTCONN`).
    pub fn abort(self) -> io::Result<()> {
        match self.abort_file() {
            Ok(mut file) => file.write_all(b"1"),
            Err(error) => self.abort_by_mount().map_err(|_| error),
        }
    }

    /// For who may unmount and has no control filesystem, as in a container. The mount itself may stay: it is in use.
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

/// The control filesystem's root: where it is usually mounted, else mounted for this process alone (`fsmount(2)`).
fn control() -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    if statfs(USUAL_PLACE).is_ok_and(|found| found.f_type == MAGIC) {
        return Ok(open(USUAL_PLACE, flags, Mode::empty())?);
    }
    let context = fsopen("fusectl", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
    // What fsmount(2) returns names the mount, and cannot be read.
    Ok(openat(mount, ".", flags, Mode::empty())?)
}
