//! Laws of everything that lies in a file beside its pixels.

use std::borrow::Cow;

use super::{
    STILL, WITH_EXIF, decoded, encoded, header, orientation, oriented, perform, picture, refine,
    render, size, survey, written,
};
use crate::exif::{self, Orientation};
use crate::format::codec;
use crate::job::{Fault, Job, Limits, Outcome};
use crate::raster::Channels;
use words::media_type::Format;
use words::rule::{Metadata, Normal};

#[test]
fn what_follows_the_end_of_an_image_is_dropped() {
    for format in STILL {
        let bytes = encoded(format, size(40, 30));
        let longer = [&bytes, b"PK\x03\x04 and a zip".as_slice()].concat();
        let (output, _) = written(refine(format, &longer, &Normal::default()));
        assert!(output == bytes, "{format:?}");
        let keep = Normal { metadata: Metadata::Keep, ..Normal::default() };
        let outcome = refine(format, &longer, &keep).0;
        assert_eq!(outcome, Outcome::Untouched { dimensions: size(40, 30) }, "{format:?}");
    }
}

#[test]
fn a_profile_larger_than_metadata_may_be_does_not_stay() {
    let mut profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    profile.resize(100_000, 0);
    let mut bytes = Vec::new();
    let mut info = png::Info::with_size(8, 8);
    info.color_type = png::ColorType::Rgb;
    info.bit_depth = png::BitDepth::Eight;
    info.icc_profile = Some(Cow::Borrowed(&profile));
    let encoder = png::Encoder::with_info(&mut bytes, info).unwrap();
    let raster = picture(size(8, 8), Channels::Rgb);
    encoder.write_header().unwrap().write_image_data(raster.pixels()).unwrap();
    let outcome = refine(Format::Png, &bytes, &Normal::default()).0;
    assert_eq!(outcome, Outcome::Untouched { dimensions: size(8, 8) });
    let limits = Limits { max_metadata: 10_000, ..Limits::default() };
    let job = Job::Refine { format: Format::Png, normal: Normal::default(), limits };
    let (output, _) = written(perform(&job, &bytes));
    assert!(!output.windows(4).any(|kind| kind == b"iCCP"));
}

#[test]
fn comments_go_and_the_scan_stays() {
    let bytes = encoded(Format::Jpeg, size(40, 30));
    let comment = [&[0xFF, 0xFE, 0, 8], b"secret".as_slice()].concat();
    let talking = [&bytes[..2], &comment, &bytes[2..]].concat();
    let (output, _) = written(refine(Format::Jpeg, &talking, &Normal::default()));
    assert!(output == bytes);
    let keep = Normal { metadata: Metadata::Keep, ..Normal::default() };
    let outcome = refine(Format::Jpeg, &talking, &keep).0;
    assert_eq!(outcome, Outcome::Untouched { dimensions: size(40, 30) });
}

#[test]
fn a_jpeg_of_whole_blocks_is_turned_without_loss() {
    let upright = encoded(Format::Jpeg, size(48, 32));
    let bytes = oriented(Format::Jpeg, upright.clone(), Orientation::Rotated90);
    let (output, dimensions) = written(refine(Format::Jpeg, &bytes, &Normal::default()));
    assert_eq!(dimensions, size(32, 48));
    assert_eq!(orientation(Format::Jpeg, &output), Orientation::Upright);
    let back = oriented(Format::Jpeg, output, Orientation::Rotated270);
    let (output, _) = written(refine(Format::Jpeg, &back, &Normal::default()));
    assert!(decoded(Format::Jpeg, &output) == decoded(Format::Jpeg, &upright));
}

fn with_profile(bytes: &[u8], profile: &[u8]) -> Vec<u8> {
    let length = u16::try_from(profile.len() + 16).unwrap().to_be_bytes();
    let name = b"ICC_PROFILE\0\x01\x01";
    [&bytes[..2], &[0xFF, 0xE2], &length, name, profile, &bytes[2..]].concat()
}

#[test]
fn a_jpeg_keeps_its_profile_while_its_pixels_keep_their_colours() {
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let plain = encoded(Format::Jpeg, size(48, 32));
    let holds = |bytes: &[u8]| survey(Format::Jpeg, bytes).profile;
    let wide = with_profile(&plain, &profile);
    let outcome = refine(Format::Jpeg, &wide, &Normal::default()).0;
    assert_eq!(outcome, Outcome::Untouched { dimensions: size(48, 32) });
    let lying = oriented(Format::Jpeg, wide.clone(), Orientation::Rotated180);
    let (output, _) = written(refine(Format::Jpeg, &lying, &Normal::default()));
    assert_eq!(holds(&output), Some(profile));
    let (output, _) = render(Format::Jpeg, &wide, "w24.jpg");
    assert_eq!(holds(&output), None);
    let (narrow, _) = render(Format::Jpeg, &plain, "w24.jpg");
    assert!(decoded(Format::Jpeg, &output) != decoded(Format::Jpeg, &narrow));
    let limits = Limits { max_metadata: 100, ..Limits::default() };
    let job = Job::Refine { format: Format::Jpeg, normal: Normal::default(), limits };
    let (outcome, _) = perform(&job, &wide);
    assert!(matches!(outcome, Outcome::Fault(Fault::Bomb { .. })), "{outcome:?}");
}

#[test]
fn an_image_on_its_side_is_stored_upright() {
    for format in WITH_EXIF {
        let plain = encoded(format, size(41, 29));
        let bytes = oriented(format, plain, Orientation::Rotated90);
        let (output, dimensions) = written(refine(format, &bytes, &Normal::default()));
        assert_eq!(dimensions, size(29, 41), "{format:?}");
        assert_eq!(orientation(format, &output), Orientation::Upright, "{format:?}");
        let raster = decoded(format, &output);
        assert_eq!(raster.size(), size(29, 41));
        // The stored top is blue to red from left to right; turned clockwise, it is the right edge.
        let (pixels, _) = raster.pixels().as_chunks::<3>();
        let (top, bottom) = (pixels[28], pixels[40 * 29 + 28]);
        assert!(top[0] < 60 && top[2] > 195 && bottom[0] > 195 && bottom[2] < 60, "{format:?}");
    }
}

#[test]
fn an_orientation_that_is_not_applied_is_all_that_is_left_of_the_metadata() {
    let normal = Normal { orient: false, ..Normal::default() };
    for format in WITH_EXIF {
        let bytes = oriented(format, encoded(format, size(40, 30)), Orientation::Rotated90);
        let longer = [&bytes, b"trailer".as_slice()].concat();
        let (output, dimensions) = written(refine(format, &longer, &normal));
        assert_eq!(orientation(format, &output), Orientation::Rotated90, "{format:?}");
        assert_eq!(dimensions, size(30, 40));
        let outcome = refine(format, &output, &normal).0;
        assert_eq!(outcome, Outcome::Untouched { dimensions }, "{format:?}");
        let (small, dimensions) = render(format, &output, "w15.png");
        assert_eq!((dimensions, decoded(Format::Png, &small).size()), (size(15, 20), size(15, 20)));
    }
}

#[test]
fn kept_metadata_is_carried_over_a_re_encoding_and_says_upright() {
    let fit = Some(size(20, 20));
    for format in WITH_EXIF {
        let bytes = oriented(format, encoded(format, size(40, 30)), Orientation::Rotated90);
        let normal = Normal { metadata: Metadata::Keep, fit, ..Normal::default() };
        let (output, dimensions) = written(refine(format, &bytes, &normal));
        let survey = survey(format, &output);
        assert_eq!(survey.exif, Some(exif::minimal(Orientation::Upright).to_vec()), "{format:?}");
        assert_eq!((dimensions, survey.size), (size(15, 20), size(15, 20)), "{format:?}");
    }
}

#[test]
fn an_orientation_is_applied_where_the_format_cannot_say_it() {
    let bytes = oriented(Format::Jpeg, encoded(Format::Jpeg, size(40, 30)), Orientation::Rotated90);
    let format = Some(Format::Gif);
    let normal = Normal { orient: false, format, ..Normal::default() };
    let (output, _) = written(refine(Format::Jpeg, &bytes, &normal));
    assert_eq!(decoded(Format::Gif, &output).size(), size(30, 40));
}

/// A structure whose orientation is a whole number of this type.
fn turned(kind: u8, little: bool) -> Vec<u8> {
    let short = |value: u16| if little { value.to_le_bytes() } else { value.to_be_bytes() };
    let long = |value: u32| if little { value.to_le_bytes() } else { value.to_be_bytes() };
    let value = match kind {
        1 | 6 => vec![6, 0, 0, 0],
        3 | 8 => [short(6), [0; 2]].concat(),
        _ => long(6).to_vec(),
    };
    let order = if little { b"II" } else { b"MM" };
    let entry = [&short(0x0112)[..], &short(kind.into()), &long(1), &value].concat();
    [&order[..], &short(42), &long(8), &short(1), &entry, &long(0)].concat()
}

#[test]
fn the_rules_judge_the_orientation_that_is_stored() {
    for format in WITH_EXIF {
        for (kind, little) in
            [1, 3, 4, 6, 8, 9].into_iter().flat_map(|kind| [(kind, true), (kind, false)])
        {
            let bytes = codec(format)
                .with_exif(encoded(format, size(40, 30)), &turned(kind, little))
                .unwrap();
            let what = format!("{format:?} {kind} {little}");
            assert_eq!(header(&bytes).dimensions(), Some(size(30, 40)), "{what}");
            let (output, dimensions) = written(refine(format, &bytes, &Normal::default()));
            assert_eq!(
                (dimensions, decoded(format, &output).size()),
                (size(30, 40), size(30, 40)),
                "{what}"
            );
            let fit = Some(size(20, 20));
            let normal = Normal { metadata: Metadata::Keep, fit, ..Normal::default() };
            let (output, dimensions) = written(refine(format, &bytes, &normal));
            assert_eq!(
                (header(&output).dimensions(), dimensions),
                (Some(size(15, 20)), size(15, 20)),
                "{what}"
            );
        }
    }
}

#[test]
fn an_orientation_that_no_reader_looks_for_counts_for_nobody() {
    // Behind the first scan of a JPEG; in a WebP whose flags do not announce it.
    let plain = encoded(Format::Jpeg, size(40, 30));
    let lying = oriented(Format::Jpeg, plain.clone(), Orientation::Rotated90);
    let exif = lying.len() - plain.len();
    let start = lying.windows(2).position(|two| two == [0xFF, 0xE1]).unwrap();
    let end = plain.len() - 2;
    let late = [&plain[..end], &lying[start..start + exif], &plain[end..]].concat();
    let mut silent =
        oriented(Format::Webp, encoded(Format::Webp, size(40, 30)), Orientation::Rotated90);
    silent[20] &= !8;
    for (format, bytes) in [(Format::Jpeg, late), (Format::Webp, silent)] {
        assert_eq!(header(&bytes).dimensions(), Some(size(40, 30)));
        let (output, dimensions) = written(refine(format, &bytes, &Normal::default()));
        assert_eq!((dimensions, decoded(format, &output).size()), (size(40, 30), size(40, 30)));
        let fit = Some(size(20, 20));
        let normal = Normal { metadata: Metadata::Keep, fit, ..Normal::default() };
        let (output, _) = written(refine(format, &bytes, &normal));
        assert_eq!(header(&output).dimensions(), Some(size(20, 15)));
    }
}
