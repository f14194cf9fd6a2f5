//! TIFF, of which the `image` crate reads the first page to become another format.

use std::io::Cursor;

use image::ImageDecoder;
use image::codecs::tiff::TiffDecoder;

use super::codec::Codec;
use super::image_crate::{self, fault};
use super::partial::{Found, PARTS_MAX, Partial, Stop};
use super::survey::Profile;
use crate::exif::Orientation;
use crate::job::Fault;
use words::media_type::Format;

/// In both byte orders; with 64-bit offsets (`BigTIFF`), too.
const SIGNATURES: [&[u8]; 4] = [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"];

pub static CODEC: Codec = Codec {
    format: Format::Tiff,
    beginnings: &SIGNATURES,
    sniff: |bytes| SIGNATURES.iter().any(|signature| bytes.starts_with(signature)),
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

fn open(bytes: &[u8]) -> Result<impl ImageDecoder + '_, Fault> {
    TiffDecoder::new(Cursor::new(bytes)).map_err(|error| fault(&error))
}

const IMAGE_WIDTH: u64 = 256;
const IMAGE_LENGTH: u64 = 257;
const ORIENTATION: u64 = 274;
const SHORT: u64 = 3;
const LONG: u64 = 4;

/// Reads the size and the orientation in the first directory, wherever that lies (TIFF 6.0, section 2).
fn header(source: &Partial<'_>, found: &mut Found) -> Result<(), Stop> {
    let [mark, _, second, third] = source.bytes(0)?;
    let numbers = Numbers { source, little: mark == b'I' };
    // 43, the version of a BigTIFF, in either byte order.
    let big = second == b'+' || third == b'+';
    let directory = if big { numbers.at::<8>(8)? } else { numbers.at::<4>(4)? };
    let past = directory.checked_add(8).ok_or(Stop::Corrupt)?;
    let (entries, first, entry_size, value_at) = if big {
        (numbers.at::<8>(directory)?, past, 20, 12)
    } else {
        (numbers.at::<2>(directory)?, directory + 2, 12, 8)
    };
    // The value of an entry that holds one SHORT or LONG.
    let value = |at: u64| match numbers.at::<2>(at + 2)? {
        SHORT => numbers.at::<2>(at + value_at),
        LONG => numbers.at::<4>(at + value_at),
        _ => Err(Stop::Corrupt),
    };
    let (mut width, mut height) = (0, 0);
    for entry in 0..entries.min(PARTS_MAX.into()) {
        let at = first.checked_add(entry * entry_size).ok_or(Stop::Corrupt)?;
        match numbers.at::<2>(at)? {
            IMAGE_WIDTH => width = value(at)?,
            IMAGE_LENGTH => height = value(at)?,
            ORIENTATION => {
                let tag = u16::try_from(value(at)?).unwrap_or_default();
                found.orientation = Orientation::from_tag(tag);
            }
            // Entries are sorted by tag.
            tag if tag > ORIENTATION => break,
            _ => {}
        }
    }
    let side = |side| u32::try_from(side).map_err(|_| Stop::Corrupt);
    found.size(side(width)?, side(height)?)
}

/// The numbers of a file in its byte order.
struct Numbers<'s> {
    source: &'s Partial<'s>,
    little: bool,
}

impl Numbers<'_> {
    /// A number of `N` bytes, at most eight.
    fn at<const N: usize>(&self, at: u64) -> Result<u64, Stop> {
        let mut bytes: [u8; N] = self.source.bytes(at)?;
        if self.little {
            bytes.reverse();
        }
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}
