//! What Linux does with an open file beyond the standard library: files without a name, names for them, copies, random bytes.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat};
use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

/// Bytes that [`copy`] moves at a time where the kernel cannot copy by itself.
const BUFFER: usize = 256 << 10;

/// The path of an open file in `/proc`, which leads to it even after it has lost its name.
pub fn path(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Opens a new file without a name, for reading and writing, with mode 0600 (`O_TMPFILE`).
/// Errors: `EOPNOTSUPP` or `EISDIR` if the filesystem of the folder has no such files.
pub fn unnamed(folder: &Path) -> io::Result<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    Ok(rustix::fs::open(folder, flags, Mode::RUSR | Mode::WUSR)?.into())
}

/// Opens the file once more, for reading alone.
pub fn reopen(file: &File) -> io::Result<File> {
    File::open(path(file))
}

/// Gives an open file a name. Goes through `/proc`, because linking a descriptor itself takes a privilege (`open(2)`, on
/// `O_TMPFILE`).
pub fn link(file: &File, name: &Path) -> rustix::io::Result<()> {
    linkat(CWD, path(file), CWD, name, AtFlags::SYMLINK_FOLLOW)
}

/// Frees the space that is allocated beyond the end of a file, which nobody may write to meanwhile. Keeps its times.
pub fn trim(file: &File) -> io::Result<()> {
    let meta = file.metadata()?;
    let writer = OpenOptions::new().write(true).open(path(file))?;
    writer.set_len(meta.len())?;
    writer.set_modified(meta.modified()?)
}

/// Copies `length` bytes from the start of one file to the start of another: by reflink where the filesystem can.
pub fn copy(from: &File, to: &File, length: u64) -> io::Result<()> {
    if rustix::fs::ioctl_ficlone(to, from).is_ok() {
        return to.set_len(length);
    }
    let (mut read_at, mut write_at) = (0, 0);
    while read_at < length {
        let chunk = usize::try_from(length - read_at).unwrap_or(usize::MAX).min(1 << 30);
        let (source, target) = (Some(&mut read_at), Some(&mut write_at));
        match rustix::fs::copy_file_range(from.as_fd(), source, to.as_fd(), target, chunk) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            // Another filesystem, or one that cannot: by hand from where it stopped.
            Err(Errno::XDEV | Errno::OPNOTSUPP | Errno::INVAL) => {
                return copy_by_hand(from, to, read_at, length);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn copy_by_hand(from: &File, to: &File, start: u64, length: u64) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    let mut at = start;
    while at < length {
        let wanted = usize::try_from(length - at).unwrap_or(usize::MAX).min(BUFFER);
        let count = from.read_at(&mut buffer[..wanted], at)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all_at(&buffer[..count], at)?;
        at += count as u64;
    }
    Ok(())
}

/// Bytes from the kernel's random number generator.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let filled = getrandom(&mut bytes, GetRandomFlags::empty())?;
    // getrandom(2) fills up to 256 bytes whole.
    if filled == N { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_without_a_name_gets_one_and_its_space_beyond_the_end_back() {
        let folder = tempfile::tempdir().expect("a directory");
        let mut file = unnamed(folder.path()).expect("a file");
        file.write_all(b"bytes").expect("written");
        let extent = rustix::fs::FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(&file, extent, 0, 1 << 20).expect("allocated");
        trim(&file).expect("trimmed");
        link(&file, &folder.path().join("name")).expect("linked");
        assert_eq!(fs::read(folder.path().join("name")).expect("read"), b"bytes");
        assert_eq!(fs::read(path(&reopen(&file).expect("open"))).expect("read"), b"bytes");
        assert!(link(&file, &folder.path().join("name")).is_err_and(|it| it == Errno::EXIST));
    }

    #[test]
    fn a_copy_has_the_first_bytes_and_a_source_that_is_too_short_is_an_error() {
        let mut from = tempfile::tempfile().expect("a file");
        from.write_all(b"twelve bytes").expect("written");
        for copy in [copy, |from: &File, to: &File, length| copy_by_hand(from, to, 0, length)] {
            let to = tempfile::tempfile().expect("a file");
            copy(&from, &to, 6).expect("copied");
            assert_eq!(fs::read(path(&to)).expect("read"), b"twelve");
        }
        let to = tempfile::tempfile().expect("a file");
        assert!(copy_by_hand(&from, &to, 0, 13).is_err());
    }
}
