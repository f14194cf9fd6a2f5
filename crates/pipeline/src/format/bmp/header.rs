//! The size in the headers of a bitmap, which has no orientation.

use crate::format::partial::{Found, Partial, Stop};

pub fn read(source: &Partial<'_>, found: &mut Found) -> Result<(), Stop> {
    if source.bytes(14)? == 12_u32.to_le_bytes() {
        // The oldest kind, whose sides have 16 bits.
        return found
            .size(u16::from_le_bytes(source.bytes(18)?), u16::from_le_bytes(source.bytes(20)?));
    }
    // A negative height means that rows are stored from the top.
    let side = |at| Ok(i32::from_le_bytes(source.bytes(at)?).unsigned_abs());
    found.size(side(18)?, side(22)?)
}

/// Whether bytes are the beginning of a bitmap. `BM` begins many a text; a bitmap's second header has one of few sizes.
pub fn sniff(bytes: &[u8]) -> bool {
    let size = bytes.get(14..18);
    bytes.starts_with(b"BM") && matches!(size, Some([12 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0]))
}
