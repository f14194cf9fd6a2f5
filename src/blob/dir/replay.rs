//! Replay: a start restores from the log the blobs that a crash took. All of them are pending again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::checkpoint::{FEW, is_intact, make_durable};
use super::disk::Reach;
use super::file::{BLOB_MODE, is_full, open_to_read};
use super::folders::{Folders, entries, if_exists};
use super::scan::{Logged, Scan};
use super::segment::SUFFIX;
use crate::blob::Error;
use crate::fd;
use words::attachment::BlobKey;

/// Blobs that only the log has.
pub(super) type Missing = BTreeMap<BlobKey, Logged>;

/// Restores the blobs that are missing or damaged, makes all blobs of the log durable, and removes its segments. Returns the
/// blobs that could not be restored; their segments stay for the next start.
pub(super) fn replay(folders: &Folders) -> Result<Missing, Error> {
    let root = File::open(&folders.root).map_err(Error::Pending)?;
    let mut segments = Vec::new();
    for path in segments_of(folders).map_err(Error::Pending)? {
        let synced = File::open(&path).and_then(|file| folders.disk.try_sync(Reach::Bytes, &file));
        match synced.and_then(|()| Scan::of(&path)) {
            Ok(scan) => segments.push((path, scan)),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "a log of the store cannot be read; it stays for the next start");
            }
        }
    }
    let count: usize = segments.iter().map(|(_, scan)| scan.records.len()).sum();
    // The page cache may still have blobs to write. If their sync together fails, each blob is synced by itself.
    let is_synced = count > FEW && folders.disk.try_sync(Reach::Everything, &root).is_ok();
    let mut replayed = Replayed::default();
    let mut done = Vec::new();
    for (path, scan) in segments {
        if replayed.restore_all(folders, &path, scan, is_synced) {
            done.push(path);
        }
    }
    make_durable(folders, &root, &replayed.restored).map_err(Error::NotDurable)?;
    for path in done {
        fs::remove_file(path).map_err(Error::Pending)?;
    }
    Ok(replayed.missing)
}

/// The blobs of the log that are missing or damaged at their paths, for a reader.
pub(super) fn missing(folders: &Folders) -> io::Result<Missing> {
    let mut found = Missing::new();
    for path in segments_of(folders)? {
        // The daemon may remove the segment meanwhile.
        let Ok(scan) = Scan::of(&path) else { continue };
        let lost = scan.records.into_iter().filter(|it| !is_intact(folders, it.header.key));
        found.extend(lost.map(|logged| (logged.header.key, logged)));
    }
    Ok(found)
}

fn segments_of(folders: &Folders) -> io::Result<Vec<PathBuf>> {
    let paths = entries(&folders.pending())?.map(|entry| entry.map(|it| it.path()));
    let mut paths = paths.collect::<io::Result<Vec<_>>>()?;
    paths.retain(|path| path.to_str().is_some_and(|path| path.ends_with(SUFFIX)));
    Ok(paths)
}

/// The blobs of all segments.
#[derive(Default)]
struct Replayed {
    restored: Vec<BlobKey>,
    missing: Missing,
}

impl Replayed {
    /// Restores the blobs of a segment. Returns whether the segment can be removed once they are durable.
    fn restore_all(&mut self, folders: &Folders, path: &Path, scan: Scan, is_synced: bool) -> bool {
        let mut is_done = scan.unread.is_none();
        if let Some(error) = scan.unread {
            tracing::error!(path = %path.display(), %error, "a part of a store's log cannot be read; what is in it may be missing, and the log stays for the next start");
        }
        for logged in scan.records {
            let key = logged.header.key;
            match restore(folders, &logged, is_synced) {
                Ok(true) => self.restored.push(key),
                Ok(false) => {
                    tracing::warn!(%key, "the record of a blob in the store's log is not whole: nobody was told that it is stored, unless the disk has changed it since");
                }
                Err(error) => {
                    let way = if is_full(&error) { "make room" } else { "look at the disk" };
                    tracing::error!(%key, %error, "a blob cannot be put back; it is read from the store's log until the next start: {way}, and start again");
                    self.missing.insert(key, logged);
                    is_done = false;
                }
            }
        }
        is_done
    }
}

/// Restores the bytes and names that a blob lacks. Returns false if its record is damaged.
fn restore(folders: &Folders, logged: &Logged, is_synced: bool) -> io::Result<bool> {
    let key = logged.header.key;
    let (own, pending) = (folders.path(key), folders.pending_path(key));
    if (is_synced || sync(folders, &own).is_ok()) && is_intact(folders, key) {
        return name(&open_to_read(&own)?, &pending).map(|()| true);
    }
    let Some(bytes) = logged.bytes()? else {
        // A pending blob that the catalogue does not know is swept.
        if let Ok(file) = open_to_read(&own) {
            name(&file, &pending)?;
        }
        return Ok(false);
    };
    tracing::info!(%key, "a blob is put back from the log");
    let file = fd::nameless(&folders.pending(), BLOB_MODE)?;
    file.write_all_at(&bytes, 0)?;
    for name in [&own, &pending] {
        if_exists(fs::remove_file(name))?;
    }
    name(&file, &pending)?;
    folders.make_directory(key)?;
    name(&file, &own).map(|()| true)
}

fn sync(folders: &Folders, path: &Path) -> io::Result<()> {
    folders.disk.try_sync(Reach::Whole, &open_to_read(path)?)
}

/// Gives a file a name, unless something has it.
fn name(file: &File, path: &Path) -> io::Result<()> {
    match fd::link(file, path) {
        Err(Errno::EXIST) => Ok(()),
        named => Ok(named?),
    }
}
