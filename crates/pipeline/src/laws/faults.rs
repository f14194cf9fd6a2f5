//! Laws of images that are refused: damaged, cut off or too large.

use std::io::Write;

use super::{
    STILL, animated_gif, bmp_or_tiff, decoded, encode, encoded, oriented, perform, picture, refine,
    size, written,
};
use crate::exif::Orientation;
use crate::format::codec::Repeat;
use crate::job::{Fault, Job, Limits, Outcome};
use crate::raster::Channels;
use crate::worker::serve::run;
use words::media_type::Format;
use words::rule::{Normal, Resize};

#[test]
fn an_image_cut_off_anywhere_is_refused_unless_only_its_end_marker_is_missing() {
    for (format, marker) in STILL.into_iter().zip([Some(2), Some(12), Some(1), None]) {
        let bytes = encoded(format, size(40, 30));
        for end in 0..bytes.len() {
            let (outcome, output) = refine(format, &bytes[..end], &Normal::default());
            if marker.is_some_and(|marker| end + marker == bytes.len()) {
                assert!(output == bytes, "{format:?} of {end} bytes: {outcome:?}");
                continue;
            }
            let refused =
                matches!(outcome, Outcome::Fault(Fault::Truncated(_) | Fault::Corrupt(_)));
            assert!(refused && output.is_empty(), "{format:?} of {end} bytes: {outcome:?}");
        }
    }
}

#[test]
fn a_damaged_jpeg_is_refused_whichever_way_it_would_be_turned() {
    // Sides that are multiples of the blocks, of the chroma samples only, and of neither.
    for sides in [size(48, 32), size(44, 30), size(43, 29)] {
        let bytes = encode(Format::Jpeg, picture(sides, Channels::Rgb));
        let bytes = oriented(Format::Jpeg, bytes, Orientation::Rotated90);
        let (_, upright) = written(refine(Format::Jpeg, &bytes, &Normal::default()));
        assert_eq!(upright, sides.swapped());
        let mut damaged = bytes;
        let end = damaged.len() - 2;
        damaged.drain(end - 8..end);
        let (outcome, _) = refine(Format::Jpeg, &damaged, &Normal::default());
        assert!(matches!(outcome, Outcome::Fault(_)), "{sides}: {outcome:?}");
    }
}

#[test]
fn every_damaged_byte_of_a_png_is_found() {
    let bytes = encoded(Format::Png, size(8, 8));
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x11;
        match refine(Format::Png, &damaged, &Normal::default()) {
            (Outcome::Fault(_), _) => {}
            // A chunk that is no part of the pixels is dropped.
            (Outcome::Written { .. }, output) => {
                let same = decoded(Format::Png, &output) == decoded(Format::Png, &bytes);
                assert!(same && output.len() < bytes.len(), "byte {at}");
            }
            (outcome, _) => panic!("byte {at}: {outcome:?}"),
        }
    }
}

#[test]
fn a_png_that_lacks_rows_is_refused() {
    let (tall, flat) = (encoded(Format::Png, size(8, 8)), encoded(Format::Png, size(8, 4)));
    // Signature and IHDR of the one, everything else of the other.
    let mixed = [&tall[..33], &flat[33..]].concat();
    let (outcome, _) = refine(Format::Png, &mixed, &Normal::default());
    assert!(matches!(outcome, Outcome::Fault(_)), "{outcome:?}");
}

#[test]
fn a_gif_whose_frame_lacks_pixels_is_refused() {
    let mut out = Vec::new();
    let mut encoder = gif::Encoder::new(&mut out, 8, 8, &[0, 0, 0, 255, 255, 255]).unwrap();
    let mut frame = gif::Frame::from_indexed_pixels(8, 4, vec![1; 32], None);
    frame.make_lzw_pre_encoded();
    frame.height = 8;
    encoder.write_lzw_pre_encoded_frame(&frame).unwrap();
    drop(encoder);
    let (outcome, _) = refine(Format::Gif, &out, &Normal::default());
    assert!(matches!(outcome, Outcome::Fault(_)), "{outcome:?}");
}

#[test]
fn limits_are_judged_on_headers() {
    let small = Limits { max_pixels: 1199, ..Limits::default() };
    for format in STILL {
        let bytes = encoded(format, size(40, 30));
        let job = Job::Refine { format, normal: Normal::default(), limits: small };
        let (outcome, _) = perform(&job, &bytes);
        let Outcome::Fault(Fault::Bomb { what, measured, allowed }) = outcome else {
            panic!("{format:?}: {outcome:?}");
        };
        assert_eq!((what.as_str(), measured, allowed), ("pixels", 1200, 1199));
    }
    for (format, limit) in [(Format::Bmp, 1199), (Format::Tiff, 1199)] {
        let bytes = bmp_or_tiff(format);
        let limits = Limits { max_pixels: limit, ..Limits::default() };
        let (outcome, _) =
            perform(&Job::Refine { format, normal: Normal::default(), limits }, &bytes);
        assert!(matches!(outcome, Outcome::Fault(Fault::Bomb { .. })), "{format:?}: {outcome:?}");
    }
    let bytes = animated_gif(Repeat::Forever);
    for limits in [
        Limits { max_frames: 2, ..Limits::default() },
        Limits { max_pixels: 1200, max_total_pixels: 3599, ..Limits::default() },
    ] {
        let job = Job::Refine { format: Format::Gif, normal: Normal::default(), limits };
        let (outcome, _) = perform(&job, &bytes);
        assert!(matches!(outcome, Outcome::Fault(Fault::Bomb { .. })), "{outcome:?}");
    }
}

#[test]
fn frames_larger_than_their_canvas_count_in_full() {
    let mut bytes = Vec::new();
    let mut encoder = gif::Encoder::new(&mut bytes, 2, 2, &[0, 0, 0, 9, 9, 9]).unwrap();
    for _ in 0..3 {
        let frame = gif::Frame::from_indexed_pixels(40, 30, vec![1; 1200], None);
        encoder.write_frame(&frame).unwrap();
    }
    drop(encoder);
    let judge = |max_total_pixels| {
        let limits = Limits { max_pixels: 1200, max_total_pixels, ..Limits::default() };
        let job = Job::Refine { format: Format::Gif, normal: Normal::default(), limits };
        perform(&job, &bytes).0
    };
    let Outcome::Written { dimensions, .. } = judge(3600) else { panic!("not taken") };
    assert_eq!(dimensions, size(40, 30));
    assert!(matches!(judge(3599), Outcome::Fault(Fault::Bomb { .. })));
}

#[test]
fn a_resize_makes_no_more_pixels_than_may_be_read() {
    let bytes = encoded(Format::Png, size(40, 30));
    let normal = Normal { resize: Some(Resize::Exact(size(60_000, 60_000))), ..Normal::default() };
    let (outcome, _) = refine(Format::Png, &bytes, &normal);
    assert!(matches!(outcome, Outcome::Fault(Fault::Bomb { .. })), "{outcome:?}");
}

#[test]
fn bytes_of_another_format_are_corrupt() {
    for format in STILL {
        let text = b"<html>this is no image, but it is long enough to be one</html>".repeat(3);
        let outcome = refine(format, &text, &Normal::default()).0;
        assert!(matches!(outcome, Outcome::Fault(Fault::Corrupt(_))), "{format:?}: {outcome:?}");
    }
}

#[test]
fn a_full_disk_is_an_output_fault_with_its_number() {
    let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else {
        return;
    };
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(&encoded(Format::Png, size(40, 30))).unwrap();
    let normal = Normal { fit: Some(size(8, 8)), ..Normal::default() };
    let job = Job::Refine { format: Format::Png, normal, limits: Limits::default() };
    assert_eq!(run(&job, &input, &full), Outcome::Fault(Fault::Output(28)));
}
