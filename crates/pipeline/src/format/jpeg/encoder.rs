//! JPEG encoding by libjpeg-turbo, always baseline.

use turbojpeg::{Error, Image, OwnedBuf, PixelFormat, Subsamp, YuvImage};

use super::turbo::compressor;
use crate::format::encoding::{Chroma, Target};
use crate::job::Fault;
use crate::planes::{Planes, padded, subsampled};
use crate::raster::{Channels, Raster, index};
use crate::step::flatten::flattened;
use words::dimensions::Dimensions;

/// The longest side that libjpeg writes.
const MAX_SIDE: u32 = 65_500;

pub fn picture(raster: Raster, target: Target) -> Result<Vec<u8>, Fault> {
    let raster = flattened(raster);
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
    let compressor = compressor(index(size.width), index(size.height), target.quality);
    finished(compressor.and_then(|mut compressor| {
        compressor.set_subsamp(chroma)?;
        compressor.compress_to_owned(image)
    }))
}

pub fn planes(planes: &Planes, target: Target) -> Result<Vec<u8>, Fault> {
    let size = within(planes.size())?;
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
    let (width, height) = (index(size.width), index(size.height));
    let image = YuvImage { pixels: pixels.as_slice(), width, align: 1, height, subsamp };
    let compressor = compressor(width, height, target.quality);
    finished(compressor.and_then(|mut compressor| compressor.compress_yuv_to_owned(image)))
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

fn finished(compressed: Result<OwnedBuf, Error>) -> Result<Vec<u8>, Fault> {
    let bytes = compressed.map_err(|error| Fault::Unsupported(format!("JPEG: {error}")))?;
    Ok(bytes.to_vec())
}
