//! A record of the log: a header with the key of a blob, and the blob's bytes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use super::aligned::{Aligned, PAGE};
use words::attachment::{BlobKey, StoreId};
use words::digest::Digest;

/// The number of one use of a segment, from empty to full. A record of another epoch is left over from an earlier use and is not
/// read. Nobody can guess the number, so that bytes that a client sent cannot pose as a record.
pub(super) type Epoch = u128;

/// The length of the largest blob that goes through the log. A larger one is synced at its path as fast as it is written twice.
pub(super) const LARGEST: u64 = 256 << 10;

const MAGIC: &[u8; 8] = b"mediafs1";

const CHECKED: usize = 72;
const HEADER: usize = CHECKED + 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub epoch: Epoch,
    /// The key, whose store is always 0: a log does not know its store's number.
    pub key: BlobKey,
    pub length: u64,
}

/// A record as it is written, in full pages.
pub(super) struct Record {
    header: Header,
    pages: Aligned,
}

impl Record {
    /// Reads a blob into a record.
    pub fn read(key: BlobKey, file: &File, length: u64) -> io::Result<Self> {
        let header = Header { epoch: 0, key, length };
        let end = usize::try_from(length).map_err(io::Error::other)?.saturating_add(HEADER);
        let mut pages = Aligned::for_bytes(end);
        let bytes = pages.bytes_mut().get_mut(HEADER..end).ok_or(io::ErrorKind::InvalidInput)?;
        file.read_exact_at(bytes, 0)?;
        Ok(Self { header, pages })
    }

    pub fn key(&self) -> BlobKey {
        self.header.key
    }

    /// The length of the record.
    pub fn size(&self) -> u64 {
        self.header.size()
    }

    /// Writes the header with this epoch.
    pub fn set_epoch(&mut self, epoch: Epoch) {
        self.header.epoch = epoch;
        self.pages.bytes_mut()[..HEADER].copy_from_slice(&self.header.write());
    }

    pub fn bytes(&self) -> &[u8] {
        self.pages.bytes()
    }
}

impl Header {
    /// The header at an offset of a log, if a record begins there.
    pub fn read_at(log: &File, offset: u64) -> io::Result<Option<Self>> {
        let mut text = [0; HEADER];
        let is_there = read(log, &mut text, offset)?;
        Ok(Self::parse(&text).filter(|_| is_there))
    }

    /// The length of the record, in full pages.
    pub fn size(&self) -> u64 {
        let (header, page) = (HEADER as u64, PAGE as u64);
        self.length.saturating_add(header).div_ceil(page).saturating_mul(page)
    }

    /// The bytes of the blob, of the record at an offset. None if they do not have the digest of the key.
    pub fn bytes_at(&self, log: &File, offset: u64) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = vec![0; usize::try_from(self.length).map_err(io::Error::other)?];
        let is_there = read(log, &mut bytes, offset.saturating_add(HEADER as u64))?;
        Ok((is_there && Digest::of(&bytes) == self.key.digest).then_some(bytes))
    }

    fn write(&self) -> Vec<u8> {
        let Self { epoch, key, length } = self;
        let parts: [&[u8]; 5] = [
            MAGIC,
            &epoch.to_le_bytes(),
            key.digest.as_bytes(),
            &key.generation.to_le_bytes(),
            &length.to_le_bytes(),
        ];
        let checked = parts.concat();
        [checked.as_slice(), Digest::of(&checked).as_bytes()].concat()
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let (checked, check) = text.split_at(CHECKED);
        if Digest::of(checked).as_bytes().as_slice() != check {
            return None;
        }
        let rest = checked.strip_prefix(MAGIC)?;
        let (epoch, rest) = rest.split_first_chunk()?;
        let (digest, rest) = rest.split_first_chunk()?;
        let (generation, rest) = rest.split_first_chunk()?;
        let key = BlobKey {
            store: StoreId::default(),
            digest: Digest::from_bytes(*digest),
            generation: u64::from_le_bytes(*generation),
        };
        let length = u64::from_le_bytes(*rest.first_chunk()?);
        (length <= LARGEST).then_some(Self { epoch: u128::from_le_bytes(*epoch), key, length })
    }
}

/// Fills a buffer from the log. Returns false if the log ends before.
fn read(log: &File, bytes: &mut [u8], offset: u64) -> io::Result<bool> {
    match log.read_exact_at(bytes, offset) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        read => read.map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::contract::{file, key};

    #[test]
    fn a_record_is_read_as_it_was_written_and_a_damaged_one_is_not_read() {
        for bytes in [b"".as_slice(), b"hello", &vec![7; 50_000]] {
            let length = bytes.len() as u64;
            let mut record = Record::read(key(bytes), &file(bytes), length).unwrap();
            record.set_epoch(9);
            let text = record.bytes().to_vec();
            assert_eq!((text.len() as u64, text.len() % PAGE), (record.size(), 0));
            let log = file(&text);
            let header = Header::read_at(&log, 0).unwrap().unwrap();
            assert_eq!(header, Header { epoch: 9, key: key(bytes), length });
            assert_eq!(header.bytes_at(&log, 0).unwrap().as_deref(), Some(bytes));
            for at in [0, 20, HEADER - 1] {
                let mut changed = text.clone();
                changed[at] ^= 1;
                assert_eq!(Header::read_at(&file(&changed), 0).unwrap(), None, "{at}");
            }
            if length > 0 {
                let mut torn = text.clone();
                torn[HEADER] ^= 1;
                let torn = file(&torn);
                let header = Header::read_at(&torn, 0).unwrap().unwrap();
                assert_eq!(header.bytes_at(&torn, 0).unwrap(), None);
            }
        }
    }

    #[test]
    fn a_record_of_an_impossible_length_is_not_read() {
        for (length, is_one) in [(LARGEST, true), (LARGEST + 1, false), (u64::MAX, false)] {
            let header = Header { epoch: 1, key: key(b"x"), length };
            assert_eq!(Header::parse(&header.write()).is_some(), is_one, "{length}");
        }
    }
}
