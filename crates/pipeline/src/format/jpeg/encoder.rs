//! JPEG encoding by libjpeg-turbo, always baseline.

use turbojpeg::{Compressor, Error, Image, OwnedBuf, PixelFormat, Subsamp, YuvImage};

use crate::format::codec::{Chroma, Target};
use crate::job::Fault;
use crate::planes::{Planes, padded, subsampled};
use crate::raster::{Channels, Raster, index};
use crate::step::flatten::flattened;
use words::dimensions::Dimensions;

/// The longest side that libjpeg writes.
const MAX_SIDE: u32 = 65_500;

/// Pictures of more pixels get the standard Huffman tables: optimised ones make a large photo 1 to 2 % shorter in double the
/// time.
const OPTIMISED_MAX: usize = 1 << 20;

pub fn picture(raster: Raster, target: Target) -> Result<Vec<u8>, Fault> {
    let raster = flattened(raster);
    let (width, height) = sides(raster.size())?;
    let (format, chroma) = match raster.channels() {
        Channels::Gray => (PixelFormat::GRAY, Subsamp::Gray),
        _ => (PixelFormat::RGB, subsamp(target.chroma)),
    };
    let image = Image { pixels: raster.pixels(), width, pitch: raster.pitch(), height, format };
    compressed((width, height), target.quality, |compressor| {
        compressor.set_subsamp(chroma)?;
        compressor.compress_to_owned(image)
    })
}

pub fn planes(planes: &Planes, target: Target) -> Result<Vec<u8>, Fault> {
    let (width, height) = sides(planes.size())?;
    let subsamp = subsamp(target.chroma);
    let (across, down) = subsamp.size();
    let [luma, chroma @ ..] = planes.each();
    let mut pixels = padded(luma, across, down);
    for plane in chroma {
        match across {
            1 => pixels.extend_from_slice(plane.pixels()),
            _ => pixels.extend(subsampled(plane, down)),
        }
    }
    let image = YuvImage { pixels: pixels.as_slice(), width, align: 1, height, subsamp };
    compressed((width, height), target.quality, |compressor| {
        compressor.compress_yuv_to_owned(image)
    })
}

/// Encodes a picture of these sides by a compressor that has its settings.
pub fn compressed(
    (width, height): (usize, usize),
    quality: u8,
    compress: impl FnOnce(&mut Compressor) -> Result<OwnedBuf, Error>,
) -> Result<Vec<u8>, Fault> {
    let compressed = Compressor::new().and_then(|mut compressor| {
        compressor.set_quality(quality.into())?;
        compressor.set_optimize(width.saturating_mul(height) <= OPTIMISED_MAX)?;
        compress(&mut compressor)
    });
    let bytes = compressed.map_err(|error| Fault::Unsupported(format!("JPEG: {error}")))?;
    Ok(bytes.to_vec())
}

fn sides(size: Dimensions) -> Result<(usize, usize), Fault> {
    if size.width > MAX_SIDE || size.height > MAX_SIDE {
        let words = format!("a JPEG's side is at most {MAX_SIDE} pixels, this one is {size}");
        return Err(Fault::Unsupported(words));
    }
    Ok((index(size.width), index(size.height)))
}

fn subsamp(chroma: Chroma) -> Subsamp {
    match chroma {
        Chroma::Full => Subsamp::None,
        Chroma::HalfWidth => Subsamp::Sub2x1,
        Chroma::Quarter => Subsamp::Sub2x2,
    }
}
