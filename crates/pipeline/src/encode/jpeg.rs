//! JPEG by libjpeg-turbo: baseline.
//! Does not know alpha: it was flattened before.

use turbojpeg::{Compressor, Error, Image, OwnedBuf, PixelFormat, Subsamp, YuvImage};

use super::Target;
use crate::decode::Chroma;
use crate::job::Fault;
use crate::planes::{Planes, halved, widened};
use crate::raster::{Channels, Raster, index};
use words::dimensions::Dimensions;

/// The longest side that libjpeg writes.
const MAX_SIDE: u32 = 65_500;

/// Pictures of more pixels are written with common codes. Codes of their own take 1 to 2 % off the length of a large
/// photo and double the time; a small picture's tables are a larger part of it.
const OPTIMISED_MAX: usize = 1 << 20;

/// Whether a picture of these sides gets codes that are made for it.
pub fn is_optimised(width: usize, height: usize) -> bool {
    width.saturating_mul(height) <= OPTIMISED_MAX
}

pub fn encode(raster: &Raster, target: Target) -> Result<Vec<u8>, Fault> {
    let size = within(raster.size())?;
    let (format, chroma) = match raster.channels() {
        Channels::Gray => (PixelFormat::GRAY, Subsamp::Gray),
        _ => (PixelFormat::RGB, subsamp(target.chroma)),
    };
    let image = Image {
        pixels: raster.pixels(),
        width: index(size.width),
        pitch: raster.pitch(),
        height: index(size.height),
        format,
    };
    let compressed = compressor(size, target).and_then(|mut compressor| {
        compressor.set_subsamp(chroma)?;
        compressor.compress_to_owned(image)
    });
    finished(compressed)
}

/// Colour is sampled as the target says.
pub fn encode_planes(planes: &Planes, target: Target) -> Result<Vec<u8>, Fault> {
    let size = within(planes.size())?;
    let subsamp = subsamp(target.chroma);
    let (across, down) = subsamp.size();
    let [light, colours @ ..] = planes.each();
    let mut pixels = widened(light, across, down);
    for colour in colours {
        match across {
            1 => pixels.extend_from_slice(colour.pixels()),
            _ => pixels.extend(halved(colour, down)),
        }
    }
    let (width, height) = (index(size.width), index(size.height));
    let image = YuvImage { pixels: pixels.as_slice(), width, align: 1, height, subsamp };
    let compressed =
        compressor(size, target).and_then(|mut compressor| compressor.compress_yuv_to_owned(image));
    finished(compressed)
}

fn within(size: Dimensions) -> Result<Dimensions, Fault> {
    if size.width > MAX_SIDE || size.height > MAX_SIDE {
        let words = format!("a JPEG's side is at most {MAX_SIDE} pixels, this one is {size}");
        return Err(Fault::Unsupported(words));
    }
    Ok(size)
}

fn subsamp(chroma: Chroma) -> Subsamp {
    match chroma {
        Chroma::Full => Subsamp::None,
        Chroma::HalfWidth => Subsamp::Sub2x1,
        Chroma::Quarter => Subsamp::Sub2x2,
    }
}

fn compressor(size: Dimensions, target: Target) -> Result<Compressor, Error> {
    let mut compressor = Compressor::new()?;
    compressor.set_quality(target.quality.into())?;
    compressor.set_optimize(is_optimised(index(size.width), index(size.height)))?;
    Ok(compressor)
}

fn finished(compressed: Result<OwnedBuf, Error>) -> Result<Vec<u8>, Fault> {
    let bytes = compressed.map_err(|error| Fault::Unsupported(format!("JPEG: {error}")))?;
    Ok(bytes.to_vec())
}
