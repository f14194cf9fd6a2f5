//! Scaling by a Lanczos filter, with the cut before it done on the way.
//! Does not know why; alpha is multiplied in while it filters, so that no colour of unseen pixels shows.

use fast_image_resize::images::Image;
use fast_image_resize::{PixelType, ResizeOptions, Resizer};

use super::Part;
use crate::dimensions::Dimensions;
use crate::pipeline::job::Fault;
use crate::pipeline::raster::{Channels, Raster};

/// Cuts `part` out of the picture and scales it to `size`. `part` is measured on a picture of the size `whole`; the raster
/// may be that picture at a smaller scale. A raster that is right already is returned as it is.
pub fn scaled(
    raster: Raster,
    whole: Dimensions,
    part: Part,
    size: Dimensions,
) -> Result<Raster, Fault> {
    let actual = raster.size();
    if part == Part::whole(whole) && actual == size {
        return Ok(raster);
    }
    let across = f64::from(actual.width) / f64::from(whole.width);
    let down = f64::from(actual.height) / f64::from(whole.height);
    let options = ResizeOptions::new().use_alpha(raster.channels().has_alpha()).crop(
        f64::from(part.left) * across,
        f64::from(part.top) * down,
        (f64::from(part.size.width) * across).min(f64::from(actual.width)),
        (f64::from(part.size.height) * down).min(f64::from(actual.height)),
    );
    let channels = raster.channels();
    let kind = pixel_type(channels);
    let failed = |error: &dyn std::fmt::Display| Fault::Unsupported(format!("resize: {error}"));
    let source = Image::from_vec_u8(actual.width, actual.height, raster.into_pixels(), kind)
        .map_err(|error| failed(&error))?;
    let mut target = Image::new(size.width, size.height, kind);
    Resizer::new().resize(&source, &mut target, &options).map_err(|error| failed(&error))?;
    Raster::new(size, channels, target.into_vec())
}

fn pixel_type(channels: Channels) -> PixelType {
    match channels {
        Channels::Gray => PixelType::U8,
        Channels::GrayAlpha => PixelType::U8x2,
        Channels::Rgb => PixelType::U8x3,
        Channels::Rgba | Channels::Cmyk => PixelType::U8x4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colour_of_unseen_pixels_does_not_show() {
        let size = Dimensions::new(8, 1);
        let pixels = [[255, 0, 0, 255], [0, 255, 0, 0]].concat().repeat(4);
        let raster = Raster::new(size, Channels::Rgba, pixels).unwrap();
        let small = scaled(raster, size, Part::whole(size), Dimensions::new(2, 1)).unwrap();
        assert!(small.pixels().chunks(4).all(|pixel| pixel[0] > 250 && pixel[1] < 5));
    }

    #[test]
    fn a_part_is_measured_on_the_whole_whatever_the_scale_of_the_raster() {
        let half = Raster::new(Dimensions::new(4, 1), Channels::Gray, vec![0, 0, 200, 200]);
        let whole = Dimensions::new(8, 2);
        let part = Part { left: 4, top: 0, size: Dimensions::new(4, 2) };
        let right = scaled(half.unwrap(), whole, part, Dimensions::new(2, 1)).unwrap();
        assert_eq!(right.pixels(), [200, 200]);
    }
}
