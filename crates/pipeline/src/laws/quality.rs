//! Laws of how close a variant of a JPEG comes to one for which the whole picture is decoded and filtered. The result is
//! compared with that of libvips, which decodes at a smaller scale, too.

use std::f64::consts::PI;

use turbojpeg::{Image, PixelFormat, Subsamp};

use super::{decoded, oriented, picture, render, size};
use crate::exif::Orientation;
use crate::format::codec;
use crate::format::codec::{Chroma, Target};
use crate::raster::{Channels, Raster, index};
use words::dimensions::Dimensions;
use words::media_type::Format;

/// Widths of variants for which the picture is decoded at its full size, a half, a quarter and an eighth of its sides; and the
/// decibels that libvips reaches there against the same reference, measured once over the same picture: the better of
/// `pyvips.Image.thumbnail_buffer(jpeg, width, size="down")` (8.18.7) and `vipsthumbnail -s <width>x -o <x>.png` (8.14.1).
const LIBVIPS: [(u32, f64); 4] = [(400, 57.69), (280, 55.38), (144, 53.71), (72, 41.72)];

/// The decibels for JPEG variants: `jpegsave_buffer(Q=85, optimize_coding=True, subsample_mode="on")` of the first, `-o <x>.jpg[Q=85]` of
/// the second.
const LIBVIPS_JPEG: [(u32, f64); 6] =
    [(400, 38.75), (340, 38.09), (280, 37.49), (168, 35.92), (144, 34.66), (72, 29.17)];

/// Decibels by which two results may differ: those of libvips themselves do, because a small change makes a coefficient round
/// the other way.
const TOLERANCE: f64 = 0.03;

const WIDTH: u32 = 1200;
const HEIGHT: u32 = 900;

/// A JPEG with coarse and fine structures of brightness and colour, as in a photo.
fn scene() -> Vec<u8> {
    let pixel = |x, y| {
        let light = noise(x, y, 256, 1) * 4 + noise(x, y, 64, 2) * 3 + noise(x, y, 16, 3) * 2;
        let light = (light + noise(x, y, 4, 4)) / 10;
        let tint = |seed| (noise(x, y, 48, seed) - 128).div_euclid(3);
        [5, 6, 7].map(|seed| u8::try_from((light + tint(seed)).clamp(0, 255)).unwrap())
    };
    let places = (0..HEIGHT).flat_map(|y| (0..WIDTH).map(move |x| (x, y)));
    let pixels: Vec<u8> = places.flat_map(|(x, y)| pixel(x, y)).collect();
    let (width, height) = (index(WIDTH), index(HEIGHT));
    let format = PixelFormat::RGB;
    let image = Image { pixels: pixels.as_slice(), width, pitch: 3 * width, height, format };
    turbojpeg::compress(image, 92, Subsamp::Sub2x2).unwrap().to_vec()
}

/// Value noise: random values at the corners of cells, interpolated between them.
fn noise(x: u32, y: u32, cell: u32, seed: u32) -> i32 {
    let (column, row, right, down) = (x / cell, y / cell, x % cell, y % cell);
    let across =
        |row| corner(column, row, seed) * (cell - right) + corner(column + 1, row, seed) * right;
    let sum = across(row) * (cell - down) + across(row + 1) * down;
    i32::try_from(sum / (cell * cell)).unwrap()
}

fn corner(column: u32, row: u32, seed: u32) -> u32 {
    let mixed = column.wrapping_mul(0x9E37_79B1) ^ row.wrapping_mul(0x85EB_CA77);
    let mixed = mixed ^ seed.wrapping_mul(0xC2B2_AE3D);
    let mixed = (mixed ^ mixed >> 15).wrapping_mul(0x2C1B_3C6D);
    (mixed ^ mixed >> 12) >> 24
}

/// For each pixel of a result, the pixels of the source and their weights: Lanczos over three pixels of the result.
fn weights(from: u32, to: u32) -> Vec<Vec<(usize, f64)>> {
    let step = f64::from(from) / f64::from(to);
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (x * PI).sin() / (x * PI) };
    let weight = |centre: f64, at: u32| {
        let x = (f64::from(at) + 0.5 - centre) / step;
        (index(at), if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 })
    };
    let place = |place: u32| {
        let centre = (f64::from(place) + 0.5) * step;
        let all = (0..from).map(|at| weight(centre, at)).filter(|(_, weight)| *weight != 0.0);
        let all: Vec<_> = all.collect();
        let sum: f64 = all.iter().map(|(_, weight)| weight).sum();
        all.into_iter().map(|(at, weight)| (at, weight / sum)).collect()
    };
    (0..to).map(place).collect()
}

/// The whole picture filtered, first across, then down.
fn reference(raster: &Raster, wanted: Dimensions) -> Vec<f64> {
    let (across, down) =
        (weights(raster.size().width, wanted.width), weights(raster.size().height, wanted.height));
    let mut narrow = Vec::new();
    for row in raster.pixels().chunks_exact(raster.pitch()) {
        for place in &across {
            for colour in 0..3 {
                let taken = place.iter().map(|(at, w)| w * f64::from(row[3 * at + colour]));
                narrow.push(taken.sum::<f64>());
            }
        }
    }
    let pitch = 3 * index(wanted.width);
    let mut small = Vec::new();
    for place in &down {
        for column in 0..pitch {
            let taken = place.iter().map(|(at, w)| w * narrow[pitch * at + column]);
            small.push(taken.sum::<f64>().clamp(0.0, 255.0));
        }
    }
    small
}

/// The peak signal-to-noise ratio of two pictures, in decibels.
fn likeness(one: &[u8], other: &[f64]) -> f64 {
    let squares = one.iter().zip(other).map(|(one, other)| (f64::from(*one) - other).powi(2));
    let count = f64::from(u32::try_from(one.len()).unwrap());
    10.0 * (255.0 * 255.0 * count / squares.sum::<f64>()).log10()
}

#[test]
fn a_variant_is_no_farther_from_a_full_decode_than_one_by_libvips() {
    let jpeg = scene();
    let whole = decoded(Format::Jpeg, &jpeg);
    let pngs = LIBVIPS.map(|(width, likeness)| (width, likeness, Format::Png));
    let jpegs = LIBVIPS_JPEG.map(|(width, likeness)| (width, likeness - TOLERANCE, Format::Jpeg));
    for (width, libvips, format) in pngs.into_iter().chain(jpegs) {
        let extension = if format == Format::Png { "png" } else { "jpg" };
        let name = format!("w{width}.{extension}");
        let (bytes, sides) = render(Format::Jpeg, &jpeg, &name);
        assert_eq!(sides, size(width, width * 3 / 4));
        let reached = likeness(decoded(format, &bytes).pixels(), &reference(&whole, sides));
        assert!(reached >= libvips, "{name}: {reached:.2} dB, libvips has {libvips:.2} dB");
    }
}

/// Over a smooth picture, in every orientation and subsampling, with odd sides.
#[test]
fn a_jpeg_variant_shows_what_a_png_variant_shows() {
    let encoder = codec(Format::Jpeg).encoder().unwrap();
    let target = |chroma| Target { chroma, ..Target::of(95) };
    let turns = (1..=8).filter_map(Orientation::from_tag);
    let chromas = [Chroma::Full, Chroma::HalfWidth, Chroma::Quarter];
    for (turn, chroma) in turns.flat_map(|turn| chromas.map(|chroma| (turn, chroma))) {
        let raster = picture(size(301, 203), Channels::Rgb);
        let bytes = (encoder.picture)(raster, target(chroma)).unwrap();
        let bytes = oriented(Format::Jpeg, bytes, turn);
        for spec in ["w151", "w33", "h25", "41x27c"] {
            let (jpeg, sides) = render(Format::Jpeg, &bytes, &format!("{spec}.jpg"));
            let (png, same) = render(Format::Jpeg, &bytes, &format!("{spec}.png"));
            assert_eq!(sides, same);
            let exact: Vec<_> =
                decoded(Format::Png, &png).pixels().iter().map(|it| f64::from(*it)).collect();
            let reached = likeness(decoded(Format::Jpeg, &jpeg).pixels(), &exact);
            assert!(reached > 36.0, "{turn:?} {chroma:?} {spec}: {reached:.2} dB");
        }
    }
}
