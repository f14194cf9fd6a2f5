//! Single values of a configuration: how each is written. Errors are reasons in words.

use std::path::PathBuf;
use std::time::Duration;

use toml::de::DeValue;

use super::problem::nearest;
use words::byte_count::ByteCount;
use words::dimensions::{Dimensions, side};
use words::media_type::{Format, TypePattern};
use words::rule::{Crop, Edge, Resize};
use words::schema::{Preset, Sizes};
use words::variant::{Spec, Variant};

type Read<T> = Result<T, String>;

/// The longest side of an image in any format here.
const MAX_SIDE: i64 = 65_535;

pub(super) fn text(value: &DeValue<'_>) -> Read<String> {
    string(value, "a string").map(str::to_owned)
}

pub(super) fn boolean(value: &DeValue<'_>) -> Read<bool> {
    value.as_bool().ok_or_else(|| unlike(value, "true or false"))
}

/// The path of a directory, which need not exist.
pub(super) fn directory(value: &DeValue<'_>) -> Read<PathBuf> {
    let written = text(value)?;
    if written.is_empty() || written.contains('\0') {
        return Err("expected the path of a directory".into());
    }
    // Shells expand it, and only when it begins a word.
    if written.starts_with('~') {
        return Err(format!("`~` is not expanded here; write the whole path of \"{written}\""));
    }
    if written.contains("://") {
        return Err(format!(
            "\"{written}\" is a URL; blobs are kept in directories of this host only"
        ));
    }
    Ok(PathBuf::from(written))
}

/// The base of public URLs, without a trailing slash.
pub(super) fn base_url(value: &DeValue<'_>) -> Read<String> {
    let written = text(value)?;
    let rest = written.strip_prefix("https://").or_else(|| written.strip_prefix("http://"));
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#');
    match rest {
        Some(rest) if !rest.trim_matches('/').is_empty() && rest.bytes().all(plain) => {
            Ok(written.trim_end_matches('/').to_owned())
        }
        _ => {
            Err("expected an address such as \"https://media.example.org\", without ? or #".into())
        }
    }
}

/// `5 MiB`.
pub(super) fn size(value: &DeValue<'_>) -> Read<ByteCount> {
    let written = string(value, "a size such as \"5 MiB\"")?;
    written.parse::<ByteCount>().map_err(|error| error.to_string())
}

/// `30s`, `5m`, `24h`, `7d`, or `0`.
pub(super) fn duration(value: &DeValue<'_>) -> Read<Duration> {
    time(value, ", or \"0\"")
}

/// As [`duration`], for a key whose caller refuses a time of 0.
pub(super) fn span(value: &DeValue<'_>) -> Read<Duration> {
    time(value, "")
}

/// A time. The messages end with `zero`, which names the value 0 where it is allowed.
fn time(value: &DeValue<'_>, zero: &str) -> Read<Duration> {
    let written = string(value, &format!("a time such as \"30s\"{zero}"))?;
    let shape = || {
        format!(
            "a time is a whole number and a unit, such as \"30s\", \"5m\", \"24h\" or \"7d\"{zero}"
        )
    };
    if written == "0" {
        return Ok(Duration::ZERO);
    }
    let digits = written.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = written.split_at(digits);
    let factor: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err(shape()),
    };
    let seconds = number.parse::<u32>().map_err(|_| shape())?;
    Ok(Duration::from_secs(u64::from(seconds) * factor))
}

/// A whole number in a range, both ends included.
pub(super) fn whole<N: TryFrom<i64>>(value: &DeValue<'_>, least: i64, most: i64) -> Read<N> {
    let wanted = format!("a whole number from {least} to {most}");
    let integer = value.as_integer().ok_or_else(|| unlike(value, &wanted))?;
    i64::from_str_radix(integer.as_str(), integer.radix())
        .ok()
        .filter(|number| (least..=most).contains(number))
        .and_then(|number| N::try_from(number).ok())
        .ok_or_else(|| format!("expected {wanted}, found {integer}"))
}

/// Pixels of one side.
pub(super) fn pixels(value: &DeValue<'_>) -> Read<u32> {
    whole(value, 1, MAX_SIDE)
}

/// Pixels of a whole image.
pub(super) fn area(value: &DeValue<'_>) -> Read<u64> {
    whole(value, 1, MAX_SIDE * MAX_SIDE)
}

/// Width divided by height: a positive number.
pub(super) fn ratio(value: &DeValue<'_>) -> Read<f64> {
    let wanted = "a positive number such as 1.5 (width divided by height)";
    let written = match value {
        DeValue::Integer(integer) if integer.radix() == 10 => integer.as_str(),
        DeValue::Float(float) => float.as_str(),
        _ => return Err(unlike(value, wanted)),
    };
    let number: f64 = written.parse().map_err(|_| format!("expected {wanted}"))?;
    let positive = number.is_finite() && number > 0.0;
    positive.then_some(number).ok_or_else(|| format!("expected {wanted}, found {written}"))
}

/// Permission bits as a string of octal digits.
pub(super) fn mode(value: &DeValue<'_>) -> Read<u32> {
    mode_within(value, 0o777, "permission bits such as \"0644\", in quotes")
}

/// The mode of a directory, which may have the sticky and the set-group-ID bit.
pub(super) fn dir_mode(value: &DeValue<'_>) -> Read<u32> {
    mode_within(value, 0o3777, "permission bits such as \"0755\" or \"2775\", in quotes")
}

fn mode_within(value: &DeValue<'_>, most: u32, wanted: &str) -> Read<u32> {
    let written = string(value, wanted)?;
    let octal = (3..=4).contains(&written.len())
        && written.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    let bits = u32::from_str_radix(written, 8).ok().filter(|bits| octal && *bits & !most == 0);
    bits.ok_or_else(|| unreadable(written, wanted))
}

pub(super) fn content_type(value: &DeValue<'_>) -> Read<TypePattern> {
    let wanted = "a content type such as \"image/png\" or \"image/*\"";
    let written = string(value, wanted)?;
    if written == "image/jpg" {
        return Err("\"image/jpg\" is no content type; did you mean \"image/jpeg\"?".into());
    }
    TypePattern::parse(written).ok_or_else(|| unreadable(written, wanted))
}

/// A format that can be written.
pub(super) fn format(value: &DeValue<'_>) -> Read<Format> {
    let written = string(value, "the name of a format")?;
    let writable = Format::ALL.into_iter().filter(|format| format.is_writable());
    let names: Vec<&str> = writable.map(Format::name).collect();
    match Format::ALL.into_iter().find(|format| format.name() == written) {
        Some(format) if format.is_writable() => Ok(format),
        Some(_) => Err(format!("{written} can be read but not written; use {}", names.join(", "))),
        None => Err(choice(written, &names)),
    }
}

/// `1600x1600`.
pub(super) fn dimensions(value: &DeValue<'_>) -> Read<Dimensions> {
    let written = string(value, "dimensions such as \"1600x1600\"")?;
    let shape = "dimensions are written as in '1600x1200', each side from 1 to 65535 pixels";
    Dimensions::parse(written).ok_or_else(|| shape.to_owned())
}

/// `800x600`, `800x` or `x600`.
pub(super) fn resize(value: &DeValue<'_>) -> Read<Resize> {
    let wanted = "a size such as \"800x600\", \"800x\" or \"x600\"";
    let written = string(value, wanted)?;
    let parsed = match written.split_once('x') {
        Some((width, "")) => side(width).map(Resize::Width),
        Some(("", height)) => side(height).map(Resize::Height),
        _ => Dimensions::parse(written).map(Resize::Exact),
    };
    parsed.ok_or_else(|| unreadable(written, wanted))
}

/// `left,top,right,bottom`, each in pixels or per cent.
pub(super) fn crop(value: &DeValue<'_>) -> Read<Crop> {
    let wanted = "left,top,right,bottom such as \"0,0,800,600\" or \"10%,10%,90%,90%\"";
    let written = string(value, wanted)?;
    let edges: Option<Vec<Edge>> = written.split(',').map(|part| edge(part.trim())).collect();
    let Some(&[left, top, right, bottom]) = edges.as_deref() else {
        return Err(unreadable(written, wanted));
    };
    if !before(left, right) || !before(top, bottom) {
        return Err(format!(
            "\"{written}\" keeps nothing: left must be less than right, and top less than bottom"
        ));
    }
    Ok(Crop { left, top, right, bottom })
}

fn edge(text: &str) -> Option<Edge> {
    match text.strip_suffix('%') {
        Some(number) => {
            let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            let percent: f64 = number.parse().ok().filter(|_| plain)?;
            (percent <= 100.0).then_some(Edge::Percent(percent))
        }
        None if text == "0" => Some(Edge::Pixels(0)),
        None => side(text).map(Edge::Pixels),
    }
}

/// Whether the first edge lies before the second, as far as that is known without an image.
fn before(first: Edge, second: Edge) -> bool {
    match (first, second) {
        (Edge::Pixels(first), Edge::Pixels(second)) => first < second,
        (Edge::Percent(first), Edge::Percent(second)) => first < second,
        (Edge::Percent(first), Edge::Pixels(second)) => first < 100.0 && second > 0,
        (Edge::Pixels(_), Edge::Percent(second)) => second > 0.0,
    }
}

/// `w64`, or `200x200c.webp`.
pub(super) fn preset(value: &DeValue<'_>) -> Read<Preset> {
    let wanted = "a variant such as \"w200\", \"h150\", \"200x150\", \"200x150c\", \"r0.5\" or \"full\", \
                  with a format if it has one of its own: \"w200.webp\"";
    let written = string(value, wanted)?;
    if let Some(spec) = Spec::parse(written) {
        return Ok(Preset { spec, format: None });
    }
    Variant::parse(written)
        .map(|variant| Preset { spec: variant.spec, format: Some(variant.format) })
        .ok_or_else(|| format!("expected {wanted}; found \"{written}\""))
}

/// `any`, `listed`, a step in pixels, or several.
pub(super) fn sizes(value: &DeValue<'_>) -> Read<Sizes> {
    match value {
        DeValue::Integer(_) => Ok(Sizes::Steps(vec![pixels(value)?])),
        DeValue::Array(steps) if !steps.is_empty() => {
            let steps: Read<_> = steps.iter().map(|step| pixels(step.get_ref())).collect();
            steps.map(Sizes::Steps)
        }
        DeValue::String(written) if written == "any" => Ok(Sizes::Any),
        DeValue::String(written) if written == "listed" => Ok(Sizes::Listed),
        DeValue::String(written) => {
            Err(choice(written, &["any", "listed"]) + ", or a step in pixels")
        }
        _ => Err(unlike(value, "\"any\", \"listed\", or steps in pixels such as 16 or [10, 16]")),
    }
}

/// One of a few words, each of which stands for a value.
pub(super) fn one_of<T: Copy>(value: &DeValue<'_>, choices: &[(&str, T)]) -> Read<T> {
    let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
    let written = string(value, &format!("one of {}", names.join(", ")))?;
    let found = choices.iter().find(|(name, _)| *name == written);
    found.map(|(_, meaning)| *meaning).ok_or_else(|| choice(written, &names))
}

fn choice(written: &str, names: &[&str]) -> String {
    let hint = nearest(written, names)
        .map_or_else(String::new, |meant| format!("; did you mean \"{meant}\"?"));
    format!("\"{written}\" is not one of {}{hint}", names.join(", "))
}

pub(super) fn string<'v>(value: &'v DeValue<'_>, wanted: &str) -> Read<&'v str> {
    value.as_str().ok_or_else(|| unlike(value, wanted))
}

/// The message on a value of another type: `expected true or false, found a string`.
pub(super) fn unlike(value: &DeValue<'_>, wanted: &str) -> String {
    let found = value.type_str();
    let article = if found.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    format!("expected {wanted}, found {article} {found}")
}

fn unreadable(written: &str, wanted: &str) -> String {
    format!("expected {wanted}, found \"{written}\"")
}
