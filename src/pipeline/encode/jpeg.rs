//! JPEG by libjpeg-turbo: baseline.
//! Does not know alpha: it was flattened before.

use turbojpeg::{Compressor, Error, Image, PixelFormat, Subsamp};

use super::Target;
use crate::pipeline::decode::Chroma;
use crate::pipeline::job::Fault;
use crate::pipeline::raster::{Channels, Raster, index};

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
    let size = raster.size();
    if size.width > MAX_SIDE || size.height > MAX_SIDE {
        let words = format!("a JPEG's side is at most {MAX_SIDE} pixels, this one is {size}");
        return Err(Fault::Unsupported(words));
    }
    let (format, chroma) = match (raster.channels(), target.chroma) {
        (Channels::Gray, _) => (PixelFormat::GRAY, Subsamp::Gray),
        (_, Chroma::Full) => (PixelFormat::RGB, Subsamp::None),
        (_, Chroma::HalfWidth) => (PixelFormat::RGB, Subsamp::Sub2x1),
        (_, Chroma::Quarter) => (PixelFormat::RGB, Subsamp::Sub2x2),
    };
    let image = Image {
        pixels: raster.pixels(),
        width: index(size.width),
        pitch: raster.pitch(),
        height: index(size.height),
        format,
    };
    compress(image, chroma, target.quality)
        .map_err(|error| Fault::Unsupported(format!("JPEG: {error}")))
}

fn compress(image: Image<&[u8]>, chroma: Subsamp, quality: u8) -> Result<Vec<u8>, Error> {
    let mut compressor = Compressor::new()?;
    compressor.set_quality(quality.into())?;
    compressor.set_subsamp(chroma)?;
    compressor.set_optimize(is_optimised(image.width, image.height))?;
    Ok(compressor.compress_to_owned(image)?.to_vec())
}
