//! Laws of the directories of TIFF: pages, thumbnails and camera RAW, none of which is lost in silence.

use super::tiff::{refused, shown};
use super::tiff_file::{Order, Page, file};
use super::{header, picture, refine, size};
use crate::candidate::Candidate;
use crate::identify::identify;
use crate::image_header::{Flaw, Header};
use crate::job::{Fault, Outcome};
use crate::policy::{Prefix, judge_prefix};
use crate::raster::{Channels, Raster};
use std::io::Write;
use words::media_type::{Format, MediaType};
use words::refusal::Violation;
use words::rule::{Normal, Rules};

fn raster() -> Raster {
    picture(size(40, 30), Channels::Rgb)
}

fn page() -> Page {
    Page::of(&raster())
}

/// A smaller copy of the picture, marked as one.
fn thumbnail() -> Page {
    Page::of(&picture(size(8, 6), Channels::Rgb)).typed(254, 4, &[1])
}

/// A directory with the data of a sensor.
fn sensor() -> Page {
    Page::new(size(64, 48), 16, 1, 32803, vec![7; 64 * 48 * 2])
}

fn make(name: &str) -> Vec<u32> {
    name.bytes().chain([0]).map(u32::from).collect()
}

#[test]
fn a_file_of_several_pages_is_refused_with_their_number() {
    for order in [Order::Little, Order::Big, Order::Wide] {
        assert_eq!(
            refused(&file(&[page(), page()], order)),
            "TIFF of 2 pages; all but one would be lost"
        );
        let many = vec![page(); 5];
        assert_eq!(refused(&file(&many, order)), "TIFF of 5 pages; all but one would be lost");
    }
    let child = Page { children: vec![page()], ..page() };
    assert_eq!(refused(&child.file()), "TIFF of 2 pages; all but one would be lost");
}

#[test]
fn a_thumbnail_is_no_page_and_never_becomes_the_picture() {
    let (first, last) = ([thumbnail(), page()], [page(), thumbnail(), thumbnail()]);
    let inside = [Page { children: vec![page()], ..thumbnail() }];
    for pages in [&first[..], &last, &inside] {
        let bytes = file(pages, Order::Big);
        assert_eq!(shown(&bytes), raster());
        let told = header(&bytes);
        assert!(
            matches!(told, Header::Image { dimensions, .. } if dimensions == size(40, 30)),
            "{told:?}"
        );
    }
    let mask = page().typed(254, 4, &[4]);
    assert!(refused(&file(&[page(), mask], Order::Little)).contains("transparency"));
}

#[test]
fn a_chain_of_directories_without_an_end_is_corrupt() {
    let endless = |page: Page| {
        let mut bytes = page.file();
        let at = u32::from_le_bytes(bytes[4..8].try_into().unwrap());
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&at.to_le_bytes());
        bytes
    };
    let outcome = refine(Format::Tiff, &endless(page()), &Normal::default()).0;
    assert!(matches!(outcome, Outcome::Fault(Fault::Corrupt(_))), "{outcome:?}");
    // Where the first is a thumbnail, the daemon looks for the picture, too.
    assert_eq!(header(&endless(thumbnail())), Header::Broken(Flaw::Corrupt));
}

#[test]
fn samples_that_are_no_shades_are_refused_in_words() {
    for format in [2, 3, 6] {
        let words = refused(&page().with(339, &[format; 3]).file());
        assert_eq!(words, "TIFF with samples that are signed or floats is not read");
    }
    assert_eq!(refused(&page().with(259, &[6]).file()), "TIFF compressed by method 6 is not read");
    assert!(refused(&page().with(258, &[5, 6, 5]).file()).contains("uncommon sizes"));
}

/// The files of cameras, as far as they are TIFF: a thumbnail in front, the sensor's data behind.
pub fn camera_files() -> Vec<(&'static str, Vec<u8>)> {
    let of = |maker: &str, pages: &[Page], order| {
        let first = Page { children: vec![sensor()], ..pages[0].clone() };
        file(&[&[first.typed(271, 2, &make(maker))], &pages[1..]].concat(), order)
    };
    let mut canon = of("Canon", &[page(), thumbnail()], Order::Little);
    // The directories of a CR2 lie behind a header of 16 bytes.
    drop(canon.splice(8..8, *b"CR\x02\0\0\0\0\0"));
    let dng = Page { children: vec![sensor()], ..thumbnail() }.typed(50706, 7, &[1, 4, 0, 0]);
    let linear = page().typed(50706, 7, &[1, 4, 0, 0]);
    vec![
        ("image/x-adobe-dng", dng.file()),
        ("image/x-adobe-dng", linear.file()),
        ("image/x-canon-cr2", canon),
        ("image/x-nikon-nef", of("NIKON CORPORATION", &[thumbnail()], Order::Big)),
        ("image/x-sony-arw", of("SONY", &[thumbnail(), thumbnail()], Order::Little)),
        ("image/x-pentax-pef", sensor().typed(271, 2, &make("PENTAX Corporation")).file()),
        ("image/x-hasselblad-3fr", of("Hasselblad", &[thumbnail()], Order::Big)),
        ("image/x-samsung-srw", of("SAMSUNG", &[thumbnail()], Order::Little)),
        ("image/x-nikon-nef", thumbnail().typed(271, 2, &make("NIKON")).file()),
        ("image/x-dcraw", of("Nobody", &[page()], Order::Little)),
    ]
}

fn candidate(bytes: &[u8]) -> Candidate {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    Candidate::identify(file, bytes.len() as u64, None).unwrap()
}

#[test]
fn camera_raw_has_its_own_type_and_is_refused_as_an_image_in_words() {
    let mut rules = Rules::image();
    rules.normal.format = Some(Format::Jpeg);
    for (kind, bytes) in camera_files() {
        // The directories may lie behind the beginning by which other files are identified.
        let far = file_with_distant_directories(&bytes);
        for bytes in [&bytes, &far] {
            let stored = candidate(bytes).admit(&Rules::file()).unwrap();
            assert_eq!(stored.content().media_type, MediaType::from_static(kind));
            let error = candidate(bytes).admit(&rules).unwrap_err();
            let crate::Error::Refused(violation) = error else { panic!("{error:?}") };
            assert_camera_raw(&violation, kind);
        }
        let Prefix::Refused(violation) = judge_prefix(&rules, &bytes) else { panic!("{kind}") };
        assert_camera_raw(&violation, kind);
    }
}

#[track_caller]
fn assert_camera_raw(violation: &Violation, kind: &str) {
    assert_eq!(violation.fact, format!("content is {kind}, camera RAW"));
    assert!(violation.hint.contains("export it as JPEG"), "{}", violation.hint);
}

/// Returns the file with its first directory moved behind 100 KB of other bytes. The offsets in it stay true.
fn file_with_distant_directories(bytes: &[u8]) -> Vec<u8> {
    let is_little = bytes[0] == b'I';
    let word: [u8; 4] = bytes[4..8].try_into().unwrap();
    let at = if is_little { u32::from_le_bytes(word) } else { u32::from_be_bytes(word) } as usize;
    let shift = if bytes[8..10] == *b"CR" { 8 } else { 0 };
    let mut far = bytes.to_vec();
    far.resize(100_000, 0);
    let moved = u32::try_from(far.len()).unwrap();
    far.extend(&bytes[at + shift..]);
    let word = if is_little { moved.to_le_bytes() } else { moved.to_be_bytes() };
    far[4..8].copy_from_slice(&word);
    far
}

#[test]
fn a_picture_by_a_cameras_own_program_is_a_tiff() {
    let edited = page().typed(271, 2, &make("NIKON CORPORATION"));
    let behind_its_thumbnail =
        Page { children: vec![page()], ..thumbnail() }.typed(271, 2, &make("SONY"));
    for page in [edited, behind_its_thumbnail] {
        assert_eq!(identify(&page.file()), Format::Tiff.media_type());
        assert_eq!(shown(&page.file()), raster());
    }
}

#[test]
fn a_tiff_that_is_damaged_or_cut_off_is_answered_and_never_ends_the_worker() {
    let nested = Page { children: vec![thumbnail()], ..page() }.file();
    for bytes in [nested, camera_files().swap_remove(3).1] {
        let normal = Normal { format: Some(Format::Png), ..Normal::default() };
        for at in 0..bytes.len() {
            if (200..bytes.len() - 400).contains(&at) {
                continue;
            }
            for value in [0, 1, 0x7F, 0xFF] {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                let _ = (header(&damaged), identify(&damaged[..at]));
                refine(Format::Tiff, &damaged, &normal);
            }
        }
        for end in (0..bytes.len()).rev().take(400) {
            let outcome = refine(Format::Tiff, &bytes[..end], &normal).0;
            // The link to the next directory, which is none, may be missing.
            assert!(
                end + 4 >= bytes.len() || matches!(outcome, Outcome::Fault(_)),
                "{end}: {outcome:?}"
            );
        }
    }
}
