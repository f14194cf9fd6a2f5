//! The size and orientation in the chunks of a WebP.

use crate::format::partial::{Found, PARTS_MAX, Partial, Stop};

/// The flag of a VP8X chunk that announces an EXIF chunk.
const HAS_EXIF: u8 = 0x08;

pub fn read(source: &Partial<'_>, found: &mut Found) -> Result<(), Stop> {
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
        b"VP8X" => extended(source, found),
        _ => Err(Stop::Corrupt),
    }
}

/// Reads the canvas size of an extended file and walks its chunks to the EXIF that its flags announce.
fn extended(source: &Partial<'_>, found: &mut Found) -> Result<(), Stop> {
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
