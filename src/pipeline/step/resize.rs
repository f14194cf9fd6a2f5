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
    let (left, width) = span(part.left, part.size.width, across, actual.width);
    let (top, height) = span(part.top, part.size.height, down, actual.height);
    let options = ResizeOptions::new().use_alpha(raster.channels().has_alpha());
    let options = options.crop(left, top, width, height);
    let channels = raster.channels();
    let kind = pixel_type(channels);
    let failed = |error: &dyn std::fmt::Display| Fault::Unsupported(format!("resize: {error}"));
    let source = Image::from_vec_u8(actual.width, actual.height, raster.into_pixels(), kind)
        .map_err(|error| failed(&error))?;
    let mut target = Image::new(size.width, size.height, kind);
    Resizer::new().resize(&source, &mut target, &options).map_err(|error| failed(&error))?;
    Raster::new(size, channels, target.into_vec())
}

/// Start and length of a span at another scale, inside a side.
fn span(start: u32, length: u32, scale: f64, side: u32) -> (f64, f64) {
    let start = f64::from(start) * scale;
    let rest = f64::from(side) - start;
    // The sum of start and length is rounded once more where it is compared with the side.
    let rest = if start > 0.0 { rest - ROUNDING } else { rest };
    (start, (f64::from(length) * scale).min(rest))
}

/// Of a pixel; far more than a sum of two sides can be off, and far less than shows.
const ROUNDING: f64 = 1e-6;

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
    fn a_part_at_the_far_edge_stays_inside_at_any_scale() {
        for side in 2..200_u32 {
            let whole = Dimensions::new(side * 8 - side % 7, 8);
            for start in 1..8 {
                let rest = Dimensions::new(whole.width - start, 8);
                let part = Part { left: start, top: 0, size: rest };
                let raster = Raster::blank(Dimensions::new(side, 1), Channels::Gray);
                assert!(scaled(raster, whole, part, Dimensions::new(1, 1)).is_ok());
            }
        }
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
