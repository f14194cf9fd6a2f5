//! Laws of the pixels of TIFF, over files that are assembled here in every way in which the format stores them.

use std::io::Write;

use super::tiff_file::{Order, Page, file, number};
use super::{decoded, encode, orientation, picture, refine, size, written};
use crate::exif::Orientation;
use crate::job::{Fault, Outcome};
use crate::raster::{Channels, Raster};
use words::media_type::Format;
use words::rule::Normal;

/// The pixels that a field with `format = "png"` stores.
#[track_caller]
pub fn shown(bytes: &[u8]) -> Raster {
    let normal = Normal { format: Some(Format::Png), ..Normal::default() };
    let (png, _) = written(refine(Format::Tiff, bytes, &normal));
    decoded(Format::Png, &png)
}

/// The words of an unsupported kind.
#[track_caller]
pub fn refused(bytes: &[u8]) -> String {
    let normal = Normal { format: Some(Format::Png), ..Normal::default() };
    match refine(Format::Tiff, bytes, &normal).0 {
        Outcome::Fault(Fault::Unsupported(words)) => words,
        other => panic!("{other:?}"),
    }
}

fn pack_bits(bytes: &[u8]) -> Vec<u8> {
    // A literal and a run of one of each two bytes.
    bytes
        .chunks(2)
        .flat_map(|pair| match *pair {
            [one, other] if one == other => vec![0xFF, one],
            _ => [&[u8::try_from(pair.len() - 1).unwrap()], pair].concat(),
        })
        .collect()
}

fn lzw(bytes: &[u8]) -> Vec<u8> {
    weezl::encode::Encoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8).encode(bytes).unwrap()
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstandard(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// Differences of each byte to the one `step` before it, in each row of `pitch` bytes.
fn differences(bytes: &[u8], pitch: usize, step: usize) -> Vec<u8> {
    let row = |row: &[u8]| {
        let before = |at: usize| at.checked_sub(step).map_or(0, |at| row[at]);
        (0..row.len()).map(|at| row[at].wrapping_sub(before(at))).collect::<Vec<_>>()
    };
    bytes.chunks(pitch).flat_map(row).collect()
}

#[test]
fn every_packing_order_and_cut_shows_the_same_pixels() {
    let raster = picture(size(70, 50), Channels::Rgb);
    let cuts = [(70, 50), (70, 16), (32, 32), (16, 48)];
    for (width, height) in cuts {
        for is_planar in [false, true] {
            let page = Page::of(&raster).cut(&raster, size(width, height), is_planar);
            let pitch = width as usize * if is_planar { 1 } else { 3 };
            let step = if is_planar { 1 } else { 3 };
            let predicted = |pack: fn(&[u8]) -> Vec<u8>| {
                move |bytes: &[u8]| pack(&differences(bytes, pitch, step))
            };
            let pages = [
                page.clone(),
                page.clone().packed(32773, pack_bits),
                page.clone().packed(5, lzw),
                page.clone().packed(8, deflated),
                page.clone().packed(32946, deflated),
                page.clone().packed(50000, zstandard),
                page.clone().packed(5, predicted(lzw)).with(317, &[2]),
                page.clone().packed(8, predicted(deflated)).with(317, &[2]),
                page.clone()
                    .packed(1, |bytes| bytes.iter().map(|byte| byte.reverse_bits()).collect())
                    .with(266, &[2]),
            ];
            for (number, page) in pages.iter().enumerate() {
                for order in [Order::Little, Order::Big, Order::Wide] {
                    let found = shown(&file(std::slice::from_ref(page), order));
                    assert!(found == raster, "{width}x{height} {is_planar} {number}");
                }
            }
        }
    }
}

#[test]
fn samples_of_every_size_become_eight_bits() {
    let shades = |bits: u32, most: u32, order: Order| {
        let samples: Vec<u32> =
            (0..16).map(|one| u32::try_from(u64::from(most) * one / 15).unwrap()).collect();
        let bytes = if matches!(bits, 16 | 32) {
            samples.iter().flat_map(|one| number(*one as usize, bits as usize / 8, order)).collect()
        } else {
            let all = samples.iter().flat_map(|one| (0..bits).rev().map(move |bit| one >> bit & 1));
            let all: Vec<u32> = all.collect();
            all.chunks(8)
                .map(|byte| {
                    byte.iter()
                        .enumerate()
                        .fold(0, |sum, (at, bit)| sum | u8::try_from(*bit).unwrap() << (7 - at))
                })
                .collect()
        };
        let wanted: Vec<u8> = samples
            .iter()
            .map(|one| {
                u8::try_from((u64::from(*one) * 255 + u64::from(most) / 2) / u64::from(most))
                    .unwrap()
            })
            .collect();
        (Page::new(size(16, 1), bits, 1, 1, bytes), wanted)
    };
    for bits in [1, 2, 4, 8, 10, 12, 16, 24, 32] {
        for order in [Order::Little, Order::Big] {
            let most = u32::MAX >> (32 - bits);
            let (page, wanted) = shades(bits, most, order);
            let found = shown(&file(std::slice::from_ref(&page), order));
            assert_eq!(found.pixels(), wanted, "{bits} bits");
            let negative = file(&[page.with(262, &[0])], order);
            let inverted: Vec<u8> = wanted.iter().map(|shade| 255 - shade).collect();
            assert_eq!(shown(&negative).pixels(), inverted, "{bits} bits, white is zero");
        }
    }
}

#[test]
fn alpha_is_kept_and_divided_out_of_colours_that_it_was_multiplied_into() {
    let whole = picture(size(16, 8), Channels::Rgba)
        .map(Channels::Rgba, |[r, g, b, _]: [u8; 4]| [r, g, b, 128]);
    assert_eq!(shown(&Page::of(&whole).with(338, &[2]).file()), whole);
    let half = |value: u8| u8::try_from((u16::from(value) * 128 + 127) / 255).unwrap();
    let multiplied =
        whole.map(Channels::Rgba, |[r, g, b, a]: [u8; 4]| [half(r), half(g), half(b), a]);
    let found = shown(&Page::of(&multiplied).with(338, &[1]).file());
    let furthest =
        found.pixels().iter().zip(whole.pixels()).map(|(one, other)| one.abs_diff(*other)).max();
    assert!(furthest <= Some(1), "{furthest:?}");
    let gray = whole.map(Channels::GrayAlpha, |[r, ..]: [u8; 4]| [r, 77]);
    assert_eq!(shown(&Page::of(&gray).with(338, &[2]).file()), gray);
    // An extra sample that is no alpha is no part of what is shown.
    let found = shown(&Page::of(&whole).with(338, &[0]).file());
    assert_eq!(found, whole.map(Channels::Rgb, |[r, g, b, _]: [u8; 4]| [r, g, b]));
}

#[test]
fn palettes_have_colours_of_sixteen_bits_or_of_eight() {
    let colours = [[255, 0, 0], [0, 255, 0], [10, 20, 30], [255, 255, 255]];
    let map = |scale: u32| -> Vec<u32> {
        (0..3).flat_map(|one| colours.map(move |colour: [u32; 3]| colour[one] * scale)).collect()
    };
    for scale in [1, 257] {
        let page = Page::new(size(4, 1), 2, 1, 3, vec![0b0001_1011]).with(320, &map(scale));
        assert_eq!(
            shown(&page.file()).pixels(),
            colours.concat().iter().map(|one| u8::try_from(*one).unwrap()).collect::<Vec<_>>()
        );
    }
    let few = Page::new(size(4, 1), 2, 1, 3, vec![0]).with(320, &[0; 11]).file();
    let normal = Normal { format: Some(Format::Png), ..Normal::default() };
    assert!(matches!(refine(Format::Tiff, &few, &normal).0, Outcome::Fault(Fault::Corrupt(_))));
}

#[test]
fn inks_lab_and_colour_differences_become_srgb() {
    let one = |samples, photometric, bytes: &[u8]| {
        Page::new(size(1, 1), 8, samples, photometric, bytes.to_vec())
    };
    assert_eq!(shown(&one(4, 5, &[0, 255, 0, 0]).file()).pixels(), [255, 0, 255]);
    assert_eq!(shown(&one(3, 8, &[255, 0, 0]).file()).pixels(), [255; 3]);
    assert_eq!(shown(&one(3, 9, &[255, 128, 128]).file()).pixels(), [255; 3]);
    // Red of JPEG's YCbCr, four pixels with one pair of differences, then one that lies behind the right edge.
    let block = [76, 76, 76, 76, 85, 255];
    let page = Page::new(size(3, 2), 8, 3, 6, [block, block].concat());
    let found = shown(&page.file());
    assert!(
        found.pixels().chunks(3).all(|pixel| pixel[0] >= 253 && pixel[1] <= 2 && pixel[2] <= 2),
        "{found:?}"
    );
}

#[test]
fn a_jpeg_in_strips_with_shared_tables_is_read_in_its_colours() {
    let raster = picture(size(32, 16), Channels::Rgb);
    let jpeg = encode(Format::Jpeg, raster.clone());
    let page = Page::new(raster.size(), 8, 3, 6, jpeg.clone()).with(259, &[7]);
    let whole = shown(&page.file());
    let furthest =
        whole.pixels().iter().zip(raster.pixels()).map(|(one, other)| one.abs_diff(*other)).max();
    assert!(furthest < Some(60), "{furthest:?}");
    // Tables are the segments between the start and the frame (DQT, DHT).
    let tables: Vec<u8> = jpeg[2..]
        .windows(2)
        .position(|two| two == [0xFF, 0xC0])
        .map(|at| jpeg[..at + 2].to_vec())
        .unwrap();
    let rest = [&[0xFF, 0xD8], &jpeg[tables.len()..]].concat();
    let tables: Vec<u32> =
        tables.iter().chain(&[0xFF, 0xD9]).map(|byte| u32::from(*byte)).collect();
    let page = Page::new(raster.size(), 8, 3, 6, rest).with(259, &[7]).typed(347, 7, &tables);
    assert_eq!(shown(&page.file()), whole);
}

/// Bits as bytes, the last filled with zeros. Spaces are for the reader.
fn bits(text: &str) -> Vec<u8> {
    let bits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').map(|byte| byte - b'0').collect();
    bits.chunks(8)
        .map(|byte| byte.iter().enumerate().fold(0, |sum, (at, bit)| sum | bit << (7 - at)))
        .collect()
}

#[test]
fn fax_codes_of_every_kind_make_black_and_white_rows() {
    // Four white, three black, nine white: T.4 codes 1011, 10, 10100.
    let (row, end) = ("1011 10 10100", "000000000001");
    let wanted = [
        [[255; 4].as_slice(), &[0; 3], &[255; 9]].concat(),
        [[255; 4].as_slice(), &[0; 3], &[255; 9]].concat(),
    ]
    .concat();
    let cases = [
        (2, 0, format!("{row} 00000 {row}")),
        (32771, 0, format!("{row} 00000 {row}")),
        (3, 0, format!("{end} {row} {end} {row}")),
        (3, 0, format!("{row} {row}")),
        (3, 1, format!("{end} 1 {row} {end} 0 1 1 1")),
        (3, 4, format!("0000 {end} {row} 0 {end} {row} {end} {end}")),
        // Horizontal mode for the first row, then straight down three times.
        (4, 0, "001 1011 10 1 1 1 1 000000000001 000000000001".to_owned()),
    ];
    for (compression, options, text) in cases {
        let page = Page::new(size(16, 2), 1, 1, 0, bits(&text))
            .with(259, &[compression])
            .with(292, &[options]);
        assert_eq!(shown(&page.file()).pixels(), wanted, "{compression} {options}");
        let reversed = page
            .clone()
            .packed(compression, |bytes| bytes.iter().map(|byte| byte.reverse_bits()).collect())
            .with(266, &[2]);
        assert_eq!(shown(&reversed.file()).pixels(), wanted, "{compression} {options} reversed");
    }
}

#[test]
fn tags_may_be_unsorted_and_of_any_type_of_number() {
    let raster = picture(size(40, 30), Channels::Rgb);
    let mut bytes = Page::of(&raster).with(274, &[6]).file();
    assert_eq!(orientation(Format::Tiff, &bytes), Orientation::Rotated90);
    let at = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) as usize + 2;
    let count = usize::from(bytes[at - 2]);
    let table: Vec<Vec<u8>> =
        bytes[at..at + 12 * count].chunks(12).rev().map(<[u8]>::to_vec).collect();
    bytes[at..at + 12 * count].copy_from_slice(&table.concat());
    assert_eq!(shown(&bytes).size(), size(30, 40));
    let page = Page::of(&raster).typed(256, 3, &[40]).typed(257, 7, &[30]).typed(278, 4, &[30]);
    assert_eq!(shown(&page.file()), raster);
}
