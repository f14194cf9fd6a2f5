//! A part of the log: one of its files.
//! Does not know who waits for what is written there.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::pages::Pages;
use super::record::{Lap, Record};
use words::attachment::BlobKey;

/// Behind the name of a file of the log. It lies among what is pending, where nobody can guess its name: a web server may show
/// all that is in a store to whoever knows what it is called.
pub(super) const SUFFIX: &str = ".log";

/// Laps of a file: more than anybody writes, and fewer than could be guessed.
const MOST_LAPS: Lap = 1 << 48;

pub(super) struct Part {
    pub file: Arc<File>,
    pub path: PathBuf,
    pub lap: Lap,
    /// Where the next record goes.
    pub end: u64,
    /// The blobs whose records are durable.
    pub keys: Vec<BlobKey>,
    /// When the first of them came.
    pub since: Instant,
}

impl Part {
    pub fn create(folder: &Path, lap: Lap) -> io::Result<Self> {
        let path = folder.join(format!("{lap:032x}{SUFFIX}"));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let direct = i32::try_from(OFlags::DIRECT.bits()).map_err(io::Error::other)?;
        let file = match options.clone().custom_flags(direct).open(&path) {
            // Some filesystems cannot (`open(2)`); they may have made the file all the same.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => {
                options.create_new(false).create(true).open(&path)
            }
            opened => opened,
        };
        let (file, since) = (Arc::new(file?), Instant::now());
        Ok(Self { file, path, lap, end: 0, keys: Vec::new(), since })
    }

    /// The records from `offset` on are durable.
    pub fn took(&mut self, records: &[Record]) {
        if self.keys.is_empty() {
            self.since = Instant::now();
        }
        self.end += size(records);
        self.keys.extend(records.iter().map(Record::key));
    }

    /// Its records say nothing any more. Whoever starts before that is on the disk finds them once more, and that they are settled.
    pub fn emptied(mut self) -> Self {
        if let Err(error) = write(&self.file, 0, &[IoSlice::new(Pages::holding(1).bytes())]) {
            tracing::debug!(%error, "a settled log is not marked");
        }
        self.end = 0;
        self.keys.clear();
        self
    }
}

/// Whether a file of the log with this path may have been filled in this lap: it is called by its first, and they are counted.
pub(super) fn has_lap(path: &Path, lap: Lap) -> bool {
    let first = path.file_stem().and_then(|name| Lap::from_str_radix(name.to_str()?, 16).ok());
    first.is_some_and(|first| lap.wrapping_sub(first) <= MOST_LAPS)
}

/// Bytes that these take.
pub(super) fn size(records: &[Record]) -> u64 {
    records.iter().map(Record::size).sum()
}

/// Writes records one behind the other. They count when all of them are synced.
pub(super) fn write_records(file: &File, offset: u64, records: &[Record]) -> io::Result<()> {
    let slices: Vec<_> = records.iter().map(|record| IoSlice::new(record.bytes())).collect();
    write(file, offset, &slices)
}

fn write(file: &File, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<()> {
    let whole: usize = slices.iter().map(|slice| slice.len()).sum();
    // What is cut short found no room for the rest.
    match rustix::io::pwritev(file, slices, offset)? {
        written if written == whole => Ok(()),
        _ => Err(io::ErrorKind::StorageFull.into()),
    }
}
