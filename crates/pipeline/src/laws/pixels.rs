//! Laws of the pixels of still images.

use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;

use super::{
    STILL, bmp_or_tiff, decoded, encode, encoded, oriented, picture, refine, render, size, written,
};
use crate::exif::Orientation;
use crate::format::jpeg::decoder::JPEG_DECODES;
use crate::format::png::container;
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

/// The first pixel of a PNG with these chunks before its pixels, as a variant shows it.
fn shown(chunks: &[(&[u8; 4], &[u8])]) -> [u8; 3] {
    let bytes =
        encode(Format::Png, Raster::new(size(1, 1), Channels::Rgb, vec![200, 100, 50]).unwrap());
    // The encoder says sRGB, in 13 bytes behind IHDR.
    let more: Vec<u8> =
        chunks.iter().flat_map(|(kind, it)| container::written(**kind, it)).collect();
    let bytes = [&bytes[..33], &more, &bytes[46..]].concat();
    let (output, _) = render(Format::Png, &bytes, "full.png");
    decoded(Format::Png, &output).pixels().try_into().unwrap()
}

#[test]
fn the_colours_of_a_png_are_those_of_its_first_valid_chunk_of_four() {
    const LINEAR: (&[u8; 4], &[u8]) = (b"gAMA", &[0, 1, 0x86, 0xA0]);
    const SRGB: (&[u8; 4], &[u8]) = (b"sRGB", &[0]);
    const P3: (&[u8; 4], &[u8]) = (b"cICP", &[12, 13, 0, 1]);
    let plain = [200, 100, 50];
    assert_eq!(shown(&[]), plain);
    assert_eq!(shown(&[SRGB]), plain);
    assert_eq!(shown(&[(b"cICP", &[1, 13, 0, 1])]), plain);
    // Half the light is far more than half the number.
    let [r, g, b] = shown(&[LINEAR]);
    assert!((226..=229).contains(&r) && (166..=170).contains(&g) && (120..=124).contains(&b));
    assert_eq!(shown(&[SRGB, LINEAR]), plain);
    let [r, g, b] = shown(&[P3]);
    assert!(r > 205 && g < 100 && b < 45, "{r} {g} {b}");
    assert_eq!(shown(&[P3, SRGB, LINEAR]), [r, g, b]);
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let mut stored = Vec::new();
    let mut info = png::Info::with_size(1, 1);
    info.icc_profile = Some(profile.into());
    drop(png::Encoder::with_info(&mut stored, info).unwrap().write_header().unwrap());
    let at = stored.windows(4).position(|kind| kind == b"iCCP").unwrap();
    let length =
        usize::try_from(u32::from_be_bytes(*stored[at - 4..].first_chunk().unwrap())).unwrap();
    let icc = (b"iCCP", &stored[at + 4..at + 4 + length]);
    assert_eq!(shown(&[icc, LINEAR]), [r, g, b]);
    assert_eq!(shown(&[(b"cICP", &[1, 13, 0, 1]), icc]), plain);
    // A gamma and primaries of Adobe RGB.
    let side = |value: u32| value.to_be_bytes();
    let adobe = [31_270, 32_900, 64_000, 33_000, 21_000, 71_000, 15_000, 6_000].map(side).concat();
    let [r, g, b] = shown(&[(b"gAMA", &side(45_455)), (b"cHRM", &adobe)]);
    assert!(r > 225 && g < 103 && b < 50, "{r} {g} {b}");
}
