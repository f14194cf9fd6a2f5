//! What is mounted where, as `/proc/self/mountinfo` tells it (proc(5)).
//! Does not mount or unmount; never touches a mounted filesystem.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use super::Error;

const MOUNTINFO: &str = "/proc/self/mountinfo";

/// One mounted filesystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    pub path: PathBuf,
    /// `ext4`, `fuse.mediafs`.
    pub kind: String,
}

impl Mounted {
    pub fn is_fuse(&self) -> bool {
        // `fuseblk` is FUSE as well: a program stands between the disk and whoever calls fsync.
        self.kind == "fuse" || self.kind == "fuseblk" || self.kind.starts_with("fuse.")
    }
}

/// All mounts that this process sees, the latest last.
pub fn all() -> Result<Vec<Mounted>, Error> {
    let text = fs::read(MOUNTINFO).map_err(|source| Error::File {
        action: "read",
        path: MOUNTINFO.into(),
        source,
    })?;
    Ok(parse(&text))
}

/// What is mounted exactly here, if anything is.
pub fn at<'m>(path: &Path, mounts: &'m [Mounted]) -> Option<&'m Mounted> {
    mounts.iter().rev().find(|mounted| mounted.path == path)
}

/// The mount that a path lies on.
pub fn under<'m>(path: &Path, mounts: &'m [Mounted]) -> Option<&'m Mounted> {
    // Of two mounts on one directory the later hides the earlier, and max_by_key keeps the last of equals.
    let above = mounts.iter().filter(|mounted| path.starts_with(&mounted.path));
    above.max_by_key(|mounted| mounted.path.components().count())
}

fn parse(text: &[u8]) -> Vec<Mounted> {
    text.split(|byte| *byte == b'\n').filter_map(line).collect()
}

/// `36 35 98:0 /root /mountpoint options optional... - kind source options`
fn line(line: &[u8]) -> Option<Mounted> {
    let mut words = line.split(|byte| *byte == b' ');
    let path = words.nth(4)?;
    let mut rest = words.skip_while(|word| *word != b"-");
    let kind = rest.nth(1)?;
    Some(Mounted {
        path: OsString::from_vec(unescape(path)).into(),
        kind: String::from_utf8_lossy(kind).into_owned(),
    })
}

/// Space, tab, newline and backslash are written as a backslash and three octal digits.
fn unescape(mut escaped: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(escaped.len());
    while let [first, rest @ ..] = escaped {
        let code = rest.get(..3).filter(|_| *first == b'\\').and_then(octal);
        plain.push(code.unwrap_or(*first));
        escaped = if code.is_some() { &rest[3..] } else { rest };
    }
    plain
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
        23 22 0:21 / /srv/my\\040media rw,nosuid - fuse.mediafs mediafs rw,user_id=0\n\
        24 22 0:22 / /home rw shared:2 master:3 - ext4 /dev/sdb rw\n\
        25 24 0:23 / /home rw - fuse.sshfs host: rw\n";

    #[test]
    fn mounts_are_read_with_their_names_as_they_are() {
        let mounts = parse(TEXT);
        assert_eq!(mounts.len(), 4);
        let media = at(Path::new("/srv/my media"), &mounts).expect("a mount");
        assert!(media.is_fuse() && media.kind == "fuse.mediafs");
        assert_eq!(at(Path::new("/srv"), &mounts), None);
    }

    #[test]
    fn a_path_lies_on_the_nearest_and_latest_mount_above_it() {
        let mounts = parse(TEXT);
        let kind = |path| under(Path::new(path), &mounts).map(|mounted| mounted.kind.as_str());
        assert_eq!(kind("/srv/other"), Some("ext4"));
        assert_eq!(kind("/home/mary"), Some("fuse.sshfs"));
        assert_eq!(kind("/homes"), Some("ext4"));
    }

    #[test]
    fn the_mounts_of_this_machine_have_a_root() {
        let mounts = all().expect("mountinfo");
        assert!(at(Path::new("/"), &mounts).is_some());
    }
}
