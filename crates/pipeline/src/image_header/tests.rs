//! Tests of headers: good ones, cut-off ones and hostile ones.

use std::io::Write;

use proptest::prelude::*;

use super::*;
use samples::{self, Sample};

/// The header of a file that has all of its bytes in memory.
fn of_whole(bytes: &[u8]) -> Header {
    of_file(bytes, &tempfile::tempfile().unwrap()).unwrap()
}

fn whole(Sample { name, bytes }: &Sample) -> Header {
    let head = &bytes[..bytes.len().min(64 << 10)];
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    let by_file = of_file(head, &file).unwrap();
    assert_eq!(by_file, of_whole(bytes), "{name}");
    by_file
}

fn image(format: Format, width: u32, height: u32) -> Header {
    let dimensions = Dimensions::new(width, height);
    Header::Image { format, dimensions, sides: Sides::Final }
}

fn jpeg_with(segments: &[(u8, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xD8];
    for (code, body) in segments {
        bytes.extend([0xFF, *code]);
        bytes.extend(u16::try_from(body.len() + 2).unwrap().to_be_bytes());
        bytes.extend(*body);
    }
    bytes.extend([0xFF, 0xDA]);
    bytes
}

const FRAME: &[u8] = &[8, 0, 30, 0, 40, 1, 1, 0x11, 0];
const TURNED: &[u8] = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0";

#[test]
fn a_turned_jpeg_is_measured_as_it_is_shown_wherever_its_exif_lies() {
    let upright = jpeg_with(&[(0xC0, FRAME)]);
    assert_eq!(of_whole(&upright), image(Format::Jpeg, 40, 30));
    let before = jpeg_with(&[(0xE1, TURNED), (0xC2, FRAME)]);
    assert_eq!(of_whole(&before), image(Format::Jpeg, 30, 40));
    let behind = jpeg_with(&[(0xC0, FRAME), (0xE1, TURNED)]);
    assert_eq!(of_whole(&behind), image(Format::Jpeg, 30, 40));
}

#[test]
fn a_size_whose_orientation_may_still_come_is_marked_open() {
    let bytes = jpeg_with(&[(0xC0, FRAME), (0xE1, TURNED)]);
    let dimensions = Dimensions::new(40, 30);
    let open = Header::Image { format: Format::Jpeg, dimensions, sides: Sides::MaySwap };
    assert_eq!(of_prefix(&bytes[..20]), open);
    assert_eq!(of_prefix(&bytes[..10]), Header::NeedMore);
    assert_eq!(of_whole(&bytes[..10]), Header::Broken(Flaw::Truncated));
}

#[test]
fn a_tiff_directory_is_read_in_both_orders_and_widths() {
    let entry = |tag: u16, value: u32| {
        [&tag.to_le_bytes()[..], &[4, 0, 1, 0, 0, 0], &value.to_le_bytes()].concat()
    };
    let little = [b"II*\0\x08\0\0\0\x02\0".to_vec(), entry(256, 40), entry(257, 30)].concat();
    assert_eq!(of_whole(&little), image(Format::Tiff, 40, 30));
    let big = b"MM\0*\0\0\0\x08\0\x03\
        \x01\0\0\x03\0\0\0\x01\0\x28\0\0\x01\x01\0\x03\0\0\0\x01\0\x1E\0\0\
        \x01\x12\0\x03\0\0\0\x01\0\x06\0\0";
    assert_eq!(of_whole(big), image(Format::Tiff, 30, 40));
    let wide_entry = |tag: u16, value: u64| {
        [&tag.to_le_bytes()[..], &[4, 0], &1_u64.to_le_bytes(), &value.to_le_bytes()].concat()
    };
    let head = b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0".to_vec();
    let wide = [head, wide_entry(256, 40), wide_entry(257, 30)].concat();
    assert_eq!(of_whole(&wide), image(Format::Tiff, 40, 30));
}

#[test]
fn every_photo_of_the_corpus_has_a_final_size() {
    for photo in samples::all("photos") {
        let header = whole(&photo);
        assert!(matches!(header, Header::Image { sides: Sides::Final, .. }), "{header:?}");
    }
}

#[test]
fn hostile_headers_have_their_known_findings() {
    let expected = [
        ("bmp_huge.bmp", image(Format::Bmp, 60_000, 60_000)),
        ("bomb_50k_gray1.png", image(Format::Png, 50_000, 50_000)),
        ("canvas_65k.gif", image(Format::Gif, 65_535, 65_535)),
        ("sig.png", Header::Broken(Flaw::Truncated)),
        ("trunc_head.jpg", image(Format::Jpeg, 1632, 1224)),
        ("trunc.tif", Header::Broken(Flaw::Truncated)),
        ("zero.jpg", Header::NotAnImage(MediaType::OCTET_STREAM)),
        ("lol.svg", Header::NotAnImage(MediaType::from_static("image/svg+xml"))),
    ];
    for sample in samples::all("hostile") {
        let (header, name) = (whole(&sample), sample.name);
        let known = expected.iter().find(|(known, _)| *known == name);
        assert!(known.is_none_or(|(_, wanted)| *wanted == header), "{name}: {header:?}");
    }
}

#[test]
fn no_prefix_contradicts_the_whole_file() {
    for Sample { name, bytes } in ["photos", "hostile"].into_iter().flat_map(samples::all) {
        let all = of_whole(&bytes);
        // Every length up to where headers end, then every 9973rd: nothing changes behind the header.
        let lengths = (0..bytes.len().min(2048)).chain((2048..bytes.len()).step_by(9973));
        for length in lengths.take_while(|length| *length < 256 << 10) {
            let found = of_prefix(&bytes[..length]);
            let final_ = matches!(found, Header::Image { sides: Sides::Final, .. });
            assert!(!final_ || found == all, "{name} at {length}: {found:?}, {all:?}");
        }
    }
}

proptest! {
    #[test]
    fn mutated_headers_never_panic(
        which in 0..7_usize,
        edits in prop::collection::vec((0..400_usize, any::<u8>()), 0..40),
        length in 0..400_usize,
    ) {
        const STARTS: [&[u8]; 7] = [
            b"\xFF\xD8\xFF\xE1\0\x20Exif\0\0MM\0*\0\0\0\x08\0\x01",
            b"\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0\0\0\0\0\0\0\0\x09eXIf",
            b"GIF89a\x01\0\x01\0",
            b"RIFF\xFF\0\0\0WEBPVP8X\x0A\0\0\0\x08\0\0\0\x01\0\0\x01\0\0ICCP\x04\0\0\0",
            b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miafMA1B\0\0\0\xf6meta\0\0\0\0",
            b"BM6\0\0\0\0\0\0\x006\0\0\0\x28\0\0\0\0\0\0\x80\0\0\0\x80",
            b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0\x01\x04\0",
        ];
        let mut bytes = STARTS[which].to_vec();
        bytes.resize(400, 0);
        for (at, value) in edits {
            bytes[at] = value;
        }
        bytes.truncate(length);
        of_prefix(&bytes);
        of_whole(&bytes);
    }
}
