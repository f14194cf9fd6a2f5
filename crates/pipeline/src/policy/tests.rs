//! Tests of rules, each at its bound and one beyond.

use super::*;

const PNG_40: &[u8] =
    b"\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR\0\0\0\x28\0\0\0\x28\x08\x02\0\0\0\0\0\0\0\0\0\0\0IDAT";

fn images() -> Rules {
    Rules::image()
}

fn listing(rules: Rules, patterns: &[&str]) -> Rules {
    let parsed = patterns.iter().map(|text| TypePattern::parse(text).unwrap());
    Rules { content_types: parsed.collect(), ..rules }
}

fn words(violation: &Violation) -> String {
    format!("{}; {} ({})", violation.fact, violation.allows, violation.rule)
}

fn sized(rules: &Rules, width: u32, height: u32) -> String {
    judge_dimensions(rules, Dimensions::new(width, height))
        .map_or_else(|violation| words(&violation), |()| "taken".into())
}

fn typed(rules: &Rules, found: &'static str) -> String {
    judge_type(rules, &MediaType::from_static(found))
        .map_or_else(|violation| words(&violation), |()| "taken".into())
}

#[test]
fn bounds_are_inclusive() {
    let rules = Rules {
        min_width: Some(64),
        min_height: Some(32),
        max_width: Some(640),
        max_height: Some(480),
        min_ratio: Some(0.5),
        max_ratio: Some(2.0),
        max_pixels: Some(640 * 480),
        ..images()
    };
    for (width, height) in [(64, 32), (640, 480), (64, 128), (640, 320)] {
        assert_eq!(sized(&rules, width, height), "taken", "{width}x{height}");
    }
}

#[test]
fn too_small_an_image_is_told_both_bounds_where_both_are_set() {
    let both = Rules { min_width: Some(64), min_height: Some(64), ..images() };
    assert_eq!(sized(&both, 40, 40), "image is 40x40; takes at least 64x64 (min_width)");
    assert_eq!(sized(&both, 64, 40), "image is 64x40; takes at least 64x64 (min_height)");
    let one = Rules { min_width: Some(64), ..images() };
    assert_eq!(sized(&one, 40, 40), "image is 40x40; takes images at least 64 wide (min_width)");
    let high = Rules { min_height: Some(64), ..images() };
    assert_eq!(sized(&high, 9, 9), "image is 9x9; takes images at least 64 high (min_height)");
}

#[test]
fn too_large_an_image_is_told_sides_pixels_or_ratio() {
    let rules = Rules { max_ratio: Some(2.0), max_pixels: Some(1_000_000), ..images() };
    let wide = "image is 50000x10; takes at most 16384x16384 (max_width)";
    assert_eq!(sized(&rules, 50_000, 10), wide);
    let many = "image is 2000x2000, 4000000 pixels; takes at most 1000000 pixels (max_pixels)";
    assert_eq!(sized(&rules, 2000, 2000), many);
    let flat =
        "image is 300x100, a ratio of 3; takes a ratio (width/height) of at most 2 (max_ratio)";
    assert_eq!(sized(&rules, 300, 100), flat);
    // Rounding must not make a broken bound look kept.
    assert!(sized(&Rules { max_pixels: None, ..rules }, 10_001, 5000).contains("ratio of 2.0002"));
}

#[test]
fn an_image_field_takes_what_it_can_read_and_store() {
    let rules = images();
    let takes = "takes image/jpeg, image/png, image/gif, image/webp or image/avif (content_types)";
    assert_eq!(typed(&rules, "image/jpeg"), "taken");
    assert_eq!(typed(&rules, "text/plain"), format!("content is text/plain; {takes}"));
    assert_eq!(typed(&rules, "image/avif"), "taken");
    assert_eq!(typed(&rules, "image/svg+xml"), format!("content is image/svg+xml; {takes}"));
    let only = listing(images(), &["image/png"]);
    assert_eq!(
        typed(&only, "image/jpeg"),
        "content is image/jpeg; takes image/png (content_types)"
    );
}

#[test]
fn a_bitmap_is_taken_only_to_be_converted() {
    let mut rules = images();
    let bitmap = MediaType::from_static("image/bmp");
    let violation = judge_type(&rules, &bitmap).unwrap_err();
    assert!(violation.hint.contains("set `format`"), "{}", violation.hint);
    rules.normal.format = Some(Format::Jpeg);
    assert_eq!(judge_type(&rules, &bitmap), Ok(()));
}

#[test]
fn a_file_field_takes_its_patterns_or_everything() {
    assert_eq!(typed(&Rules::file(), "application/octet-stream"), "taken");
    let rules = listing(Rules::file(), &["application/pdf", "text/*"]);
    assert_eq!(typed(&rules, "text/html"), "taken");
    assert_eq!(
        typed(&rules, "image/png"),
        "content is image/png; takes application/pdf or text/* (content_types)"
    );
}

#[test]
fn sizes_are_judged_at_their_bounds_and_told_apart_in_words() {
    let mut rules = Rules::file();
    rules.max_size = ByteCount(5 << 20);
    rules.min_size = ByteCount(10);
    assert_eq!(judge_size_so_far(&rules, 5 << 20), Ok(()));
    let near = judge_size_so_far(&rules, (5 << 20) + 1).unwrap_err();
    assert_eq!(
        words(&near),
        "file is 5242881 bytes or more; takes at most 5242880 bytes (max_size)"
    );
    let judged = |length| judge_final(&rules, length, &MediaType::TEXT, None);
    assert_eq!(judged(10), Ok(()));
    let small = judged(9).unwrap_err();
    assert_eq!(words(&small), "file is 9 B; takes at least 10 B (min_size)");
    let large = judged(6 << 20).unwrap_err();
    assert_eq!(words(&large), "file is 6 MiB; takes at most 5 MiB (max_size)");
}

#[test]
fn an_empty_file_is_no_image() {
    let refused = judge_final(&images(), 0, &MediaType::OCTET_STREAM, None).unwrap_err();
    assert_eq!(words(&refused), "file is empty; takes whole images (truncated)");
}

#[test]
fn an_image_is_judged_by_its_first_bytes() {
    let small = Rules { min_width: Some(64), ..images() };
    let verdict = judge_prefix(&small, PNG_40);
    assert!(matches!(verdict, Prefix::Refused(Violation { rule: Rule::MinWidth, .. })));
    assert_eq!(judge_prefix(&images(), PNG_40), Prefix::Passed);
    assert_eq!(judge_prefix(&images(), &PNG_40[..12]), Prefix::Undecided);
    let jpegs = listing(images(), &["image/jpeg"]);
    let verdict = judge_prefix(&jpegs, &PNG_40[..12]);
    assert!(matches!(verdict, Prefix::Refused(Violation { rule: Rule::ContentTypes, .. })));
}

#[test]
fn an_unknown_orientation_refuses_only_what_is_wrong_either_way() {
    // A JPEG frame of 40x30 whose scan, and so perhaps an EXIF segment, is still to come.
    let frame = b"\xFF\xD8\xFF\xC0\0\x0B\x08\0\x1E\0\x28\x01\x01\x11\0";
    let wide = Rules { max_width: Some(35), ..images() };
    assert_eq!(judge_prefix(&wide, frame), Prefix::Undecided);
    assert_eq!(judge_prefix(&images(), frame), Prefix::Passed);
    let large = Rules { min_width: Some(64), ..images() };
    assert!(matches!(judge_prefix(&large, frame), Prefix::Refused(_)));
}

#[test]
fn text_is_refused_by_an_image_field_as_soon_as_it_begins_like_no_image() {
    let text = b"plain words and no picture";
    let refused = |prefix: &[u8]| matches!(judge_prefix(&images(), prefix), Prefix::Refused(_));
    assert!(refused(text));
    assert!(refused(&text[..5]));
    assert!(!refused(b"BM"), "a bitmap, perhaps");
}

#[test]
fn a_file_field_waits_for_what_may_still_become_an_accepted_type() {
    let text = b"plain words ".repeat(50);
    let verdict =
        |patterns: &[&str], prefix: &[u8]| judge_prefix(&listing(Rules::file(), patterns), prefix);
    assert_eq!(verdict(&[], b""), Prefix::Passed);
    assert_eq!(verdict(&["text/csv"], &text), Prefix::Undecided);
    assert!(matches!(verdict(&["application/pdf"], &text), Prefix::Refused(_)));
    let pdf = [b"%PDF-1.7".as_slice(), &[0; 600]].concat();
    assert_eq!(verdict(&["application/pdf"], &pdf), Prefix::Passed);
    let zip = [b"PK\x03\x04".as_slice(), &[0; 600]].concat();
    assert_eq!(verdict(&["application/epub+zip"], &zip), Prefix::Undecided);
    assert!(matches!(verdict(&["image/png"], &zip), Prefix::Refused(_)));
    let random = [0xE2, 0, 0xB5, 0xFE].repeat(1024);
    assert!(matches!(verdict(&["application/pdf"], &random), Prefix::Refused(_)));
    assert_eq!(verdict(&["application/pdf"], &random[..2048]), Prefix::Undecided);
}

#[test]
fn what_the_longest_prefix_leaves_open_is_left_to_the_close() {
    let text = vec![b'x'; PREFIX_MAX];
    let rules = listing(Rules::file(), &["text/csv"]);
    assert_eq!(judge_prefix(&rules, &text), Prefix::Passed);
}
