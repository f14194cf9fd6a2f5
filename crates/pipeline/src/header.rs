//! The header of an image: format, size as shown, and nothing decoded.
//! Does not know rules; does not promise that the image behind the header is whole.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::container;
use crate::exif::{self, Orientation};
use crate::identify::identify;
use crate::job::Fault;
use words::dimensions::Dimensions;
use words::media_type::{Format, MediaType};

/// Segments, chunks or entries looked at before a header counts as corrupt.
const PARTS_MAX: u32 = 4096;

/// Bytes of an EXIF structure that are looked at.
const EXIF_MAX: u64 = 64 << 10;

/// What the beginning of a file says of the image in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    /// The bytes so far do not tell.
    NeedMore,
    Image {
        format: Format,
        /// As shown: the EXIF orientation is applied as far as it was found.
        dimensions: Dimensions,
        turn: Turn,
    },
    /// No image, or one of a format that is not looked into.
    NotAnImage(MediaType),
    /// An image by its signature whose size cannot be found.
    Broken(Flaw),
}

/// Whether the orientation is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The dimensions are final.
    Settled,
    /// Bytes still to come may hold an orientation that swaps the sides.
    Open,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    Truncated,
    Corrupt,
}

/// Reads the header from a beginning; `End` says whether more may come.
pub fn of_prefix(prefix: &[u8], end: End) -> Header {
    let rest = match end {
        End::Open => Rest::Later,
        End::Whole => Rest::Nothing,
    };
    // A source in memory has no I/O that could fail.
    read(&Source { head: prefix, rest }).unwrap_or(Header::Broken(Flaw::Truncated))
}

/// Reads the header of a whole file whose beginning is in memory already, with as few reads as the format needs.
pub fn of_file(head: &[u8], file: &File) -> io::Result<Header> {
    read(&Source { head, rest: Rest::File(file) })
}

/// Whether bytes are a beginning or all there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Open,
    Whole,
}

struct Source<'a> {
    head: &'a [u8],
    rest: Rest<'a>,
}

enum Rest<'a> {
    Nothing,
    Later,
    File(&'a File),
}

/// Why a walk through a header ended early.
enum Stop {
    NeedMore,
    Truncated,
    Corrupt,
    Io(io::Error),
}

#[derive(Default)]
struct Found {
    stored: Option<Dimensions>,
    orientation: Option<Orientation>,
}

fn read(source: &Source<'_>) -> io::Result<Header> {
    let media_type = identify(source.head);
    let Some(format) = media_type.format() else { return Ok(not_an_image(source, media_type)) };
    let mut found = Found::default();
    let walked = match format {
        Format::Jpeg => jpeg(source, &mut found),
        Format::Png => png(source, &mut found),
        Format::Gif => gif(source, &mut found),
        Format::Webp => webp(source, &mut found),
        Format::Avif => avif(source, &mut found),
        Format::Bmp => bmp(source, &mut found),
        Format::Tiff => tiff(source, &mut found),
    };
    Ok(match (walked, found.shown()) {
        (Err(Stop::Io(error)), _) => return Err(error),
        (Err(Stop::NeedMore), None) => Header::NeedMore,
        (Err(Stop::NeedMore), Some(dimensions)) => {
            let turn = if found.orientation.is_some() { Turn::Settled } else { Turn::Open };
            Header::Image { format, dimensions, turn }
        }
        (_, Some(dimensions)) if dimensions.pixels() > 0 => {
            Header::Image { format, dimensions, turn: Turn::Settled }
        }
        (Err(Stop::Truncated), None) => Header::Broken(Flaw::Truncated),
        (_, _) => Header::Broken(Flaw::Corrupt),
    })
}

/// The longest signature of a readable format has 18 bytes (a bitmap's second header included). Fewer leave it open whether
/// this is an image only if one can begin like them.
fn not_an_image(source: &Source<'_>, media_type: MediaType) -> Header {
    let later = matches!(source.rest, Rest::Later) && source.head.len() < 18;
    let undecided = later && may_begin_an_image(source.head);
    if undecided { Header::NeedMore } else { Header::NotAnImage(media_type) }
}

/// Whether an image of a readable format can begin like this.
fn may_begin_an_image(head: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 8] =
        [b"\xFF\xD8\xFF", b"\x89PNG", b"GIF8", b"RIFF", b"BM", b"II*\0", b"MM\0*", b"\0\0\0"];
    BEGINNINGS.iter().any(|begins| head.starts_with(begins) || begins.starts_with(head))
}

impl Found {
    fn shown(&self) -> Option<Dimensions> {
        let swaps = self.orientation.unwrap_or_default().swaps_sides();
        self.stored.map(|stored| if swaps { stored.swapped() } else { stored })
    }

    fn size(&mut self, width: impl Into<u32>, height: impl Into<u32>) -> Result<(), Stop> {
        let size = Dimensions::new(width.into(), height.into());
        if size.pixels() == 0 {
            return Err(Stop::Corrupt);
        }
        self.stored.get_or_insert(size);
        Ok(())
    }

    fn exif(&mut self, structure: &[u8]) {
        self.orientation.get_or_insert(exif::orientation(structure));
    }
}

impl Source<'_> {
    fn fill(&self, at: u64, buffer: &mut [u8]) -> Result<(), Stop> {
        let start = usize::try_from(at).unwrap_or(usize::MAX);
        let end = start.saturating_add(buffer.len());
        if let Some(bytes) = self.head.get(start..end) {
            buffer.copy_from_slice(bytes);
            return Ok(());
        }
        match self.rest {
            Rest::Nothing => Err(Stop::Truncated),
            Rest::Later => Err(Stop::NeedMore),
            Rest::File(file) => {
                file.read_exact_at(buffer, at).map_err(|error| match error.kind() {
                    // Offsets above i64::MAX, which a hostile header may name, are EINVAL.
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput => Stop::Truncated,
                    _ => Stop::Io(error),
                })
            }
        }
    }

    fn bytes<const N: usize>(&self, at: u64) -> Result<[u8; N], Stop> {
        let mut buffer = [0; N];
        self.fill(at, &mut buffer).map(|()| buffer)
    }

    fn exif(&self, at: u64, length: u64) -> Result<Vec<u8>, Stop> {
        let mut buffer = vec![0; usize::try_from(length.min(EXIF_MAX)).map_err(|_| Stop::Corrupt)?];
        self.fill(at, &mut buffer).map(|()| buffer)
    }
}

/// Walks the segments up to the first scan, because EXIF may follow the frame header (ITU T.81, B.1).
fn jpeg(source: &Source<'_>, found: &mut Found) -> Result<(), Stop> {
    let mut at = 2;
    for _ in 0..PARTS_MAX {
        let [0xFF, code] = source.bytes(at)? else { return Err(Stop::Corrupt) };
        match code {
            0xFF => at += 1,
            0x01 | 0xD0..=0xD8 => at += 2,
            0xD9 | 0xDA => return Ok(()),
            _ => at = segment(source, at, code, found)?,
        }
    }
    Err(Stop::Corrupt)
}

/// Reads one segment and returns where the next begins.
fn segment(source: &Source<'_>, at: u64, code: u8, found: &mut Found) -> Result<u64, Stop> {
    let length = u64::from(u16::from_be_bytes(source.bytes(at + 2)?));
    let body = length.checked_sub(2).ok_or(Stop::Corrupt)?;
    match code {
        0xC4 | 0xC8 | 0xCC => {}
        0xC0..=0xCF => {
            let [high, low, wide, narrow] = source.bytes(at + 5)?;
            found.size(u16::from_be_bytes([wide, narrow]), u16::from_be_bytes([high, low]))?;
        }
        0xE1 if body >= 6 && source.bytes::<6>(at + 4)? == *b"Exif\0\0" => {
            found.exif(&source.exif(at + 4, body)?);
        }
        _ => {}
    }
    Ok(at + 2 + length)
}

fn png(source: &Source<'_>, found: &mut Found) -> Result<(), Stop> {
    if source.bytes::<8>(8)? != *b"\0\0\0\x0DIHDR" {
        return Err(Stop::Corrupt);
    }
    found.size(u32::from_be_bytes(source.bytes(16)?), u32::from_be_bytes(source.bytes(20)?))?;
    let mut at = 33;
    for _ in 0..PARTS_MAX {
        let length = u64::from(u32::from_be_bytes(source.bytes(at)?));
        match &source.bytes::<4>(at + 4)? {
            b"IDAT" | b"IEND" => return Ok(()),
            b"eXIf" => found.exif(&source.exif(at + 8, length)?),
            _ => {}
        }
        at += 12 + length;
    }
    Ok(())
}

fn gif(source: &Source<'_>, found: &mut Found) -> Result<(), Stop> {
    found.size(u16::from_le_bytes(source.bytes(6)?), u16::from_le_bytes(source.bytes(8)?))
}

fn webp(source: &Source<'_>, found: &mut Found) -> Result<(), Stop> {
    match &source.bytes::<4>(12)? {
        b"VP8 " => {
            if source.bytes::<3>(23)? != *b"\x9D\x01\x2A" {
                return Err(Stop::Corrupt);
            }
            let side = |at| Ok(u16::from_le_bytes(source.bytes(at)?) & 0x3FFF);
            found.size(side(26)?, side(28)?)
        }
        b"VP8L" => {
            let [0x2F] = source.bytes(20)? else { return Err(Stop::Corrupt) };
            let bits = u32::from_le_bytes(source.bytes(21)?);
            found.size((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1)
        }
        b"VP8X" => extended_webp(source, found),
        _ => Err(Stop::Corrupt),
    }
}

fn extended_webp(source: &Source<'_>, found: &mut Found) -> Result<(), Stop> {
    const HAS_EXIF: u8 = 0x08;
    let [flags] = source.bytes(20)?;
    let side = |at| {
        let [low, middle, high] = source.bytes(at)?;
        Ok(u32::from_le_bytes([low, middle, high, 0]) + 1)
    };
    found.size(side(24)?, side(27)?)?;
    if flags & HAS_EXIF == 0 {
        return Ok(());
    }
    let mut at = 30;
    for _ in 0..PARTS_MAX {
        let length = u64::from(u32::from_le_bytes(source.bytes(at + 4)?));
        if source.bytes::<4>(at)? == *b"EXIF" {
            found.exif(&source.exif(at + 8, length)?);
            return Ok(());
        }
        at += 8 + length + (length & 1);
    }
    Ok(())
}

/// The boxes that hold the size come first in what encoders write; a file that hides them deeper has no known size.
fn avif(source: &Source<'_>, found: &mut Found) -> Result<(), Stop> {
    match container::avif::shown_size(source.head) {
        Ok(Some(size)) => found.size(size.width, size.height),
        Ok(None) if matches!(source.rest, Rest::Later) => Err(Stop::NeedMore),
        Ok(None) | Err(Fault::Truncated(_)) => Err(Stop::Truncated),
        Err(_) => Err(Stop::Corrupt),
    }
}

fn bmp(source: &Source<'_>, found: &mut Found) -> Result<(), Stop> {
    if source.bytes(14)? == 12_u32.to_le_bytes() {
        return found
            .size(u16::from_le_bytes(source.bytes(18)?), u16::from_le_bytes(source.bytes(20)?));
    }
    // A negative height means that rows are stored from the top.
    let side = |at| Ok(i32::from_le_bytes(source.bytes(at)?).unsigned_abs());
    found.size(side(18)?, side(22)?)
}

/// The first directory, wherever it lies (TIFF 6.0, section 2; `BigTIFF` with its 64-bit offsets).
fn tiff(source: &Source<'_>, found: &mut Found) -> Result<(), Stop> {
    let tiff = Tiff::open(source)?;
    let (mut width, mut height) = (None, None);
    for entry in 0..tiff.entries.min(u64::from(PARTS_MAX)) {
        let at = tiff.first.checked_add(entry * tiff.entry_size).ok_or(Stop::Corrupt)?;
        match tiff.short(source, at)? {
            256 => width = Some(tiff.value(source, at)?),
            257 => height = Some(tiff.value(source, at)?),
            274 => {
                let tag = u16::try_from(tiff.value(source, at)?).unwrap_or_default();
                found.orientation = Orientation::from_tag(tag);
            }
            // Entries are sorted by tag.
            275.. => break,
            _ => {}
        }
    }
    let (Some(width), Some(height)) = (width, height) else { return Err(Stop::Corrupt) };
    found.size(width, height)
}

struct Tiff {
    order: Order,
    entries: u64,
    /// Where the first entry lies.
    first: u64,
    entry_size: u64,
    /// Where an entry's value lies within it.
    value_at: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    Little,
    Big,
}

impl Tiff {
    fn open(source: &Source<'_>) -> Result<Self, Stop> {
        let [mark, _, second, third] = source.bytes(0)?;
        let order = if mark == b'I' { Order::Little } else { Order::Big };
        let wide = second == b'+' || third == b'+';
        let at =
            if wide { order.long64(source.bytes(8)?) } else { order.long(source.bytes(4)?).into() };
        let past = at.checked_add(8).ok_or(Stop::Corrupt)?;
        Ok(if wide {
            let entries = order.long64(source.bytes(at)?);
            Self { order, entries, first: past, entry_size: 20, value_at: 12 }
        } else {
            let entries = order.short(source.bytes(at)?).into();
            Self { order, entries, first: at + 2, entry_size: 12, value_at: 8 }
        })
    }

    fn short(&self, source: &Source<'_>, at: u64) -> Result<u16, Stop> {
        Ok(self.order.short(source.bytes(at)?))
    }

    /// The value of an entry that holds one SHORT or LONG.
    fn value(&self, source: &Source<'_>, at: u64) -> Result<u32, Stop> {
        let value = at.checked_add(self.value_at).ok_or(Stop::Corrupt)?;
        match self.short(source, at + 2)? {
            3 => Ok(self.short(source, value)?.into()),
            4 => Ok(self.order.long(source.bytes(value)?)),
            _ => Err(Stop::Corrupt),
        }
    }
}

impl Order {
    fn short(self, bytes: [u8; 2]) -> u16 {
        if self == Self::Little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) }
    }

    fn long(self, bytes: [u8; 4]) -> u32 {
        if self == Self::Little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }
    }

    fn long64(self, bytes: [u8; 8]) -> u64 {
        if self == Self::Little { u64::from_le_bytes(bytes) } else { u64::from_be_bytes(bytes) }
    }
}

#[cfg(test)]
mod tests;
