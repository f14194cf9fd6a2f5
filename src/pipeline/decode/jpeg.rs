//! JPEG by libjpeg-turbo. Its warnings are faults: a decoder that goes on after one shows gray where the picture ended.
//! Does not know segments: `container` walked them.

use turbojpeg::{
    Colorspace, DecompressHeader, Decompressor, Error, Image, PixelFormat, ScalingFactor, Subsamp,
    Transform, TransformOp, Transformer,
};

use super::{Picture, Source};
use crate::dimensions::Dimensions;
use crate::pipeline::container::Coding;
use crate::pipeline::exif::Orientation;
use crate::pipeline::job::Fault;
use crate::pipeline::raster::{Channels, Raster, index, length};

/// How finely a JPEG keeps colour beside brightness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chroma {
    /// 4:4:4.
    Full,
    /// 4:2:2.
    HalfWidth,
    /// 4:2:0, and all that is rarer.
    Quarter,
}

impl Chroma {
    /// That of a JPEG.
    pub fn of(bytes: &[u8]) -> Self {
        match turbojpeg::read_header(bytes).map(|header| header.subsamp) {
            Ok(Subsamp::None) => Self::Full,
            Ok(Subsamp::Sub2x1) => Self::HalfWidth,
            _ => Self::Quarter,
        }
    }
}

/// An eighth of the picture shows every fault of the data, at an eighth of the memory a side.
pub fn verify(source: &Source<'_>) -> Result<(), Fault> {
    decompress(source, Dimensions::new(1, 1)).map(|_| ())
}

pub fn still(source: &Source<'_>, needed: Dimensions) -> Result<Picture, Fault> {
    let mut raster = decompress(source, needed)?;
    if source.survey.coding == Coding::Inverted {
        raster.pixels_mut().iter_mut().for_each(|value| *value = 255 - *value);
    }
    Ok(Picture { raster, profile: source.survey.profile.clone() })
}

fn decompress(source: &Source<'_>, needed: Dimensions) -> Result<Raster, Fault> {
    let mut decompressor = Decompressor::new().map_err(fault)?;
    decompressor.set_scan_limit(source.limits.max_scans).map_err(fault)?;
    let header = decompressor.read_header(source.bytes).map_err(fault)?;
    let (channels, format) = match header.colorspace {
        Colorspace::Gray => (Channels::Gray, PixelFormat::GRAY),
        Colorspace::CMYK | Colorspace::YCCK => (Channels::Cmyk, PixelFormat::CMYK),
        _ => (Channels::Rgb, PixelFormat::RGB),
    };
    let scaling = scaling(&header, needed);
    decompressor.set_scaling_factor(scaling).map_err(fault)?;
    let (width, height) = (scaling.scale(header.width), scaling.scale(header.height));
    let number =
        |side| u32::try_from(side).map_err(|_| Fault::Corrupt("a side is too long".into()));
    let size = Dimensions::new(number(width)?, number(height)?);
    let mut pixels = vec![0; length(size, channels)];
    let pitch = width * format.size();
    let image = Image { pixels: pixels.as_mut_slice(), width, pitch, height, format };
    decompressor.decompress(source.bytes, image).map_err(fault)?;
    Raster::new(size, channels, pixels)
}

/// The smallest scale that is still enough.
fn scaling(header: &DecompressHeader, needed: Dimensions) -> ScalingFactor {
    let enough = |scaling: &ScalingFactor| {
        scaling.scale(header.width) >= index(needed.width)
            && scaling.scale(header.height) >= index(needed.height)
    };
    let scales = [ScalingFactor::ONE_EIGHTH, ScalingFactor::ONE_QUARTER, ScalingFactor::ONE_HALF];
    let smallest = scales.into_iter().find(enough).filter(|_| !header.is_lossless);
    smallest.unwrap_or(ScalingFactor::ONE)
}

/// Turns the picture without decoding it to pixels, losing nothing. `None` if its sides are no multiples of its blocks,
/// so that pixels at an edge would be misplaced. What the segments hold is copied.
pub fn turned(source: &Source<'_>, turn: Orientation) -> Option<Vec<u8>> {
    let mut transform = Transform::op(operation(turn));
    transform.perfect = true;
    transform.optimize = true;
    transform.progressive = source.survey.coding == Coding::Progressive;
    Transformer::new().ok()?.transform_to_vec(&transform, source.bytes).ok()
}

fn operation(turn: Orientation) -> TransformOp {
    match turn {
        Orientation::Upright => TransformOp::None,
        Orientation::FlippedHorizontally => TransformOp::Hflip,
        Orientation::Rotated180 => TransformOp::Rot180,
        Orientation::FlippedVertically => TransformOp::Vflip,
        Orientation::Transposed => TransformOp::Transpose,
        Orientation::Rotated90 => TransformOp::Rot90,
        Orientation::Transversed => TransformOp::Transverse,
        Orientation::Rotated270 => TransformOp::Rot270,
    }
}

/// libjpeg tells its faults apart by their words alone.
fn fault(error: Error) -> Fault {
    let words = match error {
        Error::TurboJpegError(words) => words,
        other => other.to_string(),
    };
    if words.contains("Premature end") || words.contains("ends prematurely") {
        return Fault::Truncated(words);
    }
    if words.contains("nsupported") || words.contains("not supported") {
        return Fault::Unsupported(words);
    }
    Fault::Corrupt(words)
}
