//! The table of mounts, `/proc/self/mountinfo` (`proc_pid_mountinfo(5)`). Reading it sends no request to any filesystem.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

const MOUNTINFO: &str = "/proc/self/mountinfo";

/// The filesystem type of mediafs mounts.
pub const KIND: &str = "fuse.mediafs";

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// `major:minor`. No other filesystem has it while this one exists.
    pub device: String,
    /// `ext4`, `fuse.mediafs`.
    pub kind: String,
}

impl Mount {
    pub fn is_fuse(&self) -> bool {
        self.kind == "fuse" || self.kind == "fuseblk" || self.kind.starts_with("fuse.")
    }
}

/// The topmost filesystem that is mounted on this very directory. `path` must be canonical.
pub fn on(path: &Path) -> io::Result<Option<Mount>> {
    Ok(find(&fs::read(MOUNTINFO)?, path))
}

/// Every mediafs mount with its mountpoint, in the order in which they were mounted.
pub fn all() -> io::Result<Vec<(PathBuf, Mount)>> {
    let table = fs::read(MOUNTINFO)?;
    let mounts = lines(&table).filter(|(_, mount)| mount.kind == KIND);
    Ok(mounts.map(|(path, mount)| (path.into(), mount)).collect())
}

/// A file that polls as `POLLPRI` after every mount and unmount.
pub fn changes() -> io::Result<File> {
    File::open(MOUNTINFO)
}

fn find(mountinfo: &[u8], path: &Path) -> Option<Mount> {
    let mounts = lines(mountinfo).filter(|(mountpoint, _)| *mountpoint == path);
    mounts.last().map(|(_, mount)| mount)
}

/// `36 35 98:0 /root /mountpoint options optional... - kind source options`
fn lines(mountinfo: &[u8]) -> impl Iterator<Item = (OsString, Mount)> {
    mountinfo.split(|&byte| byte == b'\n').filter_map(|line| {
        let mut fields = line.split(|&byte| byte == b' ');
        let device = fields.nth(2)?;
        let mountpoint = fields.nth(1)?;
        let kind = fields.skip_while(|field| *field != b"-").nth(1)?;
        let text = |field| String::from_utf8_lossy(field).into_owned();
        Some((unescape(mountpoint), Mount { device: text(device), kind: text(kind) }))
    })
}

/// Decodes the octal escapes (`\040`) that the kernel writes for blanks, tabs, line feeds and backslashes.
fn unescape(field: &[u8]) -> OsString {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let escaped = octal(rest);
        plain.push(escaped.unwrap_or(byte));
        rest = if escaped.is_some() { &rest[4..] } else { after };
    }
    OsString::from_vec(plain)
}

/// The byte of an octal escape at the start of the text.
fn octal(text: &[u8]) -> Option<u8> {
    let digits = text.strip_prefix(b"\\")?.get(..3)?;
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"22 27 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n\
        36 35 98:0 /mnt1 /mnt2 rw,noatime - ext4 /dev/root rw,errors=continue\n\
        90 27 0:57 / /my\\040media rw,nosuid,nodev master:1 shared:2 - fuse.mediafs mediafs rw,user_id=0\n\
        91 90 0:58 / /mnt2 rw - tmpfs none rw\n";

    #[test]
    fn the_topmost_mount_of_a_path_is_found() {
        let found =
            |path: &str| find(TABLE, Path::new(path)).map(|mount| (mount.device, mount.kind));
        assert_eq!(found("/mnt2"), Some(("0:58".into(), "tmpfs".into())));
        assert_eq!(found("/my media"), Some(("0:57".into(), "fuse.mediafs".into())));
        assert_eq!(found("/my"), None);
    }

    #[test]
    fn this_machine_has_proc_mounted_on_proc() {
        let proc = on(Path::new("/proc")).expect("mountinfo").expect("a mount");
        assert_eq!(proc.kind, "proc");
    }

    #[test]
    fn fuse_has_three_spellings() {
        let is_fuse = |kind: &str| Mount { device: "0:1".into(), kind: kind.into() }.is_fuse();
        assert!(["fuse", "fuseblk", "fuse.sshfs"].map(is_fuse).iter().all(|&fuse| fuse));
        assert!(!is_fuse("fusectl") && !is_fuse("ext4"));
    }
}
