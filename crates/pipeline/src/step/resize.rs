//! Scaling by a Lanczos filter, and cropping before it in the same step. Alpha is premultiplied meanwhile: the colours of
//! transparent pixels must not show.

use std::f64::consts::PI;
use std::fmt::Display;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{Filter, FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::crop::Rect;
use crate::job::Fault;
use crate::planes::Reduction;
use crate::raster::{Channels, Raster};
use words::dimensions::Dimensions;

/// Scales the pixels in a rectangle to a size.
#[derive(Debug, Clone, Copy)]
pub struct Resize {
    /// The size of the picture that `part` is measured on. The pixels may be that picture at a smaller scale.
    pub whole: Dimensions,
    pub part: Rect,
    pub size: Dimensions,
}

impl Resize {
    /// A raster that has the size already, and is not to be cropped, is returned as it is.
    pub fn raster(self, raster: Raster) -> Result<Raster, Fault> {
        if self.part == Rect::all(self.whole) && raster.size() == self.size {
            return Ok(raster);
        }
        self.samples(raster.size(), raster.channels(), raster.pixels(), Reduction::Average)
    }

    /// The pixels of a raster of the size `actual`, or the samples of one plane.
    pub fn samples(
        self,
        actual: Dimensions,
        channels: Channels,
        pixels: &[u8],
        reduction: Reduction,
    ) -> Result<Raster, Fault> {
        let Self { whole, part, size } = self;
        let across = scale(actual.width, whole.width);
        let down = scale(actual.height, whole.height);
        let (left, width) = span(part.left, part.size.width, across, actual.width);
        let (top, height) = span(part.top, part.size.height, down, actual.height);
        let filter = filter(reduction, across, width / f64::from(size.width));
        let options = ResizeOptions::new()
            .use_alpha(channels.has_alpha())
            .crop(left, top, width, height)
            .resize_alg(ResizeAlg::Convolution(filter));
        let kind = match channels {
            Channels::Gray => PixelType::U8,
            Channels::GrayAlpha => PixelType::U8x2,
            Channels::Rgb => PixelType::U8x3,
            Channels::Rgba | Channels::Cmyk => PixelType::U8x4,
        };
        let failed = |error: &dyn Display| Fault::Unsupported(format!("resize: {error}"));
        let source = ImageRef::new(actual.width, actual.height, pixels, kind);
        let source = source.map_err(|error| failed(&error))?;
        let mut target = Image::new(size.width, size.height, kind);
        Resizer::new().resize(&source, &mut target, &options).map_err(|error| failed(&error))?;
        Raster::new(size, channels, target.into_vec())
    }
}

/// The scale at which a side was decoded. A side that is no multiple of the divisor was rounded up: its last pixel stands
/// for fewer than the others, whose scale counts.
fn scale(actual: u32, whole: u32) -> f64 {
    let divided = |by: &u32| actual == whole.div_ceil(*by);
    let by = [1, 2, 4, 8, 16].into_iter().find(divided);
    by.map_or_else(|| f64::from(actual) / f64::from(whole), |by| 1.0 / f64::from(by))
}

/// The filter for pixels that were decoded at this scale, `step` of which become one. It is sharper for pixels that are means,
/// which are a little blurred.
fn filter(reduction: Reduction, scale: f64, step: f64) -> FilterType {
    let filters = match reduction {
        Reduction::Average if scale < 0.3 => QUARTERS,
        Reduction::Average if scale < 0.6 => HALVES,
        _ => return FilterType::Lanczos3,
    };
    let filter = filters.iter().find(|(least, _)| step >= *least);
    let filter = filter.and_then(|(_, filter)| Filter::new("Sharper", *filter, SUPPORT + 0.5).ok());
    filter.map_or(FilterType::Lanczos3, FilterType::Custom)
}

/// Filters for a quarter and an eighth, each from this step on: the more pixels become one, the less their blur shows.
const QUARTERS: &[(f64, Kernel)] = &[
    (6.0, sharper::<0>),
    (4.0, sharper::<20>),
    (3.2, sharper::<28>),
    (2.7, sharper::<34>),
    (2.3, sharper::<40>),
    (0.0, sharper::<47>),
];

/// Filters for half the sides: means of fewer pixels are blurred less.
const HALVES: &[(f64, Kernel)] = &[
    (4.0, sharper::<0>),
    (2.7, sharper::<28>),
    (2.3, sharper::<34>),
    (1.95, sharper::<40>),
    (1.5, sharper::<45>),
];

type Kernel = fn(f64) -> f64;

const SUPPORT: f64 = 3.0;

/// The Lanczos filter sharpened to undo the mean over a pixel, whose width `d` is given in hundredths of a pixel of the result:
/// `f - (d^2 / 24) f''`, with the second derivative by differences.
fn sharper<const HUNDREDTHS: u8>(x: f64) -> f64 {
    let pixel = f64::from(HUNDREDTHS) / 100.0;
    let third = |x: f64| (x * PI / SUPPORT).sin_cos();
    // Sines are most of the cost of a filter: two of the three are derived from the first.
    let ((sin, cos), (sin_pixel, cos_pixel)) = (third(x), third(pixel));
    let before = lanczos(x - pixel, sin * cos_pixel - cos * sin_pixel);
    let behind = lanczos(x + pixel, sin * cos_pixel + cos * sin_pixel);
    let here = lanczos(x, sin);
    here + (2.0 * here - before - behind) / 24.0
}

/// `sinc(x) * sinc(x / 3)`; `third` is the sine of a third of the angle.
fn lanczos(x: f64, third: f64) -> f64 {
    match x.abs() {
        // So near to zero the quotient is not exact.
        size if size < 1e-6 => 1.0,
        size if size < SUPPORT => {
            let whole = (3.0 - 4.0 * third * third) * third;
            whole * third * SUPPORT / (PI * PI * x * x)
        }
        _ => 0.0,
    }
}

/// Start and length of a span at another scale, clipped to the side.
fn span(start: u32, length: u32, scale: f64, side: u32) -> (f64, f64) {
    let start = f64::from(start) * scale;
    let rest = f64::from(side) - start;
    // The resizer adds start and length and compares the sum, which is rounded, with the side.
    let rest = if start > 0.0 { rest - ROUNDING } else { rest };
    (start, (f64::from(length) * scale).min(rest))
}

/// A part of a pixel: far more than the sum of two sides can be off, and far less than is visible.
const ROUNDING: f64 = 1e-6;

#[cfg(test)]
mod tests {
    use super::*;

    fn scaled(
        raster: Raster,
        whole: Dimensions,
        part: Rect,
        size: Dimensions,
    ) -> Result<Raster, Fault> {
        Resize { whole, part, size }.raster(raster)
    }

    #[test]
    fn the_colour_of_transparent_pixels_does_not_show() {
        let size = Dimensions::new(8, 1);
        let pixels = [[255, 0, 0, 255], [0, 255, 0, 0]].concat().repeat(4);
        let raster = Raster::new(size, Channels::Rgba, pixels).unwrap();
        let small = scaled(raster, size, Rect::all(size), Dimensions::new(2, 1)).unwrap();
        assert!(small.pixels().chunks(4).all(|pixel| pixel[0] > 250 && pixel[1] < 5));
    }

    #[test]
    fn a_part_at_the_far_edge_stays_inside_at_any_scale() {
        for side in 2..200_u32 {
            let whole = Dimensions::new(side * 8 - side % 7, 8);
            for start in 1..8 {
                let rest = Dimensions::new(whole.width - start, 8);
                let part = Rect { left: start, top: 0, size: rest };
                let raster = Raster::blank(Dimensions::new(side, 1), Channels::Gray);
                assert!(scaled(raster, whole, part, Dimensions::new(1, 1)).is_ok());
            }
        }
    }

    #[test]
    fn a_part_is_measured_on_the_whole_whatever_the_scale_of_the_raster() {
        let half = Raster::new(Dimensions::new(4, 1), Channels::Gray, vec![0, 0, 200, 200]);
        let whole = Dimensions::new(8, 2);
        let part = Rect { left: 4, top: 0, size: Dimensions::new(4, 2) };
        let right = scaled(half.unwrap(), whole, part, Dimensions::new(2, 1)).unwrap();
        assert_eq!(right.pixels(), [200, 200]);
    }
}
