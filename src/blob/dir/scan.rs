//! The scan of a segment after a crash: finds its records, also those behind a damaged one.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use super::aligned::PAGE;
use super::file::drop_cached;
use super::record::Header;
use super::segment;
use crate::fd;

/// The records of a segment.
pub(super) struct Scan {
    pub records: Vec<Logged>,
    /// Why some pages could not be read, if so. They may have further records.
    pub unread: Option<io::Error>,
}

/// The record of a blob, in a segment.
pub(super) struct Logged {
    segment: Arc<File>,
    offset: u64,
    pub header: Header,
}

impl Scan {
    /// The records of the epoch of the first one, as the disk has them. A record begins at a page: behind a damaged one the pages
    /// are read one by one until the next header.
    pub fn of(path: &Path) -> io::Result<Self> {
        let segment = Arc::new(File::open(path)?);
        drop_cached(&segment)?;
        let mut scan = Self { records: Vec::new(), unread: None };
        if is_cleared(&segment) {
            return Ok(scan);
        }
        let (mut offset, end) = (0, segment.metadata()?.len());
        while offset < end {
            let header = Header::read_at(&segment, offset).unwrap_or_else(|error| {
                scan.unread = Some(error);
                None
            });
            let first = scan.records.first().map(|first| first.header.epoch);
            let is_of_epoch = |header: &Header| match first {
                Some(epoch) => header.epoch == epoch,
                None => offset == 0 || segment::may_have_epoch(path, header.epoch),
            };
            offset += match header.filter(is_of_epoch) {
                Some(header) => {
                    scan.records.push(Logged { segment: Arc::clone(&segment), offset, header });
                    header.size()
                }
                None => PAGE as u64,
            };
        }
        Ok(scan)
    }
}

impl Logged {
    /// The bytes of the blob. None if the record is damaged.
    pub fn bytes(&self) -> io::Result<Option<Vec<u8>>> {
        self.header.bytes_at(&self.segment, self.offset)
    }

    /// The blob as a file in memory, for reading only.
    pub fn open(&self) -> io::Result<File> {
        let damaged = || io::Error::other("its record in the store's log is not whole");
        let bytes = self.bytes()?.ok_or_else(damaged)?;
        fd::sealed(|file| file.write_all_at(&bytes, 0))
    }
}

/// Whether the segment begins with zeros: all its blobs are durable at their paths.
fn is_cleared(segment: &File) -> bool {
    let mut page = [0; PAGE];
    segment.read_at(&mut page, 0).is_ok() && page == [0; PAGE]
}
