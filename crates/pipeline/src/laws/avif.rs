//! Laws of the AVIF container, over pictures that our own encoder wrote.

use super::{decoded, encoded, header, picture, refine, render, size};
use crate::exif::Orientation;
use crate::format::avif::container::strip;
use crate::format::avif::plan::{Plan, plan};
use crate::format::codec;
use crate::format::codec::Target;
use crate::image_header::Header;
use crate::job::{Fault, Outcome};
use crate::raster::{Channels, Raster};
use crate::step::turn::turned;
use words::media_type::Format;
use words::rule::{Metadata, Normal};

pub fn boxed(kind: [u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let size = u32::try_from(body.len() + 8).unwrap().to_be_bytes();
    [&size[..], &kind, &body].concat()
}

fn short(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap().to_be_bytes()
}

fn long(number: usize) -> [u8; 4] {
    u32::try_from(number).unwrap().to_be_bytes()
}

/// An item of a file that a test assembles.
#[derive(Default)]
pub struct Part {
    pub kind: [u8; 4],
    pub bytes: Vec<u8>,
    /// Boxes, each essential.
    pub properties: Vec<Vec<u8>>,
    /// Kinds of references, and the numbers, from 1, of the items referred to.
    pub references: Vec<([u8; 4], Vec<usize>)>,
}

/// A file with these items, of which the first is the picture. `more` ends the `meta` box, `tail` the file.
pub fn file(items: &[Part], more: &[u8], tail: &[u8]) -> Vec<u8> {
    let brands = boxed(*b"ftyp", &[b"avif\0\0\0\0avifmif1miaf"]);
    let head = |data: usize| {
        let (mut places, mut infos) = (Vec::new(), Vec::new());
        let (mut references, mut links, mut properties) = (Vec::new(), Vec::new(), Vec::new());
        let (mut at, mut index) = (data, 0);
        for (number, item) in (1..).zip(items) {
            places.extend(
                [&short(number)[..], &short(0), &short(1), &long(at), &long(item.bytes.len())]
                    .concat(),
            );
            at += item.bytes.len();
            infos.extend(boxed(
                *b"infe",
                &[&[2, 0, 0, 0], &short(number), &[0, 0], &item.kind, &[0]],
            ));
            for (kind, to) in &item.references {
                let to = to.iter().flat_map(|to| short(*to)).collect::<Vec<_>>();
                references.extend(boxed(*kind, &[&short(number), &short(to.len() / 2), &to]));
            }
            links.extend(
                [&short(number)[..], &[u8::try_from(item.properties.len()).unwrap()]].concat(),
            );
            for property in &item.properties {
                index += 1;
                properties.extend_from_slice(property);
                links.push(0x80 | index);
            }
        }
        let count = short(items.len());
        let parts = [
            boxed(*b"hdlr", &[&[0; 8], b"pict", &[0; 13]]),
            boxed(*b"pitm", &[&[0; 4], &short(1)]),
            boxed(*b"iloc", &[&[0, 0, 0, 0, 0x44, 0], &count, &places]),
            boxed(*b"iinf", &[&[0; 4], &count, &infos]),
            boxed(*b"iref", &[&[0; 4], &references]),
            boxed(
                *b"iprp",
                &[
                    &boxed(*b"ipco", &[&properties]),
                    &boxed(*b"ipma", &[&[0; 4], &long(items.len()), &links]),
                ],
            ),
            more.to_vec(),
        ];
        boxed(*b"meta", &[&[0; 4], &parts.concat()])
    };
    let data: Vec<u8> = items.iter().flat_map(|item| item.bytes.iter().copied()).collect();
    let before = brands.len() + head(0).len() + 8;
    [brands, head(before), boxed(*b"mdat", &[&data]), tail.to_vec()].concat()
}

pub fn extent(width: u32, height: u32) -> Vec<u8> {
    boxed(*b"ispe", &[&[0; 4], &width.to_be_bytes(), &height.to_be_bytes()])
}

/// The coded pictures of a file of our encoder: colour, and alpha if there is one.
pub fn coded(bytes: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    let Plan { picture, alpha, .. } = plan(bytes).unwrap();
    let of = |tiles: &[Vec<std::ops::Range<usize>>]| bytes[tiles[0][0].clone()].to_vec();
    (of(&picture.tiles), alpha.map(|alpha| of(&alpha.tiles)))
}

pub fn still(raster: Raster) -> Vec<u8> {
    let encoder = codec(Format::Avif).encoder().unwrap();
    (encoder.picture)(raster, Target::of(100)).unwrap()
}

/// A picture of 64x48 as an item with further properties.
pub fn item(more: &[&[u8]]) -> Part {
    let (bytes, _) = coded(&encoded(Format::Avif, size(64, 48)));
    let mut properties = vec![extent(64, 48)];
    properties.extend(more.iter().map(|property| property.to_vec()));
    Part { kind: *b"av01", bytes, properties, references: Vec::new() }
}

#[track_caller]
fn alike(found: &Raster, wanted: &Raster, most: u8) {
    assert_eq!((found.size(), found.channels()), (wanted.size(), wanted.channels()));
    let pairs = found.pixels().iter().zip(wanted.pixels());
    let furthest = pairs.map(|(one, other)| one.abs_diff(*other)).max();
    assert!(furthest <= Some(most), "{furthest:?} apart");
}

#[test]
fn a_file_of_our_encoder_is_read_and_has_its_normal_form() {
    // The encoder itself chooses 10 bits a channel, and leaves out an opaque alpha.
    let opaque = picture(size(64, 48), Channels::Rgb);
    let clear = picture(size(64, 48), Channels::Rgba)
        .map(Channels::Rgba, |[r, g, b, _]: [u8; 4]| [r, g, b, 128]);
    for raster in [opaque, clear] {
        let bytes = still(raster.clone());
        alike(&decoded(Format::Avif, &bytes), &raster, 12);
        let outcome = refine(Format::Avif, &bytes, &Normal::default()).0;
        assert_eq!(outcome, Outcome::Untouched { dimensions: size(64, 48) });
        assert_eq!(strip(&bytes).unwrap(), bytes);
    }
}

#[test]
fn eight_and_ten_bits_a_channel_are_read() {
    let raster = picture(size(64, 48), Channels::Rgb);
    let pixels: Vec<_> =
        raster.pixels().chunks(3).map(|p| ravif::RGB8::new(p[0], p[1], p[2])).collect();
    for depth in [ravif::BitDepth::Eight, ravif::BitDepth::Ten] {
        for model in [ravif::ColorModel::YCbCr, ravif::ColorModel::RGB] {
            let encoder = ravif::Encoder::new().with_quality(100.0).with_speed(10);
            let encoder = encoder.with_bit_depth(depth).with_internal_color_model(model);
            let image = encoder.encode_rgb(ravif::Img::new(&pixels[..], 64, 48)).unwrap();
            alike(&decoded(Format::Avif, &image.avif_file), &raster, 12);
        }
    }
}

#[test]
fn alpha_is_read_and_taken_out_of_colours_that_it_was_multiplied_into() {
    let half = |pixel: [u8; 4]| [pixel[0] / 2, pixel[1] / 2, pixel[2] / 2, 128];
    let whole = picture(size(64, 48), Channels::Rgba);
    let multiplied = whole.map(Channels::Rgba, half);
    let (colour, alpha) = coded(&still(multiplied.clone()));
    let mut items = [
        Part { kind: *b"av01", bytes: colour, properties: vec![extent(64, 48)], ..Part::default() },
        Part {
            kind: *b"av01",
            bytes: alpha.unwrap(),
            properties: vec![
                extent(64, 48),
                boxed(*b"auxC", &[&[0; 4], b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0"]),
            ],
            references: vec![(*b"auxl", vec![1])],
        },
    ];
    alike(&decoded(Format::Avif, &file(&items, &[], &[])), &multiplied, 12);
    items[0].references = vec![(*b"prem", vec![2])];
    let wanted = whole.map(Channels::Rgba, |[r, g, b, _]: [u8; 4]| [r, g, b, 128]);
    alike(&decoded(Format::Avif, &file(&items, &[], &[])), &wanted, 24);
}

#[test]
fn a_grid_of_tiles_is_one_picture() {
    let whole = picture(size(120, 90), Channels::Rgb);
    let mut items = vec![Part {
        kind: *b"grid",
        bytes: [&[0, 0, 1, 1][..], &short(120), &short(90)].concat(),
        properties: vec![extent(120, 90)],
        references: vec![(*b"dimg", vec![2, 3, 4, 5])],
    }];
    for (top, left) in [(0, 0), (0, 64), (64, 0), (64, 64)] {
        let mut tile = Raster::blank(size(64, 64), Channels::Rgb);
        for (y, row) in tile.pixels_mut().chunks_exact_mut(64 * 3).enumerate() {
            for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
                let (x, y) = ((left + x).min(119), (top + y).min(89));
                pixel.copy_from_slice(&whole.pixels()[(y * 120 + x) * 3..][..3]);
            }
        }
        let (bytes, _) = coded(&still(tile));
        items.push(Part {
            kind: *b"av01",
            bytes,
            properties: vec![extent(64, 64)],
            ..Part::default()
        });
    }
    let bytes = file(&items, &[], &[]);
    alike(&decoded(Format::Avif, &bytes), &whole, 16);
    // Stripped of the box behind it, it shows the same picture.
    let stripped = strip(&[&bytes[..], &boxed(*b"free", &[b"secret"])].concat()).unwrap();
    assert_eq!(decoded(Format::Avif, &stripped), decoded(Format::Avif, &bytes));
    items[0].references = vec![(*b"dimg", vec![2, 3, 4])];
    let few = refine(Format::Avif, &file(&items, &[], &[]), &Normal::default()).0;
    assert!(matches!(few, Outcome::Fault(Fault::Corrupt(_))), "{few:?}");
}

#[test]
fn turns_and_mirrors_of_the_container_are_applied_in_their_order() {
    let upright = decoded(Format::Avif, &file(&[item(&[])], &[], &[]));
    let quarter = |angle: u8| boxed(*b"irot", &[&[angle]]);
    let mirror = |axis: u8| boxed(*b"imir", &[&[axis]]);
    // Quarter turns count against the clock; axis 0 exchanges top and bottom.
    for (steps, orientation) in [
        (vec![quarter(1)], Orientation::Rotated270),
        (vec![quarter(2)], Orientation::Rotated180),
        (vec![quarter(3)], Orientation::Rotated90),
        (vec![mirror(0)], Orientation::FlippedVertically),
        (vec![mirror(1)], Orientation::FlippedHorizontally),
        (vec![quarter(1), mirror(0)], Orientation::Transposed),
        (vec![quarter(1), mirror(1)], Orientation::Transversed),
        (vec![mirror(0), quarter(3)], Orientation::Transposed),
        (vec![quarter(2), mirror(1)], Orientation::FlippedVertically),
    ] {
        let steps: Vec<&[u8]> = steps.iter().map(Vec::as_slice).collect();
        let bytes = file(&[item(&steps)], &[], &[]);
        let shown = turned(upright.clone(), orientation);
        assert_eq!(decoded(Format::Avif, &bytes), shown, "{orientation:?}");
        let told = header(&bytes);
        assert!(matches!(told, Header::Image { dimensions, .. } if dimensions == shown.size()));
        // A turn is no metadata: it stays, and is applied once.
        let outcome = refine(Format::Avif, &bytes, &Normal::default()).0;
        assert_eq!(outcome, Outcome::Untouched { dimensions: shown.size() });
        let (png, dimensions) = render(Format::Avif, &bytes, "full.png");
        assert_eq!((decoded(Format::Png, &png), dimensions), (shown.clone(), shown.size()));
    }
}

#[test]
fn nothing_but_the_picture_is_kept_when_metadata_is_stripped() {
    let exif = Part {
        kind: *b"Exif",
        bytes: b"GPS in here".to_vec(),
        references: vec![(*b"cdsc", vec![1])],
        ..Part::default()
    };
    let unused = boxed(*b"udes", &[b"GPS in here"]);
    let stripped_file = file(&[item(&[])], &[], &[]);
    assert_eq!(strip(&stripped_file).unwrap(), stripped_file);
    let files = [
        file(&[item(&[]), exif], &[], &[]),
        file(&[item(&[])], &boxed(*b"uuid", &[b"GPS in here"]), &[]),
        file(&[item(&[])], &[], &boxed(*b"free", &[b"GPS in here"])),
        file(&[item(&[]), Part { properties: vec![unused], ..Part::default() }], &[], &[]),
        [
            &stripped_file[..stripped_file.len() - item(&[]).bytes.len() - 8],
            &boxed(*b"mdat", &[&item(&[]).bytes, b"GPS in here"]),
        ]
        .concat(),
    ];
    for (number, bytes) in files.into_iter().enumerate() {
        let (outcome, stripped) = refine(Format::Avif, &bytes, &Normal::default());
        assert!(matches!(outcome, Outcome::Written { .. }), "{number}: {outcome:?}");
        assert!(!stripped.windows(3).any(|part| part == b"GPS"), "{number}");
        assert_eq!(
            decoded(Format::Avif, &stripped),
            decoded(Format::Avif, &stripped_file),
            "{number}"
        );
        assert_eq!(
            strip(&stripped).unwrap(),
            stripped,
            "{number}: stripping twice is stripping once"
        );
        let keep = Normal { metadata: Metadata::Keep, ..Normal::default() };
        let kept = refine(Format::Avif, &bytes, &keep).0;
        assert_eq!(kept, Outcome::Untouched { dimensions: size(64, 48) }, "{number}");
    }
}

#[test]
fn an_avif_that_is_cut_short_is_a_fault() {
    let bytes = still(picture(size(64, 48), Channels::Rgb));
    for end in 0..bytes.len() {
        let outcome = refine(Format::Avif, &bytes[..end], &Normal::default()).0;
        assert!(matches!(outcome, Outcome::Fault(_)), "{end} bytes: {outcome:?}");
    }
}

/// The container, unlike the picture in it, is read in the daemon, too, where nothing may panic.
#[test]
fn a_damaged_container_is_answered_whatever_a_byte_is_changed_to() {
    let bytes = still(picture(size(64, 48), Channels::Rgb));
    for at in 0..bytes.len() {
        for value in [0, 1, 0x7F, 0x80, 0xFF] {
            let mut damaged = bytes.clone();
            damaged[at] = value;
            let _ = (plan(&damaged).is_ok(), strip(&damaged).is_ok());
            let _ = header(&damaged);
        }
    }
}

#[test]
fn an_unknown_essential_property_is_refused() {
    let unknown = file(&[item(&[&boxed(*b"xyzw", &[])])], &[], &[]);
    let outcome = refine(Format::Avif, &unknown, &Normal::default()).0;
    assert!(matches!(outcome, Outcome::Fault(Fault::Unsupported(_))), "{outcome:?}");
    let moving = [file(&[item(&[])], &[], &[]), boxed(*b"moov", &[])].concat();
    let outcome = refine(Format::Avif, &moving, &Normal::default()).0;
    assert!(matches!(outcome, Outcome::Fault(Fault::Unsupported(_))), "{outcome:?}");
}

#[test]
fn an_avif_that_lies_about_its_size_is_refused() {
    let mut lying = item(&[]);
    lying.properties[0] = extent(65, 48);
    let outcome = refine(Format::Avif, &file(&[lying], &[], &[]), &Normal::default()).0;
    assert!(matches!(outcome, Outcome::Fault(Fault::Corrupt(_))), "{outcome:?}");
    let mut bomb = item(&[]);
    bomb.properties[0] = extent(60_000, 60_000);
    let outcome = refine(Format::Avif, &file(&[bomb], &[], &[]), &Normal::default()).0;
    assert!(matches!(outcome, Outcome::Fault(Fault::Bomb { .. })), "{outcome:?}");
}
