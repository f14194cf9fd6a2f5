//! Identifying a file: its media type by its first bytes. A name may only refine it.
//!
//! The rules for markup and text follow the WHATWG's MIME sniffing standard; the rest are the formats' own signatures.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use serde::de::IgnoredAny;

use crate::format;
use crate::format::heif;
use words::media_type::MediaType;

/// The longest beginning by which a file is identified, in bytes.
pub const IDENTIFY_MAX: usize = 64 << 10;

/// Signatures of other formats than those of the table of images: the offset, the signature, and the type.
const SIGNATURES: &[(usize, &[u8], &str)] = &[
    (0, b"\0\0\0\x0CJXL \r\n\x87\n", "image/jxl"),
    (0, b"\xFF\x0A", "image/jxl"),
    (0, b"8BPS\0\x01", "image/vnd.adobe.photoshop"),
    (0, b"8BPS\0\x02", "image/vnd.adobe.photoshop"),
    (0, b"%PDF-", "application/pdf"),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"\x1F\x8B\x08", "application/gzip"),
    (0, b"7z\xBC\xAF\x27\x1C", "application/x-7z-compressed"),
    (0, b"Rar!\x1A\x07", "application/vnd.rar"),
    (0, b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", OLE),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"PK\x05\x06", ZIP),
    (0, b"OggS\0", "audio/ogg"),
    (0, b"fLaC", "audio/flac"),
    (0, b"ID3", "audio/mpeg"),
    (257, b"ustar", "application/x-tar"),
];

const ZIP: &str = "application/zip";
const OLE: &str = "application/x-ole-storage";
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
const DECLARED: [&str; 3] = [
    "application/epub+zip",
    "application/vnd.oasis.opendocument.text",
    "application/vnd.oasis.opendocument.spreadsheet",
];

/// Types to which an extension may refine text, a zip archive or an OLE file.
const TEXT_REFINEMENTS: [&str; 5] = ["text/csv", "text/markdown", "text/css", HTML, JSON];
const ZIP_REFINEMENTS: [&str; 6] =
    [OFFICE[0].1, OFFICE[1].1, OFFICE[2].1, DECLARED[0], DECLARED[1], DECLARED[2]];
const OLE_REFINEMENTS: [&str; 3] =
    ["application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint"];

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

/// The type of a file by its beginning; `application/octet-stream` if that is not known.
pub fn identify(prefix: &[u8]) -> MediaType {
    let prefix = prefix.get(..IDENTIFY_MAX).unwrap_or(prefix);
    if let Some(format) = format::sniff(prefix) {
        return format.media_type();
    }
    let name = signature(prefix)
        .or_else(|| container(prefix))
        .or_else(|| text(prefix))
        .unwrap_or("application/octet-stream");
    MediaType::from_static(name)
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
    let refined = refinements(found).iter().chain(open).copied().map(MediaType::from_static);
    refined.chain(binary).collect()
}

fn signature(bytes: &[u8]) -> Option<&'static str> {
    let hit = |at: usize, magic: &[u8]| bytes.get(at..).is_some_and(|rest| rest.starts_with(magic));
    SIGNATURES.iter().find(|(at, magic, _)| hit(*at, magic)).map(|(_, _, name)| *name)
}

fn container(bytes: &[u8]) -> Option<&'static str> {
    match bytes.get(..4)? {
        b"RIFF" if bytes.get(8..12)? == b"WAVE" => Some("audio/wav"),
        b"RIFF" if bytes.get(8..12)? == b"AVI " => Some("video/x-msvideo"),
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
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => "image/heic",
        generic if heif::is_generic(generic) => "image/heic",
        b"qt  " => "video/quicktime",
        b"M4A " | b"M4B " => "audio/mp4",
        _ => "video/mp4",
    })
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
