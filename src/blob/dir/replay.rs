//! Replay: what a log of the last run holds is put back where a crash took it away.
//! Does not know what of it is needed: all of it is pending again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, MemfdFlags, SealFlags, fadvise, fcntl_add_seals, memfd_create};
use rustix::io::Errno;

use super::disk::Reach;
use super::folders::Folders;
use super::part::SUFFIX;
use super::record::{Header, LARGEST};
use super::{failure, is_full, link, nameless, open_to_read};
use crate::attachment::BlobKey;
use crate::blob::Error;
use crate::digest::Digest;

/// Puts back what is missing or not whole, makes all durable, and removes the logs. Without room for something its log stays
/// for the next start.
pub(super) fn replay(folders: &Folders) -> Result<(), Error> {
    for path in logs(folders).map_err(Error::Pending)? {
        let log = File::open(&path).map_err(Error::Pending)?;
        let mut restored = Vec::new();
        let mut is_done = true;
        for (offset, header) in headers(&log) {
            let key = header.key;
            match restore(folders, &header, || header.bytes_at(&log, offset)) {
                Ok(()) => restored.push(key),
                Err(error) if is_full(&error) => {
                    tracing::error!(%key, "no room to restore a blob; make room and start again");
                    is_done = false;
                }
                Err(error) => return Err(failure(key, "restore it", error)),
            }
        }
        folders.settle(&restored).map_err(Error::Pending)?;
        if is_done {
            fs::remove_file(&path).map_err(Error::Pending)?;
        }
    }
    Ok(())
}

/// What a log holds of blobs that are missing or not whole where they should lie, for who only reads.
pub(super) fn missing(folders: &Folders) -> io::Result<BTreeMap<BlobKey, File>> {
    let mut found = BTreeMap::new();
    for path in logs(folders)? {
        // The daemon may remove it meanwhile.
        let Ok(log) = File::open(path) else { continue };
        for (offset, header) in headers(&log) {
            if !is_whole(folders, header.key, |_| Ok(()))
                && let Some(bytes) = header.bytes_at(&log, offset)
            {
                found.insert(header.key, sealed(&bytes)?);
            }
        }
    }
    Ok(found)
}

fn logs(folders: &Folders) -> io::Result<Vec<PathBuf>> {
    let is_log = |path: &PathBuf| path.to_str().is_some_and(|path| path.ends_with(SUFFIX));
    match fs::read_dir(folders.pending()) {
        Ok(entries) => {
            let paths: io::Result<Vec<_>> = entries.map(|it| it.map(|it| it.path())).collect();
            Ok(paths?.into_iter().filter(is_log).collect())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The records of the lap that the log begins with, one behind the other.
fn headers(log: &File) -> Vec<(u64, Header)> {
    let mut found = Vec::new();
    let mut offset = 0;
    let mut lap = None;
    while let Some(header) = Header::read_at(log, offset)
        && *lap.get_or_insert(header.lap) == header.lap
    {
        found.push((offset, header));
        offset += header.size();
    }
    found
}

fn restore(
    folders: &Folders,
    header: &Header,
    bytes: impl FnOnce() -> Option<Vec<u8>>,
) -> io::Result<()> {
    let key = header.key;
    let (own, pending) = (folders.path(key), folders.pending_path(key));
    let synced = |file: &File| folders.disk.try_sync(Reach::Whole, file);
    if is_whole(folders, key, synced) {
        return name(&open_to_read(&own)?, &pending);
    }
    // The last record may not be whole: nobody was told of it.
    let Some(bytes) = bytes() else { return Ok(()) };
    tracing::info!(%key, "a blob is put back from the log");
    let file = nameless(&folders.pending())?;
    file.write_all_at(&bytes, 0)?;
    for name in [&own, &pending] {
        remove(name)?;
    }
    name(&file, &pending)?;
    folders.make_directory(key)?;
    name(&file, &own)
}

/// Whether the disk has all bytes of a blob. What the kernel remembers of them is forgotten first: after a sync that failed it
/// takes for written what is not.
fn is_whole(folders: &Folders, key: BlobKey, sync: impl FnOnce(&File) -> io::Result<()>) -> bool {
    let Ok(file) = open_to_read(&folders.path(key)) else { return false };
    let mut bytes = Vec::new();
    let read = sync(&file).and_then(|()| {
        fadvise(&file, 0, None, Advice::DontNeed)?;
        (&file).take(LARGEST + 1).read_to_end(&mut bytes)
    });
    read.is_ok() && Digest::of(&bytes) == key.digest
}

/// Looks whether the disk has these blobs, where they were not deleted. If not, the fence is raised.
pub(super) fn check(folders: &Folders, keys: &[BlobKey]) -> io::Result<()> {
    for key in keys {
        if !is_whole(folders, *key, |_| Ok(())) && folders.path(*key).try_exists()? {
            return Err(io::Error::other(format!("blob {key} is not on the disk")));
        }
    }
    Ok(())
}

/// Gives it a name that it may have already.
fn name(file: &File, path: &Path) -> io::Result<()> {
    match link(file, path) {
        Err(Errno::EXIST) => Ok(()),
        named => Ok(named?),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sealed(bytes: &[u8]) -> io::Result<File> {
    let file: File = memfd_create("blob", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?.into();
    file.write_all_at(bytes, 0)?;
    fcntl_add_seals(
        &file,
        SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL,
    )?;
    Ok(file)
}
