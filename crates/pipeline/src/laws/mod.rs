//! Tests of whole jobs over small images that are made here, then damaged, and over the corpus.

mod animation;
mod avif;
mod avif_parts;
mod corpus;
mod faults;
mod formats;
mod kinds;
mod metadata;
mod pixels;
mod quality;
mod repairs;
mod reports;
mod tiff;
mod tiff_file;
mod tiff_kinds;

use std::io::{Cursor, Read, Seek, Write};

use crate::exif::{self, Orientation};
use crate::format::codec;
use crate::format::codec::{Chroma, Frame, Repeat, Source, Target};
use crate::format::survey::Survey;
use crate::image_header::{self, Header};
use crate::job::{Job, Limits, Outcome};
use crate::raster::{Channels, Raster};
use crate::worker::serve::run;
use words::dimensions::Dimensions;
use words::media_type::Format;
use words::rule::Normal;
use words::variant::Variant;

fn size(width: u32, height: u32) -> Dimensions {
    Dimensions::new(width, height)
}

/// A picture without two equal pixels side by side.
fn picture(size: Dimensions, channels: Channels) -> Raster {
    let shade = |value: u32, length: u32| u8::try_from(value * 255 / length).unwrap();
    let pixels = (0..size.height)
        .flat_map(|y| (0..size.width).map(move |x| (x, y)))
        .flat_map(|(x, y)| {
            let (x, y) = (shade(x, size.width), shade(y, size.height));
            let all = [x, y, 255 - x, 255];
            match channels {
                Channels::GrayAlpha => vec![x / 2 + y / 2, 255],
                _ => all[..channels.count()].to_vec(),
            }
        })
        .collect();
    Raster::new(size, channels, pixels).unwrap()
}

/// A picture in a format, at the quality of what is stored.
fn encode(format: Format, raster: Raster) -> Vec<u8> {
    let encoder = codec(format).encoder().unwrap();
    (encoder.picture)(raster, Target::of(encoder.qualities.stored)).unwrap()
}

fn encoded(format: Format, size: Dimensions) -> Vec<u8> {
    let encoder = codec(format).encoder().unwrap();
    let target = Target { chroma: Chroma::Full, ..Target::of(encoder.qualities.stored) };
    (encoder.picture)(picture(size, Channels::Rgb), target).unwrap()
}

fn perform(job: &Job, bytes: &[u8]) -> (Outcome, Vec<u8>) {
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(bytes).unwrap();
    let mut output = tempfile::tempfile().unwrap();
    let outcome = run(job, &input, &output);
    let mut bytes = Vec::new();
    output.rewind().unwrap();
    output.read_to_end(&mut bytes).unwrap();
    (outcome, bytes)
}

fn refine(format: Format, bytes: &[u8], normal: &Normal) -> (Outcome, Vec<u8>) {
    let limits = Limits::default();
    perform(&Job::Refine { format, normal: normal.clone(), limits }, bytes)
}

/// The bytes and size of a job that must have written something.
fn written((outcome, bytes): (Outcome, Vec<u8>)) -> (Vec<u8>, Dimensions) {
    match outcome {
        Outcome::Written { dimensions, length, .. } => {
            assert_eq!(length, bytes.len() as u64);
            (bytes, dimensions)
        }
        other => panic!("nothing was written: {other:?}"),
    }
}

fn render(format: Format, bytes: &[u8], variant: &str) -> (Vec<u8>, Dimensions) {
    let variant = Variant::parse(variant).unwrap();
    let limits = Limits::default();
    written(perform(&Job::Render { format, variant, quality: None, limits }, bytes))
}

fn decoded(format: Format, bytes: &[u8]) -> Raster {
    let (codec, survey, limits) = (codec(format), survey(format, bytes), Limits::default());
    let source = Source { codec, bytes, survey: &survey, limits: &limits };
    (codec.picture)(&source, survey.size).unwrap().raster
}

/// The header of a complete file.
fn header(bytes: &[u8]) -> Header {
    image_header::of_file(bytes, &tempfile::tempfile().unwrap()).unwrap()
}

fn survey(format: Format, bytes: &[u8]) -> Survey {
    codec(format).survey(bytes, &Limits::default()).unwrap()
}

fn orientation(format: Format, bytes: &[u8]) -> Orientation {
    survey(format, bytes).orientation
}

fn oriented(format: Format, bytes: Vec<u8>, turn: Orientation) -> Vec<u8> {
    codec(format).with_exif(bytes, &exif::minimal(turn)).unwrap()
}

const STILL: [Format; 4] = [Format::Jpeg, Format::Png, Format::Gif, Format::Webp];
const WITH_EXIF: [Format; 3] = [Format::Jpeg, Format::Png, Format::Webp];

const SCENES: [([u8; 3], u32); 3] = [([200, 30, 30], 120), ([30, 200, 30], 250), ([0, 0, 0], 70)];

/// Three frames of 40x30, each of one colour with a transparent part that moves.
fn animated(format: Format, repeat: Repeat) -> Vec<u8> {
    let encoder = codec(format).encoder().unwrap();
    let target = Target::of(100);
    let mut animation = encoder.animation.unwrap()(size(40, 30), repeat, target).unwrap();
    for (at, ([r, g, b], duration)) in SCENES.into_iter().enumerate() {
        let mut raster = Raster::blank(size(40, 30), Channels::Rgba);
        let (pixels, _) = raster.pixels_mut().as_chunks_mut::<4>();
        pixels.fill([r, g, b, 255]);
        pixels[at * 400..][..400].fill([0; 4]);
        animation.add(Frame { raster, duration }).unwrap();
    }
    animation.finish().unwrap()
}

fn animated_gif(repeat: Repeat) -> Vec<u8> {
    animated(Format::Gif, repeat)
}

fn bmp_or_tiff(format: Format) -> Vec<u8> {
    let raster = picture(size(40, 30), Channels::Rgb);
    if format == Format::Tiff {
        return tiff_file::Page::of(&raster).file();
    }
    let image = image::RgbImage::from_raw(40, 30, raster.into_pixels()).unwrap();
    let mut out = Cursor::new(Vec::new());
    image.write_to(&mut out, image::ImageFormat::Bmp).unwrap();
    out.into_inner()
}
