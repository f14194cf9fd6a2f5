//! The container that HEIF images share (ISO/IEC 23008-12), AVIF among them, and the brands in its first box, which tell what
//! codes the pictures (ISO/IEC 14496-12, 4.3).

pub mod isobmff;

/// The brands of any HEIF image; a compatible brand then says what codes it.
const GENERIC: [&[u8; 4]; 2] = [b"mif1", b"msf1"];

/// Bytes of the first box that are looked at.
const MAX_BOX: usize = 256;

/// The major brand of a file that begins with an `ftyp` box.
pub fn major(bytes: &[u8]) -> Option<&[u8]> {
    if bytes.get(4..8)? != b"ftyp" {
        return None;
    }
    bytes.get(8..12)
}

/// Whether the file is a HEIF image with one of these brands.
pub fn is_image_of(bytes: &[u8], brands: &[&[u8; 4]]) -> bool {
    let is_one = |brand: &[u8]| brands.iter().any(|known| brand == *known);
    major(bytes)
        .is_some_and(|major| is_one(major) || is_generic(major) && compatible(bytes).any(is_one))
}

pub fn is_generic(major: &[u8]) -> bool {
    GENERIC.iter().any(|known| major == *known)
}

fn compatible(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let size = bytes.first_chunk().map_or(0, |size| u32::from_be_bytes(*size));
    let end = usize::try_from(size).unwrap_or(MAX_BOX).clamp(12, MAX_BOX).min(bytes.len());
    bytes.get(16..end).unwrap_or_default().chunks(4)
}
