//! The size and orientation in the segments of a JPEG.

use crate::format::partial::{Found, PARTS_MAX, Partial, Stop};

/// Walks the segments up to the first scan, because EXIF may follow the frame header (ITU-T T.81, B.1).
pub fn read(source: &Partial<'_>, found: &mut Found) -> Result<(), Stop> {
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
fn segment(source: &Partial<'_>, at: u64, code: u8, found: &mut Found) -> Result<u64, Stop> {
    let length = u64::from(u16::from_be_bytes(source.bytes(at + 2)?));
    let body = length.checked_sub(2).ok_or(Stop::Corrupt)?;
    match code {
        // Tables, not frames.
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
