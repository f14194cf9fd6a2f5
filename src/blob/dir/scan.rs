//! Scan: the records that a log of blobs holds, also those behind one that was damaged.
//! Does not know which of them are still needed.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use super::pages::PAGE;
use super::part;
use super::record::Header;
use super::whole::forget;

/// What a log holds.
pub(super) struct Scan {
    pub records: Vec<Held>,
    /// Why a part of it could not be read, if so: more records may be there.
    pub unread: Option<io::Error>,
}

/// A blob in a log.
pub(super) struct Held {
    log: Arc<File>,
    offset: u64,
    pub header: Header,
}

impl Scan {
    /// The records of the lap that the log begins with, as the disk has them. Each begins at a page: behind one that was damaged
    /// the pages are looked at one by one. Nobody can guess the lap, so nothing that was sent is taken for a record.
    pub fn of(path: &Path) -> io::Result<Self> {
        let log = Arc::new(File::open(path)?);
        forget(&log)?;
        let mut scan = Self { records: Vec::new(), unread: None };
        if is_settled(&log) {
            return Ok(scan);
        }
        let (mut offset, end) = (0, log.metadata()?.len());
        while offset < end {
            let header = Header::read_at(&log, offset).unwrap_or_else(|error| {
                scan.unread = Some(error);
                None
            });
            let first = scan.records.first().map(|first| first.header.lap);
            let is_of_lap = |header: &Header| match first {
                Some(lap) => header.lap == lap,
                None => offset == 0 || part::has_lap(path, header.lap),
            };
            offset += match header.filter(is_of_lap) {
                Some(header) => {
                    scan.records.push(Held { log: Arc::clone(&log), offset, header });
                    header.size()
                }
                None => PAGE as u64,
            };
        }
        Ok(scan)
    }
}

impl Held {
    /// The blob, if its record is whole.
    pub fn bytes(&self) -> io::Result<Option<Vec<u8>>> {
        self.header.bytes_at(&self.log, self.offset)
    }

    /// A file of its own that holds the blob, for reading only.
    pub fn open(&self) -> io::Result<File> {
        let torn = || io::Error::other("its record in the store's log is not whole");
        sealed(&self.bytes()?.ok_or_else(torn)?)
    }
}

/// Nothing of a log that begins with zeros is needed.
fn is_settled(log: &File) -> bool {
    let mut page = [0; PAGE];
    log.read_at(&mut page, 0).is_ok() && page == [0; PAGE]
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
