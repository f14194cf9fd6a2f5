//! Laws of what an AVIF is made of beside its pixels: alpha of tiles, crops, metadata, boxes without an end.

use super::avif::{Part, boxed, coded, extent, file, item, still};
use super::{decoded, encoded, header, picture, refine, render, size};
use crate::format::avif::container::strip;
use crate::image_header::{Flaw, Header};
use crate::job::{Fault, Outcome};
use crate::raster::{Channels, Raster};
use crate::step::crop::{Rect, cropped};
use words::media_type::Format;
use words::rule::Normal;

#[test]
fn alpha_that_lies_in_each_tile_is_shown_and_stored() {
    let whole = picture(size(128, 64), Channels::Rgba)
        .map(Channels::Rgba, |[r, g, b, _]: [u8; 4]| [r, g, b, r]);
    let mut items = vec![Part {
        kind: *b"grid",
        bytes: vec![0, 0, 0, 1, 0, 128, 0, 64],
        properties: vec![extent(128, 64)],
        references: vec![(*b"dimg", vec![2, 4])],
    }];
    for left in [0, 64] {
        let part = Rect { left, top: 0, size: size(64, 64) };
        let (colour, alpha) = coded(&still(cropped(whole.clone(), part)));
        let number = items.len() + 1;
        items.push(Part {
            kind: *b"av01",
            bytes: colour,
            properties: vec![extent(64, 64)],
            ..Part::default()
        });
        items.push(Part {
            kind: *b"av01",
            bytes: alpha.unwrap(),
            properties: vec![
                extent(64, 64),
                boxed(*b"auxC", &[&[0; 4], b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"]),
            ],
            references: vec![(*b"auxl", vec![number])],
        });
    }
    let bytes = file(&items, &[], &boxed(*b"free", &[b"x"]));
    let shown = decoded(Format::Avif, &bytes);
    let alpha =
        |raster: &Raster| raster.pixels().iter().skip(3).step_by(4).copied().collect::<Vec<u8>>();
    let furthest =
        alpha(&shown).iter().zip(alpha(&whole)).map(|(one, other)| one.abs_diff(other)).max();
    assert!(furthest < Some(12), "{furthest:?}");
    assert_eq!(decoded(Format::Avif, &strip(&bytes).unwrap()), shown);
    // Half of an alpha would be a picture that nobody made.
    items.pop();
    let outcome = refine(Format::Avif, &file(&items, &[], &[]), &Normal::default()).0;
    assert!(matches!(outcome, Outcome::Fault(Fault::Unsupported(_))), "{outcome:?}");
}

/// A `clap` property: width, height, and the offsets of its centre, all as fractions.
fn crop(numbers: [i32; 8]) -> Vec<u8> {
    boxed(*b"clap", &[&numbers.map(i32::to_be_bytes).concat()])
}

#[test]
fn a_crop_of_the_container_is_applied_before_its_turn() {
    let upright = decoded(Format::Avif, &file(&[item(&[])], &[], &[]));
    let quarter = boxed(*b"irot", &[&[1]]);
    // 32x16 of 64x48, its centre 8 to the left and 4 down of the picture's.
    let crop_box = crop([32, 1, 16, 1, -8, 1, 4, 1]);
    let bytes = file(&[item(&[&crop_box])], &[], &[]);
    let wanted = cropped(upright, Rect { left: 8, top: 20, size: size(32, 16) });
    assert_eq!(decoded(Format::Avif, &bytes), wanted);
    let turned = file(&[item(&[&crop_box, &quarter])], &[], &[]);
    assert_eq!(decoded(Format::Avif, &turned).size(), size(16, 32));
    for (bytes, shown) in [(bytes, size(32, 16)), (turned, size(16, 32))] {
        assert!(matches!(header(&bytes), Header::Image { dimensions, .. } if dimensions == shown));
        assert_eq!(
            refine(Format::Avif, &bytes, &Normal::default()).0,
            Outcome::Untouched { dimensions: shown }
        );
        assert_eq!(render(Format::Avif, &bytes, "full.png").1, shown);
    }
    for outside in [
        [65, 1, 16, 1, 0, 1, 0, 1],
        [32, 1, 16, 1, 17, 1, 0, 1],
        [32, 0, 16, 1, 0, 1, 0, 1],
        [0; 8],
    ] {
        let bytes = file(&[item(&[&crop(outside)])], &[], &[]);
        let outcome = refine(Format::Avif, &bytes, &Normal::default()).0;
        assert!(matches!(outcome, Outcome::Fault(Fault::Corrupt(_))), "{outside:?}: {outcome:?}");
    }
}

/// Our encoder's file with its `meta` box at the end, and the item's offset set to where the data is then.
fn meta_last(open_ended: bool) -> Vec<u8> {
    let bytes = encoded(Format::Avif, size(64, 48));
    let at = |kind: &[u8; 4]| bytes.windows(4).position(|four| four == kind).unwrap() - 4;
    let (meta, data) = (at(b"meta"), at(b"mdat"));
    let (brands, mut head, data) = (&bytes[..meta], bytes[meta..data].to_vec(), &bytes[data..]);
    let old = u32::try_from(brands.len() + head.len() + 8).unwrap().to_be_bytes();
    let new = u32::try_from(brands.len() + 8).unwrap().to_be_bytes();
    let place = head.windows(4).position(|four| four == old).unwrap();
    head[place..place + 4].copy_from_slice(&new);
    if open_ended {
        head[..4].fill(0);
    }
    [brands, data, &head].concat()
}

#[test]
fn the_size_is_found_wherever_its_box_lies_and_however_it_ends() {
    for bytes in [meta_last(false), meta_last(true)] {
        let told = header(&bytes);
        assert!(
            matches!(told, Header::Image { dimensions, .. } if dimensions == size(64, 48)),
            "{told:?}"
        );
        let (outcome, stored) = refine(Format::Avif, &bytes, &Normal::default());
        assert!(matches!(outcome, Outcome::Written { .. }), "{outcome:?}");
        assert_eq!(decoded(Format::Avif, &stored), decoded(Format::Avif, &bytes));
        assert!(matches!(header(&stored), Header::Image { .. }));
    }
}

#[test]
fn bytes_behind_the_last_box_are_dropped_as_behind_any_image() {
    let bytes = encoded(Format::Avif, size(64, 48));
    let trailing = [&bytes[..], b"\0\0\0\xFFjunk"].concat();
    let (outcome, stored) = refine(Format::Avif, &trailing, &Normal::default());
    assert!(matches!(outcome, Outcome::Written { .. }), "{outcome:?}");
    assert_eq!(decoded(Format::Avif, &stored), decoded(Format::Avif, &bytes));
    assert!(!stored.windows(4).any(|part| part == b"junk"));
    assert_eq!(strip(&stored).unwrap(), stored);
}

#[test]
fn a_header_is_refused_for_what_is_so() {
    let brands = boxed(*b"ftyp", &[b"avis\0\0\0\0avisavif"]);
    let words = |bytes: &[u8]| match header(bytes) {
        Header::Broken(Flaw::Fault(fault)) => fault,
        other => panic!("{other:?}"),
    };
    let moving = [brands.clone(), boxed(*b"moov", &[&[0; 40]])].concat();
    assert_eq!(words(&moving), Fault::Unsupported("animated AVIF is not read".into()));
    let empty = [brands, boxed(*b"mdat", &[&[0; 40]])].concat();
    assert_eq!(words(&empty), Fault::Corrupt("there is no image in the file".into()));
    // An item that lies in a box of four bytes, at an offset of 100.
    let handler = boxed(*b"hdlr", &[&[0; 8], b"pict", &[0; 13]]);
    let data = boxed(*b"idat", &[&[0; 4]]);
    let place = boxed(
        *b"iloc",
        &[&[1, 0, 0, 0, 0x44, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 100, 0, 0, 0, 4]],
    );
    let meta = boxed(*b"meta", &[&[0; 4], &handler, &data, &place]);
    let outside = [boxed(*b"ftyp", &[b"avif\0\0\0\0avifmif1"]), meta].concat();
    assert_eq!(
        words(&outside),
        Fault::Corrupt("an item lies outside of the box that holds it".into())
    );
}

#[test]
fn metadata_among_the_coded_pixels_is_not_decoded() {
    let mut part = item(&[]);
    let wanted = decoded(Format::Avif, &file(&[item(&[])], &[], &[]));
    // A unit (OBU) of metadata of ITU-T T.35 without a country: rav1d counts below zero in it.
    drop(part.bytes.splice(0..0, [0x2A, 2, 4, 0]));
    let bytes = file(&[part], &[], &[]);
    assert_eq!(decoded(Format::Avif, &bytes), wanted);
}
