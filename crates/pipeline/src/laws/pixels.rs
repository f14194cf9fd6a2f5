//! Laws of the pixels of still images.

use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use super::{
    STILL, bmp_or_tiff, decoded, encode, encoded, oriented, picture, refine, render, size, written,
};
use crate::exif::Orientation;
use crate::format::jpeg::decoder::JPEG_DECODES;
use crate::job::{Fault, Job, Limits, Outcome};
use crate::raster::{Channels, Raster};
use crate::worker::serve::run;
use words::media_type::Format;
use words::rule::{Crop, Edge, Normal, Resize};

#[test]
fn bytes_in_their_normal_form_are_stored_untouched() {
    for format in STILL {
        let bytes = encoded(format, size(40, 30));
        let (outcome, output) = refine(format, &bytes, &Normal::default());
        assert_eq!(outcome, Outcome::Untouched { dimensions: size(40, 30) }, "{format:?}");
        assert!(output.is_empty());
    }
}

#[test]
fn a_jpeg_is_decoded_as_often_as_it_must_be() {
    let plain = encoded(Format::Jpeg, size(48, 32));
    let odd = encoded(Format::Jpeg, size(41, 31));
    let turned = |bytes: &Vec<u8>| oriented(Format::Jpeg, bytes.clone(), Orientation::Rotated90);
    let stored = |bytes: &[u8]| drop(refine(Format::Jpeg, bytes, &Normal::default()));
    let decodes = |work: &dyn Fn()| {
        let before = JPEG_DECODES.get();
        work();
        JPEG_DECODES.get() - before
    };
    assert_eq!(decodes(&|| stored(&plain)), 0, "kept as it is");
    assert_eq!(decodes(&|| stored(&turned(&plain))), 1, "turned without loss");
    assert_eq!(decodes(&|| stored(&turned(&odd))), 1, "turned by planes");
    let fit = Normal { fit: Some(size(8, 8)), ..Normal::default() };
    assert_eq!(decodes(&|| drop(refine(Format::Jpeg, &plain, &fit))), 1, "resized");
    assert_eq!(decodes(&|| drop(render(Format::Jpeg, &plain, "w16.webp"))), 1, "a variant");
}

#[test]
fn sizes_after_resize_and_crop_are_exact() {
    let crop = Crop {
        left: Edge::Pixels(10),
        top: Edge::Percent(50.0),
        right: Edge::Pixels(60),
        bottom: Edge::Percent(100.0),
    };
    for format in STILL {
        let bytes = encoded(format, size(40, 30));
        let resize = Some(Resize::Exact(size(100, 21)));
        let normal = Normal { resize, crop: Some(crop), ..Normal::default() };
        let (output, dimensions) = written(refine(format, &bytes, &normal));
        assert_eq!(dimensions, size(50, 10), "{format:?}");
        assert_eq!(decoded(format, &output).size(), dimensions, "{format:?}");
    }
}

#[test]
fn what_is_transparent_is_white_in_a_jpeg() {
    let raster = Raster::blank(size(16, 16), Channels::Rgba);
    let bytes = encode(Format::Png, raster);
    let normal = Normal { format: Some(Format::Jpeg), ..Normal::default() };
    let (output, _) = written(refine(Format::Png, &bytes, &normal));
    assert!(decoded(Format::Jpeg, &output).pixels().iter().all(|&value| value > 250));
}

#[test]
fn a_gray_image_stays_gray() {
    let raster = picture(size(32, 32), Channels::Gray);
    let bytes = encode(Format::Jpeg, raster);
    let (small, _) = render(Format::Jpeg, &bytes, "w16.jpg");
    assert_eq!(decoded(Format::Jpeg, &small).channels(), Channels::Gray);
    let (small, _) = render(Format::Jpeg, &bytes, "w16.png");
    assert_eq!(decoded(Format::Png, &small).channels(), Channels::Gray);
}

#[test]
fn cmyk_becomes_the_colours_that_it_prints() {
    // As Adobe writes it, 255 is no ink: cyan alone, then black alone.
    let mut compressor = turbojpeg::Compressor::new().unwrap();
    compressor.set_subsamp(turbojpeg::Subsamp::None).unwrap();
    compressor.set_quality(100).unwrap();
    let pixels = [[[0, 255, 255, 255]; 128], [[255, 255, 255, 0]; 128]].concat().concat();
    let image = turbojpeg::Image {
        pixels: pixels.as_slice(),
        width: 16,
        pitch: 64,
        height: 16,
        format: turbojpeg::PixelFormat::CMYK,
    };
    let bytes = compressor.compress_to_vec(image).unwrap();
    let (output, _) = render(Format::Jpeg, &bytes, "full.png");
    let raster = decoded(Format::Png, &output);
    let (pixels, _) = raster.pixels().as_chunks::<3>();
    let [r, g, b] = pixels[0];
    assert!(r < 10 && g > 245 && b > 245, "{r} {g} {b}");
    assert!(pixels[255].iter().all(|&value| value < 10), "{:?}", pixels[255]);
}

#[test]
fn sixteen_bits_stay_as_long_as_the_pixels_do() {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 8, 8);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Sixteen);
    encoder.write_header().unwrap().write_image_data(&[7; 8 * 8 * 6]).unwrap();
    let outcome = refine(Format::Png, &bytes, &Normal::default()).0;
    assert_eq!(outcome, Outcome::Untouched { dimensions: size(8, 8) });
    let (small, dimensions) = render(Format::Png, &bytes, "w4.png");
    assert_eq!((dimensions, decoded(Format::Png, &small).pixels()[0]), (size(4, 4), 7));
}

#[test]
fn quantising_makes_no_dark_pixel_transparent() {
    // More colours than a GIF holds, black among them, and two transparent pixels.
    let mut raster = picture(size(64, 64), Channels::Rgba);
    let (pixels, _) = raster.pixels_mut().as_chunks_mut::<4>();
    pixels[64..1024].fill([0, 0, 0, 255]);
    pixels[..2].fill([0; 4]);
    let bytes = encode(Format::Gif, raster);
    let shown = decoded(Format::Gif, &bytes);
    let (pixels, _) = shown.pixels().as_chunks::<4>();
    assert_eq!(pixels.iter().filter(|pixel| pixel[3] == 0).count(), 2);
}

#[test]
fn a_bmp_or_tiff_stays_or_becomes_another_format() {
    for format in [Format::Bmp, Format::Tiff] {
        let bytes = bmp_or_tiff(format);
        let outcome = refine(format, &bytes, &Normal::default()).0;
        assert_eq!(outcome, Outcome::Untouched { dimensions: size(40, 30) });
        let normal = Normal { format: Some(Format::Png), ..Normal::default() };
        let (output, _) = written(refine(format, &bytes, &normal));
        assert!(decoded(Format::Png, &output) == picture(size(40, 30), Channels::Rgb));
        let normal = Normal { fit: Some(size(10, 10)), ..Normal::default() };
        let outcome = refine(format, &bytes, &normal).0;
        assert!(matches!(outcome, Outcome::Fault(Fault::Unsupported(_))), "{outcome:?}");
        let outcome = refine(format, &bytes[..bytes.len() / 2], &Normal::default()).0;
        assert!(matches!(outcome, Outcome::Fault(_)), "{format:?}: {outcome:?}");
    }
}

#[test]
fn descriptors_are_used_from_their_start_wherever_their_cursors_are() {
    let bytes = encoded(Format::Png, size(40, 30));
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(&bytes).unwrap();
    let mut output = tempfile::tempfile().unwrap();
    output.write_all_at(&vec![7; 100_000], 0).unwrap();
    output.seek(SeekFrom::Start(500)).unwrap();
    let normal = Normal { fit: Some(size(8, 8)), ..Normal::default() };
    let job = Job::Refine { format: Format::Png, normal, limits: Limits::default() };
    let Outcome::Written { length, .. } = run(&job, &input, &output) else {
        panic!("nothing was written");
    };
    assert_eq!(output.metadata().unwrap().len(), length);
    let mut written = vec![0; usize::try_from(length).unwrap()];
    output.read_exact_at(&mut written, 0).unwrap();
    assert_eq!(decoded(Format::Png, &written).size(), size(8, 6));
}
