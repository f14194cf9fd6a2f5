//! Decodes the kernel's flags and numbers into the tree's types.

use std::ffi::OsStr;

use fuser::{FileHandle, INodeNo, OpenAccMode, RenameFlags, Request, TimeOrNow};
use rustix::fs::{FileType, OFlags, SeekFrom, XattrFlags};

use crate::tree::request::{AttributeMode, Mode, NameIn, OpenFlags, RenameMode};
use crate::tree::{Caller, Error, Fh, Ino, Result};
use words::attachment::Amendment;
use words::timestamp::Timestamp;

/// The permission bits of `st_mode`. The tree keeps the set-ID bits of directories alone.
const PERMISSIONS: u32 = 0o7777;
/// lseek(2); glibc and the kernel agree on them for every architecture.
const SEEK_DATA: i32 = 3;
const SEEK_HOLE: i32 = 4;

pub fn caller(request: &Request) -> Caller {
    Caller { uid: request.uid(), gid: request.gid(), tid: request.pid() }
}

pub fn named(parent: INodeNo, name: &OsStr) -> NameIn<'_> {
    NameIn { parent: ino(parent), name }
}

pub fn ino(number: INodeNo) -> Ino {
    Ino(number.0)
}

pub fn fh(handle: FileHandle) -> Fh {
    Fh(handle.0)
}

pub fn open_flags(flags: i32) -> OpenFlags {
    let mode = match fuser::OpenFlags(flags).acc_mode() {
        OpenAccMode::O_RDONLY => Mode::Read,
        OpenAccMode::O_WRONLY => Mode::Write,
        OpenAccMode::O_RDWR => Mode::ReadWrite,
    };
    let flags = OFlags::from_bits_retain(flags.cast_unsigned());
    OpenFlags {
        mode,
        truncate: flags.contains(OFlags::TRUNC),
        exclusive: flags.contains(OFlags::EXCL),
    }
}

/// The permissions of a file to create. The kernel has usually applied the umask; applying it again changes nothing.
pub fn permissions(mode: u32, umask: u32) -> u32 {
    mode & PERMISSIONS & !umask
}

/// Whether `mknod` is asked for a regular file. A mode without a type means one too (mknod(2)).
pub fn is_regular(mode: u32) -> bool {
    mode & 0o170_000 == 0 || FileType::from_raw_mode(mode) == FileType::RegularFile
}

pub fn rename_mode(flags: RenameFlags) -> Result<RenameMode> {
    if flags == RenameFlags::RENAME_NOREPLACE {
        Ok(RenameMode::NoReplace)
    } else if flags == RenameFlags::RENAME_EXCHANGE {
        Ok(RenameMode::Exchange)
    } else if flags.is_empty() {
        Ok(RenameMode::Replace)
    } else {
        Err(Error::Invalid("this way of renaming is not known"))
    }
}

pub fn attribute_mode(flags: i32) -> AttributeMode {
    let flags = XattrFlags::from_bits_retain(flags.cast_unsigned());
    if flags.contains(XattrFlags::CREATE) {
        AttributeMode::Create
    } else if flags.contains(XattrFlags::REPLACE) {
        AttributeMode::Replace
    } else {
        AttributeMode::Set
    }
}

pub fn seek(offset: i64, whence: i32) -> Result<SeekFrom> {
    // lseek(2): ENXIO when the offset lies before the file, too.
    let offset = u64::try_from(offset).map_err(|_| Error::NoData)?;
    match whence {
        SEEK_DATA => Ok(SeekFrom::Data(offset)),
        SEEK_HOLE => Ok(SeekFrom::Hole(offset)),
        _ => Err(Error::Invalid("this way of seeking is the kernel's")),
    }
}

pub fn timestamp(time: TimeOrNow) -> Timestamp {
    match time {
        TimeOrNow::SpecificTime(time) => time.into(),
        TimeOrNow::Now => Timestamp::now(),
    }
}

/// The parts of `setattr` that `chmod`, `chown` and `utimens` change.
pub fn amendment(
    mode: Option<u32>,
    (uid, gid): (Option<u32>, Option<u32>),
    accessed: Option<TimeOrNow>,
    modified: Option<TimeOrNow>,
) -> Amendment {
    Amendment {
        uid,
        gid,
        mode: mode.map(|mode| mode & PERMISSIONS),
        accessed: accessed.map(timestamp),
        modified: modified.map(timestamp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_flags_carry_the_mode_the_truncation_and_the_exclusion() {
        let flags = |flags: OFlags| open_flags(flags.bits().cast_signed());
        assert_eq!(flags(OFlags::RDONLY), OpenFlags::default());
        let write = flags(OFlags::WRONLY | OFlags::TRUNC | OFlags::CREATE);
        assert_eq!(write, OpenFlags { mode: Mode::Write, truncate: true, exclusive: false });
        let both = flags(OFlags::RDWR | OFlags::EXCL | OFlags::NOFOLLOW);
        assert_eq!(both, OpenFlags { mode: Mode::ReadWrite, truncate: false, exclusive: true });
    }

    #[test]
    fn only_regular_files_are_made_by_mknod() {
        assert!(is_regular(0o644) && is_regular(0o100_644));
        for device in [0o010_644, 0o020_644, 0o060_644, 0o140_644, 0o120_644] {
            assert!(!is_regular(device), "{device:o}");
        }
    }

    #[test]
    fn unknown_ways_of_renaming_and_seeking_are_invalid() {
        assert!(matches!(rename_mode(RenameFlags::RENAME_EXCHANGE), Ok(RenameMode::Exchange)));
        assert!(matches!(rename_mode(RenameFlags::RENAME_NOREPLACE), Ok(RenameMode::NoReplace)));
        assert!(matches!(rename_mode(RenameFlags::RENAME_WHITEOUT), Err(Error::Invalid(_))));
        assert!(matches!(rename_mode(RenameFlags::all()), Err(Error::Invalid(_))));
        assert!(matches!(seek(7, SEEK_HOLE), Ok(SeekFrom::Hole(7))));
        assert!(matches!(seek(-1, SEEK_DATA), Err(Error::NoData)));
        assert!(matches!(seek(0, 0), Err(Error::Invalid(_))));
    }

    #[test]
    fn a_change_of_mode_never_carries_the_file_type() {
        let amendment = amendment(Some(0o106_640), (None, Some(5)), None, Some(TimeOrNow::Now));
        assert_eq!((amendment.mode, amendment.uid, amendment.gid), (Some(0o6640), None, Some(5)));
        assert!(amendment.modified.is_some() && amendment.accessed.is_none());
    }
}
