//! BMP, read by the `image` crate to become another format.

use std::io::Cursor;

use image::ImageDecoder;
use image::codecs::bmp::BmpDecoder;

use super::codec::Codec;
use super::image_crate::{self, fault};
use super::partial::{Found, Partial, Stop};
use super::survey::Profile;
use crate::job::Fault;
use words::media_type::Format;

pub static CODEC: Codec = Codec {
    format: Format::Bmp,
    beginnings: &[b"BM"],
    sniff,
    header,
    walk: |bytes, limits| image_crate::survey(open(bytes)?, limits),
    strip: |bytes, _| Ok(bytes.to_vec()),
    repaired: |_, _| None,
    place_exif: None,
    verify: |source| image_crate::picture(open(source.bytes)?, source).map(|_| Profile::Kept),
    picture: |source, _| image_crate::picture(open(source.bytes)?, source),
    frames: None,
    planar: None,
    encode: None,
};

/// Whether bytes are the beginning of a bitmap. `BM` begins many a text; a bitmap's second header has one of few sizes.
fn sniff(bytes: &[u8]) -> bool {
    let size = bytes.get(14..18);
    bytes.starts_with(b"BM") && matches!(size, Some([12 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0]))
}

/// Reads the size. A bitmap has no orientation.
fn header(source: &Partial<'_>, found: &mut Found) -> Result<(), Stop> {
    if source.bytes(14)? == 12_u32.to_le_bytes() {
        // The oldest kind, whose sides have 16 bits.
        return found
            .size(u16::from_le_bytes(source.bytes(18)?), u16::from_le_bytes(source.bytes(20)?));
    }
    // A negative height means that rows are stored from the top.
    let side = |at| Ok(i32::from_le_bytes(source.bytes(at)?).unsigned_abs());
    found.size(side(18)?, side(22)?)
}

fn open(bytes: &[u8]) -> Result<impl ImageDecoder + '_, Fault> {
    BmpDecoder::new(Cursor::new(bytes)).map_err(|error| fault(&error))
}
