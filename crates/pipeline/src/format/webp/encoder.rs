//! WebP encoding by libwebp, lossy, still and animated.

use super::libwebp;
use crate::format::animation::{AnimationEncoder, Frame, Repeat};
use crate::format::encoding::Target;
use crate::job::Fault;
use crate::raster::{Channels, Raster};
use crate::step::flatten::{gray_to_rgb, with_binary_alpha};
use words::dimensions::Dimensions;

pub fn picture(raster: Raster, target: Target) -> Result<Vec<u8>, Fault> {
    libwebp::encode(&gray_to_rgb(raster), target.quality)
}

pub fn animation(
    size: Dimensions,
    repeat: Repeat,
    target: Target,
) -> Result<Box<dyn AnimationEncoder>, Fault> {
    let loops = match repeat {
        Repeat::Forever => 0,
        Repeat::Times(times) => times,
    };
    Ok(Box::new(libwebp::Animation::new(size, loops, target.quality)?))
}

impl AnimationEncoder for libwebp::Animation {
    fn add(&mut self, frame: Frame) -> Result<(), Fault> {
        let raster = match frame.raster.channels() {
            Channels::Rgba => frame.raster,
            _ => with_binary_alpha(frame.raster),
        };
        self.add_canvas(&raster, frame.duration)
    }

    fn finish(self: Box<Self>) -> Result<Vec<u8>, Fault> {
        (*self).assemble()
    }
}
