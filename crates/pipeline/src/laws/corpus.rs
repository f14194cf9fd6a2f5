//! Laws that hold for every photo and every hostile file of the corpus.

use std::path::Path;

use super::{encode, oriented, perform, refine, size};
use crate::exif::Orientation;
use crate::job::{Fault, Job, Limits, Outcome};
use crate::raster::{Channels, Raster};
use samples::{self, Sample};
use words::media_type::{Format, MediaType};
use words::rule::{Metadata, Normal};
use words::variant::Variant;

/// The files of a kind whose names are those of images.
fn images(kind: &str) -> Vec<(Sample, Format)> {
    let all = samples::all(kind).into_iter();
    all.filter_map(|sample| format(&sample.name).map(|format| (sample, format))).collect()
}

fn photos() -> Vec<(Sample, Format)> {
    let mut found = images("photos");
    found.push((Sample { name: "large.jpg".into(), bytes: large() }, Format::Jpeg));
    found
}

/// A JPEG of 24 megapixels with slopes of colour, from a camera that was held on its side.
fn large() -> Vec<u8> {
    let (width, height) = (6000, 4000);
    let slope: Vec<u8> = (0..=255).flat_map(|shade| [shade, shade / 2, 255 - shade]).collect();
    let slopes = slope.repeat((width + height) / 256 + 1);
    let rows = (0..height).map(|y| &slopes[3 * y..3 * (y + width)]);
    let pixels = rows.collect::<Vec<_>>().concat();
    let raster = Raster::new(size(6000, 4000), Channels::Rgb, pixels).unwrap();
    oriented(Format::Jpeg, encode(Format::Jpeg, raster), Orientation::Rotated90)
}

fn named<'a>(name: &str, all: &'a [(Sample, Format)]) -> &'a (Sample, Format) {
    all.iter().find(|(sample, _)| sample.name == name).unwrap()
}

fn format(name: &str) -> Option<Format> {
    let extension = Path::new(name).extension()?.to_str()?;
    MediaType::of_extension(extension)?.format()
}

#[test]
fn every_readable_photo_has_a_normal_form_that_is_its_own() {
    let normal = Normal::default();
    for (Sample { name, bytes }, format) in photos() {
        let (outcome, output) = refine(format, &bytes, &normal);
        match outcome {
            Outcome::Untouched { .. } => assert!(output.is_empty(), "{name}"),
            Outcome::Written { dimensions, length, .. } => {
                assert_eq!(length, output.len() as u64);
                let (outcome, _) = refine(format, &output, &normal);
                assert_eq!(outcome, Outcome::Untouched { dimensions }, "{name}");
            }
            Outcome::Fault(fault) => panic!("{name}: {fault:?}"),
        }
    }
}

#[test]
fn every_readable_photo_becomes_every_writable_format() {
    for (Sample { name, bytes }, format) in photos() {
        for extension in ["jpg", "png", "gif", "webp", "avif"] {
            let variant = Variant::parse(&format!("w32.{extension}")).unwrap();
            let limits = Limits::default();
            let job = Job::Render { format, variant, quality: None, limits };
            let (outcome, output) = perform(&job, &bytes);
            let Outcome::Written { format, dimensions, length } = outcome else {
                panic!("{name} to {extension}: {outcome:?}");
            };
            assert_eq!((format, dimensions.width), (variant.format, 32), "{name}");
            assert_eq!(length, output.len() as u64);
            if let Ok(found) = imagesize::blob_size(&output) {
                let found = (found.width, found.height);
                let told = (dimensions.width as usize, dimensions.height as usize);
                assert_eq!(found, told, "{name} to {extension}");
            }
        }
    }
}

#[test]
fn every_hostile_file_is_a_fault_unless_it_is_a_fine_image() {
    for (Sample { name, bytes }, format) in images("hostile") {
        let keep = Normal { metadata: Metadata::Keep, ..Normal::default() };
        for normal in [Normal::default(), keep] {
            let (outcome, output) = refine(format, &bytes, &normal);
            let fine = ["trail_zip.jpg", "ztxt_bomb.png"].contains(&name.as_str());
            let faulty = matches!(outcome, Outcome::Fault(_));
            assert_eq!(faulty, !fine, "{name}: {outcome:?}");
            assert!(!faulty || output.is_empty(), "{name} left bytes");
        }
    }
}

#[test]
fn a_fault_says_what_is_wrong() {
    let hostile = images("hostile");
    let fault = |name: &str| {
        let (sample, format) = named(name, &hostile);
        match refine(*format, &sample.bytes, &Normal::default()).0 {
            Outcome::Fault(fault) => fault,
            other => panic!("{name}: {other:?}"),
        }
    };
    for name in ["trunc_half.jpg", "trunc_head.jpg", "zero.jpg", "trunc.webp", "sig.png"] {
        assert!(matches!(fault(name), Fault::Truncated(_)), "{name}: {:?}", fault(name));
    }
    assert!(matches!(fault("corrupt_mid.jpg"), Fault::Corrupt(_)));
    for name in ["bomb_20k_rgb.png", "frames_100k.gif", "scan_bomb_2000.jpg", "dims_65500.jpg"] {
        assert!(matches!(fault(name), Fault::Bomb { .. }), "{name}: {:?}", fault(name));
    }
    assert!(matches!(fault("trunc.avif"), Fault::Truncated(_)), "{:?}", fault("trunc.avif"));
}

#[test]
fn what_follows_the_end_of_an_image_and_what_inflates_are_gone_when_stripped() {
    let hostile = images("hostile");
    for name in ["trail_zip.jpg", "ztxt_bomb.png"] {
        let (sample, format) = named(name, &hostile);
        let (outcome, bytes) = refine(*format, &sample.bytes, &Normal::default());
        assert!(matches!(outcome, Outcome::Written { .. }), "{outcome:?}");
        let gone = |part: &[u8]| !bytes.windows(part.len()).any(|window| window == part);
        assert!(gone(b"PK\x03\x04") && gone(b"zTXt"), "{name}");
    }
}

#[test]
fn a_photo_on_its_side_is_stored_upright() {
    let fit = Some(size(1600, 1600));
    let normal = Normal { fit, ..Normal::default() };
    let photo = std::fs::read(samples::path("photos/turned.jpg")).unwrap();
    let (outcome, bytes) = refine(Format::Jpeg, &photo, &normal);
    let Outcome::Written { format: Format::Jpeg, dimensions, .. } = outcome else {
        panic!("{outcome:?}");
    };
    assert_eq!(dimensions, size(1200, 1600));
    assert_eq!(refine(Format::Jpeg, &bytes, &normal).0, Outcome::Untouched { dimensions });
}
