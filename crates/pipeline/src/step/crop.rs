//! Cropping a raster, in place.

use super::rect::Rect;
use crate::raster::{Raster, index};

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
