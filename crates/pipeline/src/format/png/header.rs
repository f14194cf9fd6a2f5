//! The size and orientation in the chunks of a PNG.

use crate::format::partial::{Found, PARTS_MAX, Partial, Stop};

/// Walks the chunks up to the pixels: EXIF behind them is not looked for.
pub fn read(source: &Partial<'_>, found: &mut Found) -> Result<(), Stop> {
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
