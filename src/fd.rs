//! Open files on Linux: files without a name, names for open files, and copies that share disk blocks.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{
    AtFlags, CWD, MemfdFlags, OFlags, SealFlags, fcntl_add_seals, linkat, memfd_create,
};
use rustix::io::{Errno, retry_on_intr};

/// Bytes that are read at a time where the kernel cannot copy by itself.
const CHUNK: usize = 256 << 10;

/// A new empty file without a name, for reading and writing. It is gone with its last descriptor unless [`link`] names it.
pub fn nameless(folder: &Path, mode: u32) -> io::Result<File> {
    let unnamed = i32::try_from(OFlags::TMPFILE.bits()).map_err(io::Error::other)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(mode).custom_flags(unnamed).open(folder)
}

/// A file in memory with the bytes that `write` writes, sealed against changes.
pub fn sealed(write: impl FnOnce(&File) -> io::Result<()>) -> io::Result<File> {
    let file: File = memfd_create("blob", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?.into();
    write(&file)?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&file, seals)?;
    Ok(file)
}

/// Gives an open file a name. Through `/proc`, because linking a descriptor itself takes a privilege (`open(2)`, on
/// `O_TMPFILE`).
pub fn link(file: &File, path: &Path) -> rustix::io::Result<()> {
    linkat(CWD, itself(file), CWD, path, AtFlags::SYMLINK_FOLLOW)
}

/// Opens the file behind a descriptor again, for reading only and with a cursor of its own.
pub fn read_only(file: &File) -> io::Result<File> {
    File::open(itself(file))
}

/// The path of an open file, whatever its name.
fn itself(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Gives back the space that is allocated beyond the end of a file, which must not be written to meanwhile. Its times stay.
pub fn trim(file: &File) -> io::Result<()> {
    let meta = file.metadata()?;
    let writer = OpenOptions::new().write(true).open(itself(file))?;
    writer.set_len(meta.len())?;
    writer.set_modified(meta.modified()?)
}

/// Copies `length` bytes from the start of one file to the start of another, by reflink where the disk can.
pub fn copy(from: &File, to: &File, length: u64) -> io::Result<()> {
    if rustix::fs::ioctl_ficlone(to, from).is_ok() {
        return to.set_len(length);
    }
    let (mut read_at, mut write_at) = (0, 0);
    while read_at < length {
        let chunk = usize::try_from(length - read_at).unwrap_or(usize::MAX).min(1 << 30);
        let ranges = (Some(&mut read_at), Some(&mut write_at));
        match rustix::fs::copy_file_range(from.as_fd(), ranges.0, to.as_fd(), ranges.1, chunk) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) | Err(Errno::INTR) => {}
            // Two filesystems, one that cannot copy, or a sandbox that forbids it: the rest is read and written.
            Err(Errno::XDEV | Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS | Errno::PERM) => {
                return copy_by_hand(from, to, read_at, length);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn copy_by_hand(from: &File, to: &File, start: u64, length: u64) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut at = start;
    while at < length {
        let count = from.read_at(&mut buffer, at)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all_at(&buffer[..count], at)?;
        at += count as u64;
    }
    Ok(())
}

/// Waits up to `patience` until a descriptor is readable. Returns whether it is.
pub fn await_readable(descriptor: impl AsFd, patience: Duration) -> io::Result<bool> {
    let patience = Timespec::try_from(patience).ok();
    let mut events = [PollFd::new(&descriptor, PollFlags::IN)];
    Ok(retry_on_intr(|| poll(&mut events, patience.as_ref()))? > 0)
}

/// Random bytes from the kernel.
pub fn random<const LENGTH: usize>() -> io::Result<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_whole_whatever_the_filesystems() {
        let folder = tempfile::tempdir().expect("a folder");
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let from = nameless(folder.path(), 0o600).expect("a file");
        from.write_all_at(&bytes, 0).expect("written");
        let to = nameless(folder.path(), 0o600).expect("a file");
        copy(&from, &to, bytes.len() as u64).expect("copied");
        copy_by_hand(&from, &to, 500, bytes.len() as u64).expect("copied");
        let mut read = vec![0; bytes.len()];
        to.read_exact_at(&mut read, 0).expect("read");
        assert_eq!(read, bytes);
    }
}
