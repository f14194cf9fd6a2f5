//! Replay: what a log of the last run holds is put back where a crash took it away.
//! Does not know what of it is needed: all of it is pending again.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::disk::Reach;
use super::folders::Folders;
use super::part::SUFFIX;
use super::scan::{Held, Scan};
use super::whole::{FEW, is_whole, make_durable};
use super::{BLOB_MODE, is_full, open_to_read};
use crate::blob::Error;
use crate::fd;
use words::attachment::BlobKey;

/// Blobs that only a log has.
pub(super) type Missing = BTreeMap<BlobKey, Held>;

/// Puts back what is missing or not whole, makes all durable, and removes the logs. What cannot be put back is returned, and its
/// log stays for the next start.
pub(super) fn replay(folders: &Folders) -> Result<Missing, Error> {
    let root = File::open(folders.root()).map_err(Error::Pending)?;
    let mut logs = Vec::new();
    for path in logs_of(folders).map_err(Error::Pending)? {
        let synced = File::open(&path).and_then(|log| folders.disk.try_sync(Reach::Bytes, &log));
        match synced.and_then(|()| Scan::of(&path)) {
            Ok(scan) => logs.push((path, scan)),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "a log of the store cannot be read; it stays for the next start");
            }
        }
    }
    let count: usize = logs.iter().map(|(_, scan)| scan.records.len()).sum();
    // What the kernel still has of the blobs is written first. Where that fails each of them is asked for by itself.
    let is_written = count > FEW && folders.disk.try_sync(Reach::Everything, &root).is_ok();
    let mut outcome = Outcome::default();
    let logs: Vec<_> = logs
        .into_iter()
        .map(|(path, scan)| (outcome.put_back(folders, &path, scan, is_written), path))
        .collect();
    make_durable(folders, &root, &outcome.restored).map_err(Error::Unsettled)?;
    for (_, path) in logs.iter().filter(|(is_done, _)| *is_done) {
        fs::remove_file(path).map_err(Error::Pending)?;
    }
    Ok(outcome.missing)
}

/// What a log holds of blobs that are missing or not whole where they should lie, for who only reads.
pub(super) fn missing(folders: &Folders) -> io::Result<Missing> {
    let mut found = Missing::new();
    for path in logs_of(folders)? {
        // The daemon may remove it meanwhile.
        let Ok(scan) = Scan::of(&path) else { continue };
        let lost = scan.records.into_iter().filter(|held| !is_whole(folders, held.header.key));
        found.extend(lost.map(|held| (held.header.key, held)));
    }
    Ok(found)
}

fn logs_of(folders: &Folders) -> io::Result<Vec<PathBuf>> {
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

/// What became of the blobs of all logs.
#[derive(Default)]
struct Outcome {
    restored: Vec<BlobKey>,
    missing: Missing,
}

impl Outcome {
    /// Puts back what a log holds. Whether the log is needed no more once that is durable.
    fn put_back(&mut self, folders: &Folders, path: &Path, scan: Scan, is_written: bool) -> bool {
        let mut is_done = scan.unread.is_none();
        if let Some(error) = scan.unread {
            tracing::error!(path = %path.display(), %error, "a part of a store's log cannot be read; what is in it may be missing, and the log stays for the next start");
        }
        for held in scan.records {
            let key = held.header.key;
            match restore(folders, &held, is_written) {
                Ok(true) => self.restored.push(key),
                Ok(false) => {
                    tracing::warn!(%key, "the record of a blob in the store's log is not whole: nobody was told that it is stored, unless the disk has changed it since");
                }
                Err(error) => {
                    let way = if is_full(&error) { "make room" } else { "look at the disk" };
                    tracing::error!(%key, %error, "a blob cannot be put back; it is read from the store's log until the next start: {way}, and start again");
                    self.missing.insert(key, held);
                    is_done = false;
                }
            }
        }
        is_done
    }
}

/// Gives a blob back what it misses of its bytes and names. False: its record is not whole.
fn restore(folders: &Folders, held: &Held, is_written: bool) -> io::Result<bool> {
    let key = held.header.key;
    let (own, pending) = (folders.path(key), folders.pending_path(key));
    if (is_written || sync(folders, &own).is_ok()) && is_whole(folders, key) {
        return name(&open_to_read(&own)?, &pending).map(|()| true);
    }
    let Some(bytes) = held.bytes()? else {
        // A sweep decides what becomes of what there is of it.
        if let Ok(file) = open_to_read(&own) {
            name(&file, &pending)?;
        }
        return Ok(false);
    };
    tracing::info!(%key, "a blob is put back from the log");
    let file = fd::nameless(&folders.pending(), BLOB_MODE)?;
    file.write_all_at(&bytes, 0)?;
    for name in [&own, &pending] {
        remove(name)?;
    }
    name(&file, &pending)?;
    folders.make_directory(key)?;
    name(&file, &own).map(|()| true)
}

fn sync(folders: &Folders, path: &Path) -> io::Result<()> {
    folders.disk.try_sync(Reach::Whole, &open_to_read(path)?)
}

/// Gives it a name that it may have already.
fn name(file: &File, path: &Path) -> io::Result<()> {
    match fd::link(file, path) {
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
