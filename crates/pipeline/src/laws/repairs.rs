//! Laws of files whose container has faults: one that has all its pixels is taken, and stored without the faults; one that lacks
//! some, or contradicts itself, is refused.

use turbojpeg::Transform;

use super::{
    animated_gif, decoded, encode, encoded, header, picture, refine, size, survey, written,
};
use crate::format::codec;
use crate::format::codec::{Chroma, Repeat, Target};
use crate::format::png::container;
use crate::image_header::Header;
use crate::job::{Fault, Outcome};
use crate::raster::Channels;
use words::media_type::Format;
use words::rule::{Metadata, Normal};

/// Stores a file, which must be the picture of `whole` afterwards, with and without its metadata. One of which libjpeg-turbo does
/// not complain stays as it is.
#[track_caller]
fn assert_repaired(format: Format, bytes: &[u8], whole: &[u8], what: &str) {
    for metadata in [Metadata::Strip, Metadata::Keep] {
        let normal = Normal { metadata, ..Normal::default() };
        let (dimensions, output) = match refine(format, bytes, &normal) {
            (Outcome::Written { dimensions, .. }, output) => (dimensions, output),
            (Outcome::Untouched { dimensions }, _) => (dimensions, bytes.to_vec()),
            (outcome, _) => panic!("{what}: {outcome:?}"),
        };
        assert!(decoded(format, &output) == decoded(format, whole), "{what}");
        let again = refine(format, &output, &normal).0;
        assert_eq!(again, Outcome::Untouched { dimensions }, "{what}");
    }
}

#[track_caller]
fn assert_refused(format: Format, bytes: &[u8], what: &str) {
    for metadata in [Metadata::Strip, Metadata::Keep] {
        let normal = Normal { metadata, ..Normal::default() };
        let (outcome, output) = refine(format, bytes, &normal);
        assert!(matches!(outcome, Outcome::Fault(_)) && output.is_empty(), "{what}: {outcome:?}");
    }
}

/// JPEGs of all common samplings, each also progressive.
fn jpegs() -> Vec<(String, Vec<u8>)> {
    let encoder = codec(Format::Jpeg).encoder().unwrap();
    let mut found = Vec::new();
    for (chroma, channels) in [
        (Chroma::Full, Channels::Rgb),
        (Chroma::HalfWidth, Channels::Rgb),
        (Chroma::Quarter, Channels::Rgb),
        (Chroma::Quarter, Channels::Gray),
    ] {
        let target = Target { chroma, ..Target::of(90) };
        let plain = (encoder.picture)(picture(size(75, 53), channels), target).unwrap();
        let mut transform = Transform::default();
        transform.progressive = true;
        let progressive = turbojpeg::transform(&transform, &plain).unwrap().to_vec();
        let name = format!("{chroma:?} {channels:?}");
        found.extend([(format!("progressive {name}"), progressive), (name, plain)]);
    }
    found
}

/// The places of the markers with this code.
fn places(bytes: &[u8], code: u8) -> Vec<usize> {
    let windows = bytes.windows(2).enumerate();
    windows.filter(|(_, two)| *two == [0xFF, code]).map(|(at, _)| at).collect()
}

fn inserted(bytes: &[u8], at: usize, part: &[u8]) -> Vec<u8> {
    [&bytes[..at], part, &bytes[at..]].concat()
}

/// Bytes that no block needs: zeroes, stuffed bytes, text, and noise.
fn junk(length: usize) -> [Vec<u8>; 4] {
    let mut state = 7_u32;
    let noise = (0..length).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0] & 0x7F
    });
    let text = b"Samsung SEFT 0100 ".iter().copied().cycle().take(length).collect();
    [vec![0; length], [0xFF, 0].repeat(length), text, noise.collect()]
}

#[test]
fn bytes_behind_the_data_of_a_scan_are_dropped() {
    for (name, bytes) in jpegs() {
        let ends = places(&bytes, 0xDA).into_iter().map(|scan| {
            let marker = |two: &[u8]| two[0] == 0xFF && two[1] != 0;
            scan + 2 + bytes[scan + 2..].windows(2).position(marker).unwrap()
        });
        for end in ends {
            for length in [1, 29, 300] {
                let part = &junk(length)[(end + length) % 4];
                let longer = inserted(&bytes, end, part);
                let what = format!("{name} at {end}: {length} bytes, {:x?}", &part[..1]);
                assert_repaired(Format::Jpeg, &longer, &bytes, &what);
            }
        }
    }
}

#[test]
fn a_jpeg_without_its_end_marker_is_whole_where_every_block_is_there() {
    for (name, bytes) in jpegs() {
        let open = &bytes[..bytes.len() - 2];
        assert_repaired(Format::Jpeg, open, &bytes, &name);
        let trailer = [open, b"\0\0\x30\x01SEFHk\0\0\0\x01\0\0\0SEFT"].concat();
        assert_repaired(Format::Jpeg, &trailer, &bytes, &name);
        let cut = [&open[..open.len() - 6], b"\xFF\xD9"].concat();
        assert_refused(Format::Jpeg, &cut, &name);
        if let [_, .., last] = places(&bytes, 0xDA)[..] {
            assert_refused(Format::Jpeg, &bytes[..last], &format!("{name} without its last scan"));
        }
    }
}

#[test]
fn bytes_between_segments_are_dropped() {
    for (name, bytes) in jpegs() {
        for code in [0xDB, 0xC4, 0xDA] {
            let at = *places(&bytes, code).last().unwrap();
            for part in [&b"\xFF\0\xFF\0"[..], &[0; 300], b"\xFF\xD0\x12", &[0x41; 1000]] {
                let what = format!("{name} before {code:x}: {:x?}", &part[..2]);
                assert_repaired(Format::Jpeg, &inserted(&bytes, at, part), &bytes, &what);
            }
            let filled = inserted(&bytes, at, &[0xFF; 5]);
            let outcome = refine(Format::Jpeg, &filled, &Normal::default()).0;
            assert!(!matches!(outcome, Outcome::Fault(_)), "{name}: {outcome:?}");
            assert!(matches!(header(&filled), Header::Image { .. }));
        }
    }
}

#[test]
fn the_parameters_of_a_sequential_scan_are_set_right() {
    for (name, bytes) in jpegs().into_iter().filter(|(name, _)| !name.starts_with("prog")) {
        let scan = places(&bytes, 0xDA)[0];
        let at = scan + 2 + usize::from(bytes[scan + 3]) - 3;
        for parameters in [[0, 0, 0], [0, 63, 0x11], [1, 5, 2], [255, 255, 255]] {
            let mut odd = bytes.clone();
            odd[at..at + 3].copy_from_slice(&parameters);
            let (output, _) = written(refine(Format::Jpeg, &odd, &Normal::default()));
            assert!(output == bytes, "{name}: {parameters:?}");
        }
    }
}

#[test]
fn restart_markers_must_be_in_their_order_but_may_have_bytes_before_them() {
    let report = std::fs::read(samples::path("reports/j_extra_before_rst.jpg")).unwrap();
    let (whole, _) = written(refine(Format::Jpeg, &report, &Normal::default()));
    let restarts: Vec<_> = (0..8).flat_map(|number| places(&whole, 0xD0 | number)).collect();
    assert!(restarts.len() > 2);
    for at in &restarts {
        for part in [1, 17, 300].into_iter().flat_map(junk) {
            assert_repaired(Format::Jpeg, &inserted(&whole, *at, &part), &whole, "before RST");
        }
        let mut wrong = whole.clone();
        wrong[at + 1] ^= 3;
        assert_refused(Format::Jpeg, &wrong, "a wrong number");
        let missing = [&whole[..*at], &whole[at + 2..]].concat();
        assert_refused(Format::Jpeg, &missing, "no marker");
    }
}

#[test]
fn a_jpeg_whose_frame_is_not_that_of_its_data_is_refused() {
    for (name, bytes) in jpegs() {
        let frame = [0xC0, 0xC2].into_iter().find_map(|code| places(&bytes, code).first().copied());
        let height = frame.unwrap() + 6;
        for rows in [8, 24, 40, 72, 200] {
            let mut other = bytes.clone();
            other[height] = rows;
            assert_refused(Format::Jpeg, &other, &format!("{name} with {rows} rows"));
        }
    }
}

/// A part of a profile behind its number and the count of all.
type Part<'a> = (u8, u8, &'a [u8]);

fn with_icc(bytes: &[u8], parts: &[Part<'_>]) -> Vec<u8> {
    let mut segments = Vec::new();
    for (number, count, part) in parts {
        segments.extend([0xFF, 0xE2]);
        segments.extend(u16::try_from(part.len() + 16).unwrap().to_be_bytes());
        segments.extend(b"ICC_PROFILE\0");
        segments.extend([*number, *count]);
        segments.extend(*part);
    }
    inserted(bytes, 2, &segments)
}

#[test]
fn a_profile_stays_only_where_it_is_whole_and_one_of_such_pixels() {
    let plain = encoded(Format::Jpeg, size(48, 32));
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let gray = moxcms::ColorProfile::new_gray_with_gamma(2.2).encode().unwrap();
    let (one, two) = profile.split_at(200);
    let mut broken = profile.clone();
    broken[140..144].copy_from_slice(&[0xFF; 4]);
    let cases: [(&str, &[Part<'_>]); 8] = [
        ("twice", &[(1, 1, &profile), (1, 1, &profile)]),
        ("one of two", &[(1, 2, one)]),
        ("a count of none", &[(1, 0, &profile)]),
        ("two counts", &[(1, 2, one), (2, 3, two)]),
        ("a number of none", &[(0, 1, &profile)]),
        ("text", &[(1, 1, b"this is no profile")]),
        ("tags outside of it", &[(1, 1, &broken)]),
        ("of gray pixels", &[(1, 1, &gray)]),
    ];
    for (what, parts) in cases {
        let bytes = with_icc(&plain, parts);
        let (output, _) = written(refine(Format::Jpeg, &bytes, &Normal::default()));
        assert!(output == plain, "{what}");
    }
    // Readers sort the parts.
    let swapped = with_icc(&plain, &[(2, 2, two), (1, 2, one)]);
    let outcome = refine(Format::Jpeg, &swapped, &Normal::default()).0;
    assert_eq!(outcome, Outcome::Untouched { dimensions: size(48, 32) });
    assert_eq!(survey(Format::Jpeg, &swapped).profile, Some(profile));
}

/// The end of the header of a GIF, and of each block behind it.
fn gif_ends(bytes: &[u8]) -> Vec<usize> {
    let mut at = 13 + if bytes[10] & 0x80 == 0 { 0 } else { 3 << ((bytes[10] & 7) + 1) };
    let mut ends = vec![at];
    while bytes[at] != b';' {
        at += match bytes[at] {
            b'!' => 2,
            _ if bytes[at + 9] & 0x80 == 0 => 11,
            _ => 11 + (3 << ((bytes[at + 9] & 7) + 1)),
        };
        while bytes[at] > 0 {
            at += 1 + usize::from(bytes[at]);
        }
        at += 1;
        ends.push(at);
    }
    ends
}

#[test]
fn a_gif_needs_no_trailer_and_may_have_zeroes_between_its_blocks() {
    let bytes = animated_gif(Repeat::Times(3));
    let ends = gif_ends(&bytes);
    let (all, last) = (*ends.last().unwrap(), ends[ends.len() - 2]);
    assert_eq!(written(refine(Format::Gif, &bytes[..all], &Normal::default())).0, bytes);
    let filled = [&bytes[..all], &[0; 9]].concat();
    assert_eq!(written(refine(Format::Gif, &filled, &Normal::default())).0, bytes);
    for end in ends {
        let filled = inserted(&bytes, end, &[0; 3]);
        assert_eq!(written(refine(Format::Gif, &filled, &Normal::default())).0, bytes, "{end}");
    }
    // A control block whose frame is missing, and a frame that is not whole.
    assert_refused(Format::Gif, &bytes[..last], "no frame");
    assert_refused(Format::Gif, &bytes[..all - 1], "half a frame");
}

#[test]
fn an_unknown_extension_of_a_gif_is_dropped() {
    let bytes = animated_gif(Repeat::Times(3));
    let with_extension = inserted(&bytes, gif_ends(&bytes)[0], &[0x21, 0x42, 2, 7, 7, 0]);
    assert_eq!(written(refine(Format::Gif, &with_extension, &Normal::default())).0, bytes);
}

#[test]
fn a_gif_is_at_least_as_large_as_its_first_frame() {
    let bytes = encode(Format::Gif, picture(size(40, 30), Channels::Rgba));
    for (screen, offset) in [([0, 0], 0), ([10, 10], 0), ([40, 29], 0), ([200, 10], 3)] {
        let mut small = bytes.clone();
        small[6..10].copy_from_slice(&[screen[0], 0, screen[1], 0]);
        let image = gif_ends(&bytes)[0];
        let image = image + bytes[image..].iter().position(|byte| *byte == b',').unwrap();
        small[image + 1] = offset;
        let Header::Image { dimensions, .. } = header(&small) else { panic!("{screen:?}") };
        assert_eq!(dimensions, size(40, 30));
        assert_repaired(Format::Gif, &small, &bytes, &format!("{screen:?}"));
    }
}

/// A chunk with a wrong checksum.
fn wrong(kind: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut chunk = container::written(kind, payload);
    *chunk.last_mut().unwrap() ^= 1;
    chunk
}

#[test]
fn a_png_may_have_wrong_checksums_only_beside_its_pixels() {
    let bytes = encoded(Format::Png, size(40, 30));
    let at = |kind: &[u8]| bytes.windows(4).position(|it| it == kind).unwrap() - 4;
    let (pixels, end) = (at(b"IDAT"), at(b"IEND"));
    for (kind, payload) in [
        (b"tEXt", &b"Comment\0hello"[..]),
        (b"iTXt", b"Comment\0\0\0\0\0hello"),
        (b"gAMA", &[0, 1, 0x86, 0xA0]),
        (b"tIME", &[7, 0xEA, 11, 30, 12, 0, 0]),
        (b"prVt", b"private"),
    ] {
        for place in [pixels, end] {
            let longer = inserted(&bytes, place, &wrong(*kind, payload));
            assert_repaired(Format::Png, &longer, &bytes, &format!("{kind:?} at {place}"));
        }
    }
    for kind in [b"IHDR", b"IDAT", b"IEND"] {
        let mut wrong = bytes.clone();
        let start = at(kind);
        let length = u32::from_be_bytes(*wrong[start..].first_chunk().unwrap());
        wrong[start + 11 + usize::try_from(length).unwrap()] ^= 1;
        assert_refused(Format::Png, &wrong, &format!("{kind:?}"));
    }
}

#[test]
fn a_png_needs_no_end_but_all_of_its_pixels() {
    let bytes = encoded(Format::Png, size(40, 30));
    let end = bytes.len() - 12;
    assert_eq!(written(refine(Format::Png, &bytes[..end], &Normal::default())).0, bytes);
    let other = [&bytes[..end], b"\0\0\0\x09tEXtComm"].concat();
    assert_refused(Format::Png, &other, "half a chunk");
    assert_refused(Format::Png, &bytes[..end - 1], "half a checksum");
}

#[test]
fn a_jpeg_without_a_scan_of_a_component_is_refused() {
    for (name, bytes) in jpegs().into_iter().filter(|(name, _)| name.contains("Rgb")) {
        // The last component has another number than the scans know.
        let frame = [0xC0, 0xC2].into_iter().find_map(|code| places(&bytes, code).first().copied());
        let mut other = bytes.clone();
        other[frame.unwrap() + 16] = 77;
        assert_refused(Format::Jpeg, &other, &name);
    }
}

#[test]
fn a_png_loses_chunks_of_its_looks_that_libpng_would_not_take() {
    let bytes = encoded(Format::Png, size(40, 30));
    let pixels = bytes.windows(4).position(|it| it == b"IDAT").unwrap() - 4;
    for (kind, payload) in [
        (b"sRGB", &b"\0"[..]),
        (b"gAMA", &[0; 4]),
        (b"pHYs", b"123"),
        (b"cICP", &[12, 13, 1, 1]),
        (b"iCCP", b"name\0\0garbage"),
    ] {
        let longer = inserted(&bytes, pixels, &container::written(*kind, payload));
        let (output, _) = written(refine(Format::Png, &longer, &Normal::default()));
        assert!(output == bytes, "{kind:?}");
    }
}

#[test]
fn a_jpeg_of_more_than_eight_bits_is_refused_with_a_hint() {
    let (_, mut bytes) = jpegs().pop().unwrap();
    let frame = places(&bytes, 0xC0)[0];
    (bytes[frame + 1], bytes[frame + 4]) = (0xC1, 12);
    let outcome = refine(Format::Jpeg, &bytes, &Normal::default()).0;
    assert!(matches!(outcome, Outcome::Fault(Fault::Unsupported(_))), "{outcome:?}");
}
