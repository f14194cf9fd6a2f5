//! Identifying a file: its media type by its first bytes. A name may only refine it.
//!
//! The rules for markup and text follow the WHATWG's MIME sniffing standard; the rest are the formats' own signatures.

mod signature;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use serde::de::IgnoredAny;

use self::signature::{OLE, SIGNATURES, ZIP};
use crate::format::partial::{Partial, Stop};
use crate::format::{self, heif, tiff};
use words::media_type::{Format, MediaType};

/// The longest beginning by which a file is identified, in bytes.
pub const IDENTIFY_MAX: usize = 64 << 10;

const HTML: &str = "text/html";
const JSON: &str = "application/json";
const SVG: &str = "image/svg+xml";
const XML: &str = "application/xml";

const OFFICE: [(&str, &str); 3] = [
    ("word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    ("xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    ("ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
];

/// Types that the first entry of an archive, an uncompressed file called `mimetype`, may declare (OCF 4.3, ODF part 3).
const DECLARED: [&str; 5] = [
    "application/epub+zip",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.oasis.opendocument.spreadsheet",
    "application/vnd.oasis.opendocument.presentation",
    "application/vnd.oasis.opendocument.graphics",
];

/// Types to which an extension may refine text, a zip archive, an OLE file, or camera RAW of a maker with several.
const TEXT_REFINEMENTS: [&str; 5] = ["text/csv", "text/markdown", "text/css", HTML, JSON];
const ZIP_REFINEMENTS: [&str; 8] = [
    OFFICE[0].1,
    OFFICE[1].1,
    OFFICE[2].1,
    DECLARED[0],
    DECLARED[1],
    DECLARED[2],
    DECLARED[3],
    DECLARED[4],
];
const OLE_REFINEMENTS: [&str; 3] =
    ["application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"];

const NIKON: &str = "image/x-nikon-nef";
const SONY: &str = "image/x-sony-arw";
const KODAK: &str = "image/x-kodak-dcr";

/// Text that begins with one of these tags, a comment or a document type is HTML (WHATWG MIME sniffing, 7.1).
const HTML_TAGS: [&str; 15] = [
    "html", "head", "script", "iframe", "h1", "div", "font", "table", "a", "style", "title", "b",
    "body", "br", "p",
];

/// Reads the beginning by which a file of this length is identified.
pub fn beginning(file: &File, length: u64) -> io::Result<Vec<u8>> {
    let most = usize::try_from(length).unwrap_or(usize::MAX).min(IDENTIFY_MAX);
    let mut head = vec![0; most];
    file.read_exact_at(&mut head, 0)?;
    Ok(head)
}

/// The type of a file by its beginning; `application/octet-stream` if that is not known. Camera RAW counts as TIFF as long as the
/// directories that tell them apart have not arrived.
pub fn identify(prefix: &[u8]) -> MediaType {
    of(&Partial { head: prefix, file: None }).unwrap_or_else(|_| Format::Tiff.media_type())
}

/// The type of a file by its beginning, and by the directories of a TIFF wherever they lie. Errors: `NeedMore` if they have not
/// arrived, and `Io`.
pub(crate) fn of(source: &Partial<'_>) -> Result<MediaType, Stop> {
    let prefix = source.head.get(..IDENTIFY_MAX).unwrap_or(source.head);
    if let Some(format) = format::sniff(prefix) {
        let raw = if format == Format::Tiff { tiff::raw::kind(source)? } else { None };
        return Ok(raw.map_or_else(|| format.media_type(), MediaType::from_static));
    }
    let name = signature(prefix)
        .or_else(|| container(prefix))
        .or_else(|| text(prefix))
        .unwrap_or("application/octet-stream");
    Ok(MediaType::from_static(name))
}

/// The type refined by the extension of the file's name: text may be `text/csv`, a zip archive a document. No extension makes
/// an image of other bytes.
pub fn refine_by_extension(found: MediaType, extension: &str) -> MediaType {
    let named = MediaType::of_extension(extension);
    named.filter(|named| refinements(&found).contains(&named.as_str())).unwrap_or(found)
}

fn refinements(found: &MediaType) -> &'static [&'static str] {
    match found.as_str() {
        "text/plain" => &TEXT_REFINEMENTS,
        ZIP => &ZIP_REFINEMENTS,
        OLE => &OLE_REFINEMENTS,
        NIKON => &["image/x-nikon-nrw"],
        SONY => &["image/x-sony-sr2", "image/x-sony-srf"],
        KODAK => &["image/x-kodak-kdc"],
        _ => &[],
    }
}

/// The types that a file may have when all its bytes and its name are known. Empty if the type is final.
pub fn may_become(found: &MediaType) -> Vec<MediaType> {
    let open: &[&str] = match found.as_str() {
        "text/plain" | JSON | XML => &[JSON, XML, SVG, HTML, "text/plain"],
        _ => &[],
    };
    let binary = (!open.is_empty()).then_some(MediaType::OCTET_STREAM);
    let raw = MediaType::camera_raw().filter(|_| found.format() == Some(Format::Tiff));
    let refined = refinements(found).iter().chain(open).copied().chain(raw);
    refined.map(MediaType::from_static).chain(binary).collect()
}

fn signature(bytes: &[u8]) -> Option<&'static str> {
    let hit = |at: usize, magic: &[u8]| bytes.get(at..).is_some_and(|rest| rest.starts_with(magic));
    SIGNATURES.iter().find(|(at, magic, _)| hit(*at, magic)).map(|(_, _, name)| *name)
}

fn container(bytes: &[u8]) -> Option<&'static str> {
    match bytes.get(..4)? {
        b"RIFF" if bytes.get(8..12)? == b"WAVE" => Some("audio/wav"),
        b"RIFF" if bytes.get(8..12)? == b"AVI " => Some("video/x-msvideo"),
        b"FORM" if bytes.get(8..11)? == b"AIF" => Some("audio/aiff"),
        b"OggS" => Some(ogg(bytes)),
        b"\0\0\0\x0C" if bytes.get(4..8)? == b"jP  " => Some(jpeg_2000(bytes)),
        [b'M', b'Z', ..] => program(bytes),
        b"PK\x03\x04" => Some(zip(bytes)),
        b"\x1A\x45\xDF\xA3" => Some(matroska(bytes)),
        b"\0\0\x01\0" => icon(bytes),
        [0xFF, ..] => mpeg_audio(bytes),
        _ => media(bytes),
    }
}

/// An ISO base media file, by its major brand.
fn media(bytes: &[u8]) -> Option<&'static str> {
    Some(match heif::major(bytes)? {
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"hevm" | b"hevs" => {
            "image/heic"
        }
        b"avci" | b"avcs" => "image/avci",
        generic if heif::is_generic(generic) => "image/heic",
        b"crx " => "image/x-canon-cr3",
        [b'3', b'g', _, _] => "video/3gpp",
        b"qt  " => "video/quicktime",
        b"M4A " | b"M4B " => "audio/mp4",
        _ => "video/mp4",
    })
}

/// Theora, Dirac or OGM among the first pages is video; all else in Ogg is sound.
fn ogg(bytes: &[u8]) -> &'static str {
    let head = &bytes[..bytes.len().min(4096)];
    let video: [&[u8]; 3] = [b"\x80theora", b"BBCD\0", b"\x01video\0\0\0"];
    if video.iter().any(|mark| after(head, mark).is_some()) { "video/ogg" } else { "audio/ogg" }
}

/// A file of JPEG 2000, by its brand (ISO/IEC 15444-1, I.5.2).
fn jpeg_2000(bytes: &[u8]) -> &'static str {
    match bytes.get(20..24) {
        Some(b"jpx ") => "image/jpx",
        Some(b"jpm ") => "image/jpm",
        Some(b"mjp2") => "video/mj2",
        _ => "image/jp2",
    }
}

/// A program for Windows, whose header lies where the one for DOS says.
fn program(bytes: &[u8]) -> Option<&'static str> {
    let at = u32::from_le_bytes(bytes.get(0x3C..0x40)?.try_into().ok()?);
    let signature = bytes.get(usize::try_from(at).ok()?..)?;
    signature.starts_with(b"PE\0\0").then_some("application/vnd.microsoft.portable-executable")
}

fn matroska(bytes: &[u8]) -> &'static str {
    let head = &bytes[..bytes.len().min(4096)];
    if after(head, b"webm").is_some() { "video/webm" } else { "video/x-matroska" }
}

fn icon(bytes: &[u8]) -> Option<&'static str> {
    // One to 255 images; the reserved byte of the first entry is zero.
    matches!(bytes.get(4..10)?, [count, 0, _, _, _, 0] if *count > 0).then_some("image/x-icon")
}

/// A frame of MPEG audio, layer III, and another behind it if the bytes reach so far.
fn mpeg_audio(bytes: &[u8]) -> Option<&'static str> {
    let size = mpeg_frame(bytes)?;
    let next = bytes.get(size..size + 4);
    next.is_none_or(|next| mpeg_frame(next).is_some()).then_some("audio/mpeg")
}

fn mpeg_frame(bytes: &[u8]) -> Option<usize> {
    const KILOBITS_1: [usize; 15] =
        [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    const KILOBITS_2: [usize; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    let &[0xFF, second, third, _] = bytes.get(..4)? else { return None };
    let layer_three = second & 0b1110_0110 == 0b1110_0010;
    let version = (second >> 3) & 0b11;
    let (rate, kilobits, scale) = match version {
        0 => ([11_025, 12_000, 8_000], KILOBITS_2, 72_000),
        2 => ([22_050, 24_000, 16_000], KILOBITS_2, 72_000),
        3 => ([44_100, 48_000, 32_000], KILOBITS_1, 144_000),
        _ => return None,
    };
    let rate = rate.get(usize::from((third >> 2) & 0b11))?;
    let kilobits = *kilobits.get(usize::from(third >> 4))?;
    let padding = usize::from((third >> 1) & 1);
    (layer_three && kilobits > 0).then(|| scale * kilobits / rate + padding)
}

fn zip(bytes: &[u8]) -> &'static str {
    let names: Vec<&[u8]> = entries(bytes).map(|(name, _)| name).collect();
    let declared = entries(bytes).next().filter(|(name, _)| *name == b"mimetype");
    let known = declared.and_then(|(_, content)| {
        DECLARED.into_iter().find(|kind| content.starts_with(kind.as_bytes()))
    });
    if let Some(known) = known {
        return known;
    }
    let has = |wanted: &str| names.iter().any(|name| name.starts_with(wanted.as_bytes()));
    if has("[Content_Types].xml") || has("_rels/") {
        return OFFICE.into_iter().find(|(folder, _)| has(folder)).map_or(ZIP, |(_, kind)| kind);
    }
    ZIP
}

/// The local entries of an archive that begin in these bytes: the name of each, and the bytes behind it.
fn entries(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    const SIGNATURE: &[u8] = b"PK\x03\x04";
    let starts = bytes.windows(4).enumerate().filter(|(_, window)| *window == SIGNATURE);
    starts.filter_map(|(at, _)| {
        let short = |offset: usize| {
            let pair: [u8; 2] = bytes.get(at + offset..at + offset + 2)?.try_into().ok()?;
            Some(usize::from(u16::from_le_bytes(pair)))
        };
        let name_end = at + 30 + short(26)?;
        let content = name_end + short(28)?;
        Some((bytes.get(at + 30..name_end)?, bytes.get(content..).unwrap_or_default()))
    })
}

fn text(bytes: &[u8]) -> Option<&'static str> {
    if bytes.is_empty() {
        return None;
    }
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        return Some("text/plain");
    }
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let binary = |byte: &u8| matches!(byte, 0..=8 | 0x0B | 0x0E..=0x1A | 0x1C..=0x1F);
    // Control characters come first: most binary files have one near their beginning.
    if bytes.iter().any(binary) || !(is_utf8(bytes) || is_latin1(bytes)) {
        return None;
    }
    let start = bytes.trim_ascii_start();
    markup(start).or_else(|| json(start)).or(Some("text/plain"))
}

/// Valid UTF-8, whose last character may be cut off.
fn is_utf8(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).err().is_none_or(|error| error.error_len().is_none())
}

/// At least 70 % ASCII, and no control character of ISO 8859-1.
fn is_latin1(bytes: &[u8]) -> bool {
    let ascii = bytes.iter().filter(|byte| byte.is_ascii()).count();
    let controls = bytes.iter().any(|byte| (0x7F..=0x9F).contains(byte));
    !controls && ascii * 10 >= bytes.len() * 7
}

fn markup(start: &[u8]) -> Option<&'static str> {
    if !start.starts_with(b"<") {
        return None;
    }
    let root = root(start);
    let is_xml = start.starts_with(b"<?xml");
    match root.split(|byte| *byte == b':').next_back() {
        Some(b"svg") => Some(SVG),
        Some(name) if is_xml && !name.eq_ignore_ascii_case(b"html") => Some(XML),
        _ if is_xml => Some(HTML),
        _ => is_html(start).then_some(HTML),
    }
}

fn is_html(start: &[u8]) -> bool {
    let after = &start[1..];
    let tag = |tag: &str| {
        let (head, rest) = after.split_at_checked(tag.len()).unwrap_or_default();
        head.eq_ignore_ascii_case(tag.as_bytes())
            && matches!(rest.first(), Some(b' ' | b'>' | b'\t' | b'\n' | b'\r' | b'/'))
    };
    after.starts_with(b"!--") || tag("!doctype html") || HTML_TAGS.into_iter().any(tag)
}

/// The name of the root element, which may stand behind a declaration, comments and a document type with entities.
fn root(mut rest: &[u8]) -> &[u8] {
    while let Some(inside) = rest.trim_ascii_start().strip_prefix(b"<") {
        let end = match inside {
            [b'?', ..] => after(inside, b"?>"),
            [b'!', b'-', b'-', ..] => after(inside, b"-->"),
            [b'!', ..] => doctype_end(inside),
            _ => {
                let name = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/');
                let length = inside.iter().position(name).unwrap_or(inside.len());
                return &inside[..length];
            }
        };
        let Some(next) = end else { return &[] };
        rest = next;
    }
    &[]
}

fn doctype_end(inside: &[u8]) -> Option<&[u8]> {
    let close = inside.iter().position(|byte| *byte == b'>')?;
    // Searched up to the first `>` only: hostile markup would make a search to the end quadratic.
    match inside[..close].iter().position(|byte| *byte == b'[') {
        Some(subset) => after(after(&inside[subset..], b"]")?, b">"),
        None => inside.get(close + 1..),
    }
}

fn after<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)?;
    bytes.get(at + mark.len()..)
}

/// An object or an array that parses. One that is long enough to have been cut off must parse up to its end.
fn json(start: &[u8]) -> Option<&'static str> {
    if !matches!(start.first(), Some(b'{' | b'[')) {
        return None;
    }
    match serde_json::from_slice::<IgnoredAny>(start) {
        Ok(_) => Some(JSON),
        Err(error) => (error.is_eof() && start.len() > IDENTIFY_MAX / 2).then_some(JSON),
    }
}

#[cfg(test)]
mod tests;
