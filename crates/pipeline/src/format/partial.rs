//! An image file of which the beginning is in memory: what a walk through its header reads, and what it finds.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use crate::exif::{self, Orientation};
use crate::job::Fault;
use words::dimensions::Dimensions;

/// Segments, chunks or entries that are looked at before a header counts as corrupt.
pub const PARTS_MAX: u32 = 4096;

/// Bytes of an EXIF structure that are looked at.
const EXIF_MAX: u64 = 64 << 10;

pub struct Partial<'a> {
    pub head: &'a [u8],
    /// The whole file. `None` while the bytes behind the beginning have not arrived.
    pub file: Option<&'a File>,
}

/// The reason for which a walk through a header ended early.
pub enum Stop {
    NeedMore,
    Truncated,
    Corrupt,
    /// A side is zero.
    NoSize,
    /// A finding that a decoder would make, too.
    Fault(Fault),
    Io(io::Error),
}

/// The findings in a header so far.
#[derive(Default)]
pub struct Found {
    stored: Option<Dimensions>,
    /// `None` while the bytes that were read do not tell.
    pub orientation: Option<Orientation>,
    /// The place of the EXIF structure, which may be longer than the file.
    exif: Option<Range<usize>>,
}

impl Found {
    /// The size with the orientation applied, as far as both were found.
    pub fn shown(&self) -> Option<Dimensions> {
        self.stored.map(|stored| self.orientation.unwrap_or_default().applied_to(stored))
    }

    /// Notes the size of the stored pixels; the first one counts. Errors: `NoSize` if a side is zero.
    pub fn size(&mut self, width: impl Into<u32>, height: impl Into<u32>) -> Result<(), Stop> {
        let size = Dimensions::new(width.into(), height.into());
        if size.pixels() == 0 {
            return Err(Stop::NoSize);
        }
        self.stored.get_or_insert(size);
        Ok(())
    }

    /// Notes the orientation in an EXIF structure, of which only the beginning is read; the first one counts.
    pub fn exif(&mut self, source: &Partial<'_>, at: u64, length: u64) -> Result<(), Stop> {
        let read = usize::try_from(length.min(EXIF_MAX)).map_err(|_| Stop::Corrupt)?;
        let mut structure = vec![0; read];
        source.fill(at, &mut structure)?;
        self.orientation.get_or_insert(exif::orientation(&structure));
        let offset = |at: u64| usize::try_from(at).unwrap_or(usize::MAX);
        self.exif.get_or_insert(offset(at)..offset(at.saturating_add(length)));
        Ok(())
    }

    /// The EXIF structure in the whole file, without the prefix of a JPEG.
    pub fn exif_of<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let structure = bytes.get(self.exif.clone()?)?;
        Some(structure.strip_prefix(exif::PREFIX).unwrap_or(structure))
    }
}

impl Partial<'_> {
    pub fn bytes<const N: usize>(&self, at: u64) -> Result<[u8; N], Stop> {
        let mut buffer = [0; N];
        self.fill(at, &mut buffer).map(|()| buffer)
    }

    /// As many bytes as the file has to have there. Errors: `Truncated` where it has fewer, before memory is taken for them.
    pub fn read(&self, at: u64, length: u64) -> Result<Vec<u8>, Stop> {
        if at.saturating_add(length) > self.length()?.unwrap_or(self.head.len() as u64) {
            return Err(if self.file.is_some() { Stop::Truncated } else { Stop::NeedMore });
        }
        let mut buffer = vec![0; usize::try_from(length).map_err(|_| Stop::Truncated)?];
        self.fill(at, &mut buffer)?;
        Ok(buffer)
    }

    /// The length of the file. `None` while more bytes may follow.
    pub fn length(&self) -> Result<Option<u64>, Stop> {
        let Some(file) = self.file else { return Ok(None) };
        let length = file.metadata().map_err(Stop::Io)?.len();
        Ok(Some(length.max(self.head.len() as u64)))
    }

    fn fill(&self, at: u64, buffer: &mut [u8]) -> Result<(), Stop> {
        let start = usize::try_from(at).unwrap_or(usize::MAX);
        let end = start.saturating_add(buffer.len());
        if let Some(bytes) = self.head.get(start..end) {
            buffer.copy_from_slice(bytes);
            return Ok(());
        }
        let file = self.file.ok_or(Stop::NeedMore)?;
        file.read_exact_at(buffer, at).map_err(|error| match error.kind() {
            // Offsets above i64::MAX, which a hostile header may name, are EINVAL.
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput => Stop::Truncated,
            _ => Stop::Io(error),
        })
    }
}
