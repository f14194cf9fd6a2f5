//! Scaling by a Lanczos filter, with the cut before it done on the way.
//! Does not know why; alpha is multiplied in while it filters, so that no colour of unseen pixels shows.

use std::f64::consts::PI;

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{Filter, FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::Part;
use crate::job::Fault;
use crate::planes::Grain;
use crate::raster::{Channels, Raster};
use words::dimensions::Dimensions;

/// Cuts `part` out of the picture and scales it to `size`. `part` is measured on a picture of the size `whole`; the raster
/// may be that picture at a smaller scale. A raster that is right already is returned as it is.
pub fn scaled(
    raster: Raster,
    whole: Dimensions,
    part: Part,
    size: Dimensions,
) -> Result<Raster, Fault> {
    if part == Part::whole(whole) && raster.size() == size {
        return Ok(raster);
    }
    let way = Way { whole, part, size, grain: Grain::Means };
    resampled(raster.size(), raster.channels(), raster.pixels(), way)
}

/// The same for one plane of a picture.
pub fn plane(
    (actual, samples): (Dimensions, &[u8]),
    grain: Grain,
    whole: Dimensions,
    part: Part,
    size: Dimensions,
) -> Result<Raster, Fault> {
    resampled(actual, Channels::Gray, samples, Way { whole, part, size, grain })
}

/// From a part of a whole to a size.
struct Way {
    whole: Dimensions,
    part: Part,
    size: Dimensions,
    grain: Grain,
}

fn resampled(
    actual: Dimensions,
    channels: Channels,
    pixels: &[u8],
    Way { whole, part, size, grain }: Way,
) -> Result<Raster, Fault> {
    let across = scale(actual.width, whole.width);
    let down = scale(actual.height, whole.height);
    let (left, width) = span(part.left, part.size.width, across, actual.width);
    let (top, height) = span(part.top, part.size.height, down, actual.height);
    let options = ResizeOptions::new().use_alpha(channels.has_alpha());
    let options = options.crop(left, top, width, height);
    let filter = filter(grain, across, width / f64::from(size.width));
    let options = options.resize_alg(ResizeAlg::Convolution(filter));
    let kind = pixel_type(channels);
    let failed = |error: &dyn std::fmt::Display| Fault::Unsupported(format!("resize: {error}"));
    let source =
        ImageRef::new(actual.width, actual.height, pixels, kind).map_err(|error| failed(&error))?;
    let mut target = Image::new(size.width, size.height, kind);
    Resizer::new().resize(&source, &mut target, &options).map_err(|error| failed(&error))?;
    Raster::new(size, channels, target.into_vec())
}

/// At what scale a side was decoded. It is rounded up where the last pixel stands for less than the others: the scale is
/// that of the others.
fn scale(actual: u32, whole: u32) -> f64 {
    let divided = |by: &u32| actual == whole.div_ceil(*by);
    let by = [1, 2, 4, 8, 16].into_iter().find(divided);
    by.map_or_else(|| f64::from(actual) / f64::from(whole), |by| 1.0 / f64::from(by))
}

/// A raster that came at a smaller `scale` has the means of what lay there, which are a little less sharp than points:
/// the filter makes up for that. `step` is how many of its pixels become one.
fn filter(grain: Grain, scale: f64, step: f64) -> FilterType {
    let filters = match grain {
        Grain::Means if scale < 0.3 => FILTERS,
        Grain::Means if scale < 0.6 => HALVES,
        _ => return FilterType::Lanczos3,
    };
    let filter = filters.iter().find(|(least, _)| step >= *least);
    let filter = filter.and_then(|(_, filter)| Filter::new("Sharper", *filter, SUPPORT + 0.5).ok());
    filter.map_or(FilterType::Lanczos3, FilterType::Custom)
}

/// Filters by the least step that they are for: the more pixels become one, the less their blur shows.
const FILTERS: &[(f64, Kernel)] = &[
    (6.0, sharper::<0>),
    (4.0, sharper::<20>),
    (3.2, sharper::<28>),
    (2.7, sharper::<34>),
    (2.3, sharper::<40>),
    (0.0, sharper::<47>),
];

/// The same for what came at half its sides: the means of two are less blurred than those of more.
const HALVES: &[(f64, Kernel)] = &[
    (4.0, sharper::<0>),
    (2.7, sharper::<28>),
    (2.3, sharper::<34>),
    (1.95, sharper::<40>),
    (1.5, sharper::<45>),
];

type Kernel = fn(f64) -> f64;

const SUPPORT: f64 = 3.0;

/// The Lanczos filter and so much of its second derivative that the mean over a pixel, of so many hundredths of a result's
/// pixel, is undone: `1 - (d^2 / 24) f''`, by differences.
fn sharper<const HUNDREDTHS: u8>(x: f64) -> f64 {
    let pixel = f64::from(HUNDREDTHS) / 100.0;
    let third = |x: f64| (x * PI / SUPPORT).sin_cos();
    // Sines are most of what a filter costs: two are derived from the third.
    let ((sin, cos), (sin_pixel, cos_pixel)) = (third(x), third(pixel));
    let before = lanczos(x - pixel, sin * cos_pixel - cos * sin_pixel);
    let behind = lanczos(x + pixel, sin * cos_pixel + cos * sin_pixel);
    let here = lanczos(x, sin);
    here + (2.0 * here - before - behind) / 24.0
}

/// `sinc(x) * sinc(x / 3)`, given the sine of a third of the angle.
fn lanczos(x: f64, third: f64) -> f64 {
    match x.abs() {
        // The sine is too small to be exact.
        size if size < 1e-6 => 1.0,
        size if size < SUPPORT => {
            let whole = (3.0 - 4.0 * third * third) * third;
            whole * third * SUPPORT / (PI * PI * x * x)
        }
        _ => 0.0,
    }
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
