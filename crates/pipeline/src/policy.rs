//! Judging a file by the rules of its field: length, type and dimensions. Each broken rule becomes a [`Violation`].

use crate::identify::{identify, may_become};
use crate::image_header::{self, End, Header, Sides};
use crate::violation;
use words::byte_count::ByteCount;
use words::dimensions::Dimensions;
use words::media_type::{Format, MediaType, TypePattern};
use words::refusal::{Rule, Violation};
use words::rule::{Kind, Rules};

/// A beginning of this length is the last one to be judged; what it leaves open is judged at close.
pub const PREFIX_MAX: usize = 256 << 10;

/// A shorter beginning is too short to have no known signature.
const SIGNATURE_MAX: usize = 512;

/// A shorter beginning is too short to be called binary.
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

/// Judges the beginning of a file while the rest still arrives, or all of it with [`End::Whole`].
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
    match image_header::of_prefix(prefix, end) {
        Header::NeedMore => format_of(prefix).map_or(Prefix::Undecided, |format| {
            judge_type(rules, &format.media_type())
                .map_or_else(Prefix::Refused, |()| Prefix::Undecided)
        }),
        Header::Image { format, dimensions, sides } => {
            if let Err(violation) = judge_type(rules, &format.media_type()) {
                return Prefix::Refused(violation);
            }
            let otherwise = match sides {
                Sides::Final => dimensions,
                Sides::MaySwap => dimensions.swapped(),
            };
            match (judge_dimensions(rules, dimensions), judge_dimensions(rules, otherwise)) {
                (Ok(()), Ok(())) => Prefix::Passed,
                (Err(violation), Err(_)) => Prefix::Refused(violation),
                _ => Prefix::Undecided,
            }
        }
        // Nothing that begins like this becomes an image, so the type found now is reason enough.
        Header::NotAnImage(found) => {
            judge_type(rules, &found).map_or_else(Prefix::Refused, |()| Prefix::Undecided)
        }
        Header::Broken(flaw) => Prefix::Refused(violation::in_header(flaw)),
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

/// Judges a complete file by all that is known before an image in it is decoded.
pub fn judge_final(
    rules: &Rules,
    length: u64,
    found: &MediaType,
    dimensions: Option<Dimensions>,
) -> Result<(), Violation> {
    judge_max_size(rules, length)?;
    if length == 0 && rules.kind == Kind::Image {
        return Err(violation::empty());
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

/// Two sizes in words. They are exact if rounding would make them look equal.
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

/// Whether an image can be written in its own format, or is converted to another.
fn is_storable(rules: &Rules, format: Format) -> bool {
    format.is_writable() || rules.normal.format.is_some()
}

/// Judges a content type: the field must list it, and an image field must be able to decode and store it.
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

/// Judges the dimensions of an image as shown. Every bound is inclusive.
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
mod tests;
