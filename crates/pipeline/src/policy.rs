//! Judging a file by the rules of its field: length, type and dimensions. Each broken rule becomes a [`Violation`].

use crate::identify::{identify, may_become};
use crate::image_header::{self, Header, Sides};
use crate::violation;
use words::byte_count::ByteCount;
use words::dimensions::Dimensions;
use words::media_type::{Format, MediaType, TypePattern};
use words::refusal::{Rule, Violation};
use words::rule::{Kind, Rules};

/// The longest beginning that is judged. A rule that it leaves open is judged at close.
pub const PREFIX_MAX: usize = 256 << 10;

/// Bytes from which on a beginning without a known signature is judged.
const SIGNATURE_MAX: usize = 512;

/// Bytes from which on a beginning that is no text is judged.
const BINARY_MIN: usize = 4096;

/// The verdict on the beginning of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Prefix {
    /// Judge again with more bytes.
    Undecided,
    /// Type and dimensions are fine, or cannot be known before the close. Further bytes need not be judged.
    Passed,
    Refused(Violation),
}

/// Judges the offset at which a write would end against `max_size`, before its bytes are taken.
pub fn judge_size_so_far(rules: &Rules, end_offset: u64) -> Result<(), Violation> {
    if end_offset <= rules.max_size.0 {
        return Ok(());
    }
    let violation = wrong_size(end_offset, rules.max_size.0);
    Err(Violation { fact: format!("{} or more", violation.fact), ..violation })
}

/// Judges the beginning of a file while the rest still arrives.
pub fn judge_prefix(rules: &Rules, prefix: &[u8]) -> Prefix {
    let verdict = match rules.kind {
        Kind::Image => image_prefix(rules, prefix),
        Kind::File => file_prefix(rules, prefix),
    };
    match verdict {
        Ok(Prefix::Undecided) if prefix.len() >= PREFIX_MAX => Prefix::Passed,
        verdict => verdict.unwrap_or_else(Prefix::Refused),
    }
}

fn image_prefix(rules: &Rules, prefix: &[u8]) -> Result<Prefix, Violation> {
    match image_header::of_prefix(prefix) {
        Header::NeedMore => {
            let found = identify(prefix);
            // Camera RAW begins like a TIFF, and is refused in words of its own.
            if found.format().is_some_and(|format| format != Format::Tiff) {
                judge_type(rules, &found)?;
            }
        }
        Header::Image { format, dimensions, sides } => {
            judge_type(rules, &format.media_type())?;
            let otherwise = match sides {
                Sides::Final => dimensions,
                Sides::MaySwap => dimensions.swapped(),
            };
            match (judge_dimensions(rules, dimensions), judge_dimensions(rules, otherwise)) {
                (Ok(()), Ok(())) => return Ok(Prefix::Passed),
                (Err(violation), Err(_)) => return Err(violation),
                _ => {}
            }
        }
        // No image begins like this: the type that was found decides.
        Header::NotAnImage(found) => judge_type(rules, &found)?,
        Header::Broken(flaw) => return Err(violation::in_header(&flaw)),
    }
    Ok(Prefix::Undecided)
}

fn file_prefix(rules: &Rules, prefix: &[u8]) -> Result<Prefix, Violation> {
    if rules.content_types.is_empty() {
        return Ok(Prefix::Passed);
    }
    let found = identify(prefix);
    let telling = if found == MediaType::OCTET_STREAM { BINARY_MIN } else { SIGNATURE_MAX };
    if prefix.len() < telling {
        return Ok(Prefix::Undecided);
    }
    let others = may_become(&found);
    match judge_type(rules, &found) {
        Ok(()) if others.is_empty() => Ok(Prefix::Passed),
        Err(violation) if !others.iter().any(|other| takes(rules, other)) => Err(violation),
        _ => Ok(Prefix::Undecided),
    }
}

/// Judges a complete file by all that is known before an image in it is decoded.
pub fn judge_final(
    rules: &Rules,
    length: u64,
    found: &MediaType,
    dimensions: Option<Dimensions>,
) -> Result<(), Violation> {
    if length > rules.max_size.0 {
        return Err(wrong_size(length, rules.max_size.0));
    }
    if length == 0 && rules.kind == Kind::Image {
        return Err(violation::empty());
    }
    judge_type(rules, found)?;
    if length < rules.min_size.0 {
        return Err(wrong_size(length, rules.min_size.0));
    }
    dimensions.map_or(Ok(()), |dimensions| judge_dimensions(rules, dimensions))
}

/// The violation of a bound on the size, which is a minimum for a shorter file.
fn wrong_size(length: u64, bound: u64) -> Violation {
    let (rule, word, hint) = if length > bound {
        (Rule::MaxSize, "at most", "send a smaller file")
    } else {
        (Rule::MinSize, "at least", "send a larger file")
    };
    // Sizes are exact if rounding would make them look equal.
    let exact = ByteCount(length).to_string() == ByteCount(bound).to_string();
    let words = |bytes| if exact { format!("{bytes} bytes") } else { ByteCount(bytes).to_string() };
    let (measured, allowed) = (words(length), words(bound));
    let (fact, allows) = (format!("file is {measured}"), format!("takes {word} {allowed}"));
    Violation { rule, fact, measured, allows, allowed, hint: hint.into() }
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

/// Whether an image can be written in its own format, or is converted to another.
fn is_storable(rules: &Rules, format: Format) -> bool {
    format.is_writable() || rules.normal.format.is_some()
}

/// Judges a content type: the field must list it, and an image field must be able to decode and store it.
fn judge_type(rules: &Rules, found: &MediaType) -> Result<(), Violation> {
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
    } else if let Some(way_out) = found.way_out().filter(|_| rules.kind == Kind::Image) {
        way_out.into()
    } else {
        format!("send {allowed}; the name of a file does not change what it is")
    };
    let kind = if found.is_camera_raw() { ", camera RAW" } else { "" };
    Err(Violation {
        rule: Rule::ContentTypes,
        fact: format!("content is {found}{kind}"),
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

/// Judges the dimensions of an image as shown. Every bound is inclusive.
fn judge_dimensions(rules: &Rules, found: Dimensions) -> Result<(), Violation> {
    let least = Bounds {
        width: (Rule::MinWidth, rules.min_width),
        height: (Rule::MinHeight, rules.min_height),
        word: "at least",
        hint: "send a larger image",
    };
    least.judge(found, |side, least| side < least)?;
    let most = Bounds {
        width: (Rule::MaxWidth, rules.max_width),
        height: (Rule::MaxHeight, rules.max_height),
        word: "at most",
        hint: "send a smaller image",
    };
    most.judge(found, |side, most| side > most)?;
    judge_pixels(rules, found)?;
    judge_ratio(rules, found)
}

/// The bounds of both sides in one direction.
struct Bounds {
    width: (Rule, Option<u32>),
    height: (Rule, Option<u32>),
    word: &'static str,
    hint: &'static str,
}

impl Bounds {
    fn judge(&self, found: Dimensions, breaks: fn(u32, u32) -> bool) -> Result<(), Violation> {
        let Self { width: (_, width), height: (_, height), word, hint } = *self;
        let rule = match (width, height) {
            (Some(bound), _) if breaks(found.width, bound) => self.width.0,
            (_, Some(bound)) if breaks(found.height, bound) => self.height.0,
            _ => return Ok(()),
        };
        let (allows, allowed) = match (width, height) {
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
        let (fact, measured) = (format!("image is {found}"), found.to_string());
        Err(Violation { rule, fact, measured, allows, allowed, hint: hint.into() })
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
mod tests;
