//! A rectangle inside an image, and cropping to it.

use crate::raster::{Raster, index};
use words::dimensions::Dimensions;

/// In pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    pub left: u32,
    pub top: u32,
    pub size: Dimensions,
}

impl Rect {
    /// All of an image of this size.
    pub fn all(size: Dimensions) -> Self {
        Self { left: 0, top: 0, size }
    }
}

/// The pixels in a rectangle, which must lie inside the raster.
pub fn cropped(mut raster: Raster, part: Rect) -> Raster {
    if part == Rect::all(raster.size()) {
        return raster;
    }
    let (count, pitch) = (raster.channels().count(), raster.pitch());
    let width = index(part.size.width) * count;
    let first = index(part.top) * pitch + index(part.left) * count;
    let channels = raster.channels();
    for row in 0..index(part.size.height) {
        let from = first + row * pitch;
        raster.pixels_mut().copy_within(from..from + width, row * width);
    }
    let mut pixels = raster.into_pixels();
    pixels.truncate(width * index(part.size.height));
    Raster::new(part.size, channels, pixels).expect("the part was copied row by row")
}
