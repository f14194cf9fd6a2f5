//! The size and orientation in the first directory of a TIFF, wherever that lies (TIFF 6.0, section 2; `BigTIFF` with its
//! 64-bit offsets).

use crate::exif::Orientation;
use crate::format::partial::{Found, PARTS_MAX, Partial, Stop};

const IMAGE_WIDTH: u16 = 256;
const IMAGE_LENGTH: u16 = 257;
const ORIENTATION: u16 = 274;
const SHORT: u16 = 3;
const LONG: u16 = 4;

pub fn read(source: &Partial<'_>, found: &mut Found) -> Result<(), Stop> {
    let directory = Directory::open(source)?;
    let (mut width, mut height) = (None, None);
    for entry in 0..directory.entries.min(u64::from(PARTS_MAX)) {
        let at = directory.first.checked_add(entry * directory.entry_size).ok_or(Stop::Corrupt)?;
        match directory.short(source, at)? {
            IMAGE_WIDTH => width = Some(directory.value(source, at)?),
            IMAGE_LENGTH => height = Some(directory.value(source, at)?),
            ORIENTATION => {
                let tag = u16::try_from(directory.value(source, at)?).unwrap_or_default();
                found.orientation = Orientation::from_tag(tag);
            }
            // Entries are sorted by tag.
            tag if tag > ORIENTATION => break,
            _ => {}
        }
    }
    let (Some(width), Some(height)) = (width, height) else { return Err(Stop::Corrupt) };
    found.size(width, height)
}

struct Directory {
    order: ByteOrder,
    entries: u64,
    /// The offset of the first entry.
    first: u64,
    entry_size: u64,
    /// The offset of the value in an entry.
    value_at: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum ByteOrder {
    Little,
    Big,
}

impl Directory {
    fn open(source: &Partial<'_>) -> Result<Self, Stop> {
        let [mark, _, second, third] = source.bytes(0)?;
        let order = if mark == b'I' { ByteOrder::Little } else { ByteOrder::Big };
        // 43, the version of a BigTIFF, in either byte order.
        let big = second == b'+' || third == b'+';
        let at =
            if big { order.long64(source.bytes(8)?) } else { order.long(source.bytes(4)?).into() };
        let past = at.checked_add(8).ok_or(Stop::Corrupt)?;
        Ok(if big {
            let entries = order.long64(source.bytes(at)?);
            Self { order, entries, first: past, entry_size: 20, value_at: 12 }
        } else {
            let entries = order.short(source.bytes(at)?).into();
            Self { order, entries, first: at + 2, entry_size: 12, value_at: 8 }
        })
    }

    fn short(&self, source: &Partial<'_>, at: u64) -> Result<u16, Stop> {
        Ok(self.order.short(source.bytes(at)?))
    }

    /// The value of an entry that holds one SHORT or LONG.
    fn value(&self, source: &Partial<'_>, at: u64) -> Result<u32, Stop> {
        let value = at.checked_add(self.value_at).ok_or(Stop::Corrupt)?;
        match self.short(source, at + 2)? {
            SHORT => Ok(self.short(source, value)?.into()),
            LONG => Ok(self.order.long(source.bytes(value)?)),
            _ => Err(Stop::Corrupt),
        }
    }
}

impl ByteOrder {
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
