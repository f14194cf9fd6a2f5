//! PNG decoding by the `png` crate, with every checksum. 16 bits a channel become 8. The picture of an APNG is its default
//! image, which every reader shows.

use std::io::Cursor;

use png::{ColorType, DecodeOptions, Decoder, DecodingError, Reader, Transformations};

use crate::format::codec::{Picture, Source};
use crate::format::survey::Profile;
use crate::job::Fault;
use crate::raster::{Channels, Raster, index, length};

/// Reads all frames row by row, so that no whole picture is in memory.
pub fn verify(source: &Source<'_>) -> Result<Profile, Fault> {
    let mut reader = open(source)?;
    for frame in 0..frames(&reader) {
        if frame > 0 {
            reader.next_frame_info().map_err(fault)?;
        }
        while reader.next_row().map_err(fault)?.is_some() {}
    }
    reader.finish().map_err(fault)?;
    // A profile behind the pixels does not count.
    let mut before_pixels = source.bytes.windows(4).take_while(|kind| kind != b"IDAT");
    let readable = profile(&reader, source).is_some();
    let dropped = !readable && before_pixels.any(|kind| kind == b"iCCP");
    Ok(if dropped { Profile::Dropped } else { Profile::Kept })
}

pub fn picture(source: &Source<'_>) -> Result<Picture, Fault> {
    let mut reader = open(source)?;
    let (color, _) = reader.output_color_type();
    let channels = match color {
        ColorType::Grayscale => Channels::Gray,
        ColorType::GrayscaleAlpha => Channels::GrayAlpha,
        ColorType::Rgb => Channels::Rgb,
        ColorType::Rgba => Channels::Rgba,
        ColorType::Indexed => return Err(Fault::Corrupt("the palette is missing".into())),
    };
    let size = source.survey.size;
    let mut pixels = vec![0; length(size, channels)];
    reader.next_frame(&mut pixels).map_err(fault)?;
    if source.survey.frames == 1 {
        reader.finish().map_err(fault)?;
    }
    let profile = profile(&reader, source);
    Ok(Picture { raster: Raster::new(size, channels, pixels)?, profile })
}

fn open<'a>(source: &Source<'a>) -> Result<Reader<Cursor<&'a [u8]>>, Fault> {
    let mut options = DecodeOptions::default();
    options.set_ignore_text_chunk(true);
    options.set_skip_ancillary_crc_failures(false);
    let mut decoder = Decoder::new_with_options(Cursor::new(source.bytes), options);
    decoder.set_limits(png::Limits { bytes: allowance(source) });
    decoder.set_transformations(Transformations::normalize_to_color8());
    decoder.read_info().map_err(fault)
}

/// How many bytes the decoder may allocate beside the pixels: for an ICC profile, and for a row of each frame.
fn allowance(source: &Source<'_>) -> usize {
    let metadata = usize::try_from(source.limits.max_metadata).unwrap_or(usize::MAX);
    let row = index(source.survey.size.width).saturating_mul(8);
    let rows = row.saturating_mul(index(source.survey.frames).saturating_add(1));
    metadata.saturating_add(rows)
}

/// How many pictures the file holds. The default image need not be a frame of the animation.
fn frames(reader: &Reader<Cursor<&[u8]>>) -> u32 {
    let info = reader.info();
    match info.animation_control {
        None => 1,
        Some(control) if info.frame_control.is_none() => control.num_frames.saturating_add(1),
        Some(control) => control.num_frames,
    }
}

/// The ICC profile. `None` also for one that is larger than metadata may be, or cannot be inflated.
fn profile(reader: &Reader<Cursor<&[u8]>>, source: &Source<'_>) -> Option<Vec<u8>> {
    let profile = reader.info().icc_profile.as_ref().map(|profile| profile.to_vec());
    profile.filter(|profile| profile.len() as u64 <= source.limits.max_metadata)
}

fn fault(error: DecodingError) -> Fault {
    let words = error.to_string();
    match error {
        DecodingError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Fault::Truncated(words)
        }
        _ if words.contains("not enough data") || words.contains("No more image data") => {
            Fault::Truncated(words)
        }
        _ => Fault::Corrupt(words),
    }
}
