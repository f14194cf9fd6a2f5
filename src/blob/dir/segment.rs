//! A segment of the log: one of its files.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::aligned::Aligned;
use super::record::{Epoch, Record};
use words::attachment::BlobKey;

/// The end of a segment's name. Segments are among the pending blobs. A web server may show the files of a store to clients that
/// know their names, and nobody can guess the name of a segment.
pub(super) const SUFFIX: &str = ".log";

/// The most epochs of one file: more than can ever be written, and too few for a guessed epoch to be among them.
const MOST_EPOCHS: Epoch = 1 << 48;

pub(super) struct Segment {
    pub file: Arc<File>,
    pub path: PathBuf,
    pub epoch: Epoch,
    /// Where the next record goes.
    pub end: u64,
    /// The blobs whose records are durable.
    pub keys: Vec<BlobKey>,
    /// When the first of them was written.
    pub since: Instant,
}

impl Segment {
    pub fn create(folder: &Path, epoch: Epoch) -> io::Result<Self> {
        let path = folder.join(format!("{epoch:032x}{SUFFIX}"));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let direct = i32::try_from(OFlags::DIRECT.bits()).map_err(io::Error::other)?;
        let file = match options.clone().custom_flags(direct).open(&path) {
            // Some filesystems have no direct I/O (`open(2)`), and may have made the file all the same.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => {
                options.create_new(false).create(true).open(&path)
            }
            opened => opened,
        };
        let (file, since) = (Arc::new(file?), Instant::now());
        Ok(Self { file, path, epoch, end: 0, keys: Vec::new(), since })
    }

    /// Notes that records at the end are durable.
    pub fn note(&mut self, records: &[Record]) {
        if self.keys.is_empty() {
            self.since = Instant::now();
        }
        self.end += size(records);
        self.keys.extend(records.iter().map(Record::key));
    }

    /// Empties the segment after its checkpoint: zeroes the first header. After a crash before this is durable, the next start
    /// replays the records and finds every blob in place.
    pub fn cleared(mut self) -> Self {
        if let Err(error) = write(&self.file, 0, &[IoSlice::new(Aligned::for_bytes(1).bytes())]) {
            tracing::debug!(%error, "an empty segment of a store's log is not marked as empty");
        }
        self.end = 0;
        self.keys.clear();
        self
    }
}

/// Whether a segment with this path may have had this epoch. Its name is its first epoch, and each further epoch is one higher.
pub(super) fn may_have_epoch(path: &Path, epoch: Epoch) -> bool {
    let first = path.file_stem().and_then(|name| Epoch::from_str_radix(name.to_str()?, 16).ok());
    first.is_some_and(|first| epoch.wrapping_sub(first) <= MOST_EPOCHS)
}

/// The length of some records.
pub(super) fn size(records: &[Record]) -> u64 {
    records.iter().map(Record::size).sum()
}

/// Writes records one behind the other. They count only once all of them are synced.
pub(super) fn write_records(file: &File, offset: u64, records: &[Record]) -> io::Result<()> {
    let slices: Vec<_> = records.iter().map(|record| IoSlice::new(record.bytes())).collect();
    write(file, offset, &slices)
}

fn write(file: &File, offset: u64, slices: &[IoSlice<'_>]) -> io::Result<()> {
    let whole: usize = slices.iter().map(|slice| slice.len()).sum();
    // A write is cut short where the disk is full.
    match rustix::io::pwritev(file, slices, offset)? {
        written if written == whole => Ok(()),
        _ => Err(io::ErrorKind::StorageFull.into()),
    }
}
