//! Judging: whether bytes that are so long, of such a type and so large meet a field's rules, and in which words not.
//! Pure functions; does not know where the file was going, nor how its bytes arrive.

use crate::byte_count::ByteCount;
use crate::dimensions::Dimensions;
use crate::media_type::{Format, MediaType, TypePattern};
use crate::pipeline::fault;
use crate::pipeline::header::{self, End, Header, Turn};
use crate::pipeline::identify::{identify, may_become};
use crate::refusal::{Rule, Violation};
use crate::rule::{Kind, Rules};

/// A beginning of this length is judged for the last time; what it leaves open is judged at close.
pub const PREFIX_MAX: usize = 256 << 10;

/// Below this a beginning without a known signature says nothing.
const SIGNATURE_MAX: usize = 512;

/// Below this one that is no text says nothing.
const BINARY_MIN: usize = 4096;

/// What a beginning tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prefix {
    /// Ask again with more bytes.
    Undecided,
    /// Type and dimensions are fine, or cannot be known before the close: ask no more.
    Passed,
    Refused(Violation),
}

/// Judges the end of a write against `max_size`, before the byte is taken.
pub fn judge_size_so_far(rules: &Rules, end_offset: u64) -> Result<(), Violation> {
    if end_offset <= rules.max_size.0 {
        return Ok(());
    }
    let (measured, allowed) = sizes(end_offset, rules.max_size.0);
    Err(Violation {
        rule: Rule::MaxSize,
        fact: format!("file is {measured} or more"),
        measured,
        allows: format!("takes at most {allowed}"),
        allowed,
        hint: "send a smaller file".into(),
    })
}

/// Judges the beginning of a file while the rest still arrives; `End::Whole` says that nothing follows.
pub fn judge_prefix(rules: &Rules, prefix: &[u8], end: End) -> Prefix {
    let verdict = match rules.kind {
        Kind::Image => image_prefix(rules, prefix, end),
        Kind::File => file_prefix(rules, prefix, end),
    };
    if verdict == Prefix::Undecided && prefix.len() >= PREFIX_MAX {
        Prefix::Passed
    } else {
        verdict
    }
}

fn image_prefix(rules: &Rules, prefix: &[u8], end: End) -> Prefix {
    match header::of_prefix(prefix, end) {
        Header::NeedMore => format_of(prefix).map_or(Prefix::Undecided, |format| {
            judge_type(rules, &format.media_type())
                .map_or_else(Prefix::Refused, |()| Prefix::Undecided)
        }),
        Header::Image { format, dimensions, turn } => {
            if let Err(violation) = judge_type(rules, &format.media_type()) {
                return Prefix::Refused(violation);
            }
            let turned = match turn {
                Turn::Settled => dimensions,
                Turn::Open => dimensions.swapped(),
            };
            match (judge_dimensions(rules, dimensions), judge_dimensions(rules, turned)) {
                (Ok(()), Ok(())) => Prefix::Passed,
                (Err(violation), Err(_)) => Prefix::Refused(violation),
                _ => Prefix::Undecided,
            }
        }
        // Whatever it turns out to be, no image begins like this.
        Header::NotAnImage(found) => {
            judge_type(rules, &found).map_or_else(Prefix::Refused, |()| Prefix::Undecided)
        }
        Header::Broken(flaw) => Prefix::Refused(fault::in_header(flaw)),
    }
}

fn format_of(prefix: &[u8]) -> Option<Format> {
    identify(prefix).format()
}

fn file_prefix(rules: &Rules, prefix: &[u8], end: End) -> Prefix {
    if rules.content_types.is_empty() {
        return Prefix::Passed;
    }
    let found = identify(prefix);
    let telling = if found == MediaType::OCTET_STREAM { BINARY_MIN } else { SIGNATURE_MAX };
    if prefix.len() < telling && end == End::Open {
        return Prefix::Undecided;
    }
    let others = may_become(&found);
    match judge_type(rules, &found) {
        Ok(()) if others.is_empty() => Prefix::Passed,
        Err(violation) if !others.iter().any(|other| takes(rules, other)) => {
            Prefix::Refused(violation)
        }
        _ => Prefix::Undecided,
    }
}

/// Judges all that is known of a whole file before an image in it is decoded.
pub fn judge_final(
    rules: &Rules,
    length: u64,
    found: &MediaType,
    dimensions: Option<Dimensions>,
) -> Result<(), Violation> {
    judge_max_size(rules, length)?;
    if length == 0 && rules.kind == Kind::Image {
        return Err(fault::empty());
    }
    judge_type(rules, found)?;
    judge_min_size(rules, length)?;
    dimensions.map_or(Ok(()), |dimensions| judge_dimensions(rules, dimensions))
}

fn judge_max_size(rules: &Rules, length: u64) -> Result<(), Violation> {
    judge_size_so_far(rules, length).map_err(|violation| Violation {
        fact: format!("file is {}", violation.measured),
        ..violation
    })
}

fn judge_min_size(rules: &Rules, length: u64) -> Result<(), Violation> {
    if length >= rules.min_size.0 {
        return Ok(());
    }
    let (measured, allowed) = sizes(length, rules.min_size.0);
    Err(Violation {
        rule: Rule::MinSize,
        fact: format!("file is {measured}"),
        measured,
        allows: format!("takes at least {allowed}"),
        allowed,
        hint: "send a larger file".into(),
    })
}

/// Two sizes in words that differ where the sizes do.
fn sizes(measured: u64, allowed: u64) -> (String, String) {
    let words = (ByteCount(measured).to_string(), ByteCount(allowed).to_string());
    if words.0 == words.1 && measured != allowed {
        return (format!("{measured} bytes"), format!("{allowed} bytes"));
    }
    words
}

fn takes(rules: &Rules, found: &MediaType) -> bool {
    let listed = rules.content_types.is_empty()
        || rules.content_types.iter().any(|pattern| pattern.matches(found));
    let stored = match rules.kind {
        Kind::File => true,
        Kind::Image => found.format().is_some_and(|format| is_storable(rules, format)),
    };
    listed && stored
}

/// What can be either written again in its own format or converted into another.
fn is_storable(rules: &Rules, format: Format) -> bool {
    format.is_writable() || rules.normal.format.is_some()
}

/// Judges a content type: listed by the field, and for an image field one that can be decoded and stored.
pub fn judge_type(rules: &Rules, found: &MediaType) -> Result<(), Violation> {
    if takes(rules, found) {
        return Ok(());
    }
    let names: Vec<String> = match rules.kind {
        Kind::File => rules.content_types.iter().map(TypePattern::to_string).collect(),
        Kind::Image => {
            let formats = Format::ALL.into_iter().map(Format::media_type);
            formats.filter(|one| takes(rules, one)).map(|one| one.to_string()).collect()
        }
    };
    let allowed = alternatives(&names);
    let convertible = found
        .format()
        .is_some_and(|format| rules.kind == Kind::Image && !is_storable(rules, format));
    let hint = if convertible {
        format!(
            "convert it first, or set `format` on the field; {found} is only read to be converted"
        )
    } else {
        format!("send {allowed}; the name of a file does not change what it is")
    };
    Err(Violation {
        rule: Rule::ContentTypes,
        fact: format!("content is {found}"),
        measured: found.to_string(),
        allows: format!("takes {allowed}"),
        allowed,
        hint,
    })
}

/// `a`, `a or b`, `a, b or c`.
fn alternatives(names: &[String]) -> String {
    match names {
        [] => "nothing".into(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// Judges the dimensions of an image as shown; every bound is inclusive.
pub fn judge_dimensions(rules: &Rules, found: Dimensions) -> Result<(), Violation> {
    judge_minimum(rules, found)?;
    judge_maximum(rules, found)?;
    judge_pixels(rules, found)?;
    judge_ratio(rules, found)
}

fn judge_minimum(rules: &Rules, found: Dimensions) -> Result<(), Violation> {
    let narrow = rules.min_width.is_some_and(|least| found.width < least);
    let low = rules.min_height.is_some_and(|least| found.height < least);
    let rule = match (narrow, low) {
        (true, _) => Rule::MinWidth,
        (_, true) => Rule::MinHeight,
        _ => return Ok(()),
    };
    let bounds = Bounds { word: "at least", width: rules.min_width, height: rules.min_height };
    Err(bounds.broken(rule, found, "send a larger image"))
}

fn judge_maximum(rules: &Rules, found: Dimensions) -> Result<(), Violation> {
    let wide = rules.max_width.is_some_and(|most| found.width > most);
    let high = rules.max_height.is_some_and(|most| found.height > most);
    let rule = match (wide, high) {
        (true, _) => Rule::MaxWidth,
        (_, true) => Rule::MaxHeight,
        _ => return Ok(()),
    };
    let bounds = Bounds { word: "at most", width: rules.max_width, height: rules.max_height };
    Err(bounds.broken(rule, found, "send a smaller image"))
}

struct Bounds {
    word: &'static str,
    width: Option<u32>,
    height: Option<u32>,
}

impl Bounds {
    fn broken(&self, rule: Rule, found: Dimensions, hint: &str) -> Violation {
        let word = self.word;
        let (allows, allowed) = match (self.width, self.height) {
            (Some(width), Some(height)) => {
                let size = Dimensions::new(width, height).to_string();
                (format!("takes {word} {size}"), size)
            }
            (Some(side), None) => (format!("takes images {word} {side} wide"), side.to_string()),
            (None, side) => {
                let side = side.unwrap_or_default();
                (format!("takes images {word} {side} high"), side.to_string())
            }
        };
        Violation {
            rule,
            fact: format!("image is {found}"),
            measured: found.to_string(),
            allows,
            allowed,
            hint: hint.into(),
        }
    }
}

fn judge_pixels(rules: &Rules, found: Dimensions) -> Result<(), Violation> {
    let Some(most) = rules.max_pixels.filter(|most| found.pixels() > *most) else { return Ok(()) };
    Err(Violation {
        rule: Rule::MaxPixels,
        fact: format!("image is {found}, {} pixels", found.pixels()),
        measured: found.pixels().to_string(),
        allows: format!("takes at most {most} pixels"),
        allowed: most.to_string(),
        hint: "send a smaller image".into(),
    })
}

fn judge_ratio(rules: &Rules, found: Dimensions) -> Result<(), Violation> {
    let ratio = found.ratio();
    let broken = |rule, word, bound: f64, hint: &str| {
        let rounded = format!("{}", (ratio * 1000.0).round() / 1000.0);
        let allowed = bound.to_string();
        let measured = if rounded == allowed { ratio.to_string() } else { rounded };
        Violation {
            rule,
            fact: format!("image is {found}, a ratio of {measured}"),
            measured,
            allows: format!("takes a ratio (width/height) of {word} {allowed}"),
            allowed,
            hint: hint.into(),
        }
    };
    match (rules.min_ratio, rules.max_ratio) {
        (Some(least), _) if ratio < least => {
            Err(broken(Rule::MinRatio, "at least", least, "crop it, or send a wider image"))
        }
        (_, Some(most)) if ratio > most => {
            Err(broken(Rule::MaxRatio, "at most", most, "crop it, or send a narrower image"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
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
        format!("{}; {} ({})", violation.fact, violation.allows, violation.rule.key())
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
        assert_eq!(
            sized(&one, 40, 40),
            "image is 40x40; takes images at least 64 wide (min_width)"
        );
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
        assert!(
            sized(&Rules { max_pixels: None, ..rules }, 10_001, 5000).contains("ratio of 2.0002")
        );
    }

    #[test]
    fn an_image_field_takes_what_it_can_read_and_store() {
        let rules = images();
        let takes =
            "takes image/jpeg, image/png, image/gif, image/webp or image/avif (content_types)";
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
        let verdict = judge_prefix(&small, PNG_40, End::Open);
        assert!(matches!(verdict, Prefix::Refused(Violation { rule: Rule::MinWidth, .. })));
        assert_eq!(judge_prefix(&images(), PNG_40, End::Open), Prefix::Passed);
        assert_eq!(judge_prefix(&images(), &PNG_40[..12], End::Open), Prefix::Undecided);
        let jpegs = listing(images(), &["image/jpeg"]);
        let verdict = judge_prefix(&jpegs, &PNG_40[..12], End::Open);
        assert!(matches!(verdict, Prefix::Refused(Violation { rule: Rule::ContentTypes, .. })));
    }

    #[test]
    fn an_open_orientation_refuses_only_what_is_wrong_either_way() {
        // A JPEG frame of 40x30 whose scan, and so perhaps an EXIF segment, is still to come.
        let frame = b"\xFF\xD8\xFF\xC0\0\x0B\x08\0\x1E\0\x28\x01\x01\x11\0";
        let wide = Rules { max_width: Some(35), ..images() };
        assert_eq!(judge_prefix(&wide, frame, End::Open), Prefix::Undecided);
        assert_eq!(judge_prefix(&images(), frame, End::Open), Prefix::Passed);
        let large = Rules { min_width: Some(64), ..images() };
        assert!(matches!(judge_prefix(&large, frame, End::Open), Prefix::Refused(_)));
    }

    #[test]
    fn text_is_refused_by_an_image_field_as_soon_as_it_begins_like_no_image() {
        let text = b"plain words and no picture";
        let refused =
            |prefix: &[u8], end| matches!(judge_prefix(&images(), prefix, end), Prefix::Refused(_));
        assert!(refused(text, End::Open));
        assert!(refused(&text[..5], End::Open));
        assert!(!refused(b"BM", End::Open), "a bitmap, perhaps");
        assert!(refused(b"BM", End::Whole));
    }

    #[test]
    fn a_file_field_waits_for_what_may_still_become_an_accepted_type() {
        let text = b"plain words ".repeat(50);
        let verdict = |patterns: &[&str], prefix: &[u8]| {
            judge_prefix(&listing(Rules::file(), patterns), prefix, End::Open)
        };
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
        assert_eq!(judge_prefix(&rules, &text, End::Open), Prefix::Passed);
    }
}
