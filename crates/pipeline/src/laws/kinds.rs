//! Laws of identifying: a file of each of some eighty kinds, judged beside the crate `file-format`, which knows them by other
//! tables than ours. Where the two differ, the reason is in [`DISAGREEMENTS`].

use file_format::FileFormat;

use super::tiff_kinds::camera_files;
use super::{animated_gif, bmp_or_tiff, encoded, size};
use crate::format::codec::Repeat;
use crate::identify::identify;
use words::media_type::Format;

/// Our type, the other's, and why ours stays.
const DISAGREEMENTS: &[(&str, &str, &str)] = &[
    ("image/heic", "image/heic-sequence", CODEC),
    ("image/heic", "image/heif", CODEC),
    ("image/heic", "image/heif-sequence", CODEC),
    ("image/avci", "application/octet-stream", UNKNOWN),
    ("image/x-icon", "image/vnd.microsoft.icon", "browsers and servers say the older name"),
    ("image/x-olympus-orf", "application/octet-stream", UNKNOWN),
    ("image/x-panasonic-rw", "application/octet-stream", UNKNOWN),
    ("image/x-minolta-mrw", "application/octet-stream", UNKNOWN),
    ("image/x-sigma-x3f", "application/octet-stream", UNKNOWN),
    ("image/x-phaseone-iiq", "image/tiff", DIRECTORIES),
    ("image/x-adobe-dng", "image/tiff", DIRECTORIES),
    ("image/x-nikon-nef", "image/tiff", DIRECTORIES),
    ("image/x-sony-arw", "image/tiff", DIRECTORIES),
    ("image/x-pentax-pef", "image/tiff", DIRECTORIES),
    ("image/x-hasselblad-3fr", "image/tiff", DIRECTORIES),
    ("image/x-samsung-srw", "image/tiff", DIRECTORIES),
    ("image/x-dcraw", "image/tiff", DIRECTORIES),
    ("audio/mpeg", "application/x-id3v2", "players take what follows the tag for MP3"),
    ("audio/wav", "audio/vnd.wave", "browsers and servers say the shorter name"),
    ("audio/aiff", "audio/x-aiff", "the name without x- is as common"),
    ("audio/mp4", "audio/x-m4a", "the name that is registered (RFC 4337)"),
    ("audio/ogg", "audio/opus", "that is Opus in RTP (RFC 7845, 9)"),
    ("video/mp4", "application/mp4", "without tracks; a film until it is known to be none"),
    ("video/x-matroska", "application/octet-stream", "without tracks"),
    ("video/x-ms-asf", "application/vnd.ms-asf", "the name of the shared MIME-info database"),
    ("application/json", "text/plain", "it knows no JSON"),
    (
        "application/xml",
        "application/atom+xml",
        "a root that is called feed may be of any language",
    ),
];

const CODEC: &str =
    "what codes the pictures matters to those who would read them, not how many there are";
const UNKNOWN: &str = "it knows no such file";
const DIRECTORIES: &str = "it reads no directories of TIFF";

/// A box of an ISO base media file.
fn boxed(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    [&u32::try_from(body.len() + 8).unwrap().to_be_bytes()[..], &kind, body].concat()
}

/// A media file of this brand, with the boxes of a film.
fn media(brand: [u8; 4]) -> Vec<u8> {
    [boxed(*b"ftyp", &[&brand[..], &[0; 4], &brand].concat()), boxed(*b"moov", &[]), vec![0; 600]]
        .concat()
}

/// A file with this beginning, and zeros behind it.
fn begins(signature: &[u8]) -> Vec<u8> {
    let mut bytes = signature.to_vec();
    bytes.resize(signature.len().max(600), 0);
    bytes
}

/// Zeros up to an offset, then this.
fn lies(at: usize, signature: &[u8]) -> Vec<u8> {
    begins(&[vec![0; at].as_slice(), signature].concat())
}

/// An archive of uncompressed files, with its directory.
fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let short = |number: usize| u16::try_from(number).unwrap().to_le_bytes().to_vec();
    let long = |number: usize| u32::try_from(number).unwrap().to_le_bytes().to_vec();
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in files {
        let sizes = [long(content.len()), long(content.len()), short(name.len())].concat();
        let head = [&[20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &sizes].concat();
        let central =
            [&b"PK\x01\x02\x14\0"[..], &head, &[0; 12], &long(out.len()), name.as_bytes()];
        directory.extend(central.concat());
        out.extend(
            [&b"PK\x03\x04"[..], &head, &[0; 2], name.as_bytes(), content.as_bytes()].concat(),
        );
    }
    let (count, start, length) = (short(files.len()), long(out.len()), long(directory.len()));
    let end = [&b"PK\x05\x06\0\0\0\0"[..], &count, &count, &length, &start, &[0; 2]].concat();
    [out, directory, end].concat()
}

fn declared(kind: &str) -> Vec<u8> {
    archive(&[("mimetype", kind), ("content.xml", "<x/>")])
}

fn office(folder: &str, part: &str) -> Vec<u8> {
    let part = format!("{folder}/{part}.xml");
    archive(&[("[Content_Types].xml", "<x/>"), ("_rels/.rels", "<x/>"), (&part, "<x/>")])
}

fn matroska(kind: &str) -> Vec<u8> {
    let name =
        [&[0x42, 0x82, 0x80 | u8::try_from(kind.len()).unwrap()][..], kind.as_bytes()].concat();
    begins(
        &[&[0x1A, 0x45, 0xDF, 0xA3, 0x80 | u8::try_from(name.len()).unwrap()][..], &name].concat(),
    )
}

fn program() -> Vec<u8> {
    let mut bytes = begins(b"MZ");
    bytes[0x3C] = 0x80;
    bytes[0x80..0x86].copy_from_slice(b"PE\0\0\x64\x86");
    bytes
}

fn ogg(codec: &[u8]) -> Vec<u8> {
    begins(&[&b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x2A"[..], codec].concat())
}

fn jpeg_2000(brand: [u8; 4]) -> Vec<u8> {
    begins(
        &[
            &b"\0\0\0\x0CjP  \r\n\x87\n"[..],
            &boxed(*b"ftyp", &[&brand[..], &[0; 4], &brand].concat()),
        ]
        .concat(),
    )
}

fn mpeg_audio() -> Vec<u8> {
    [b"\xFF\xFB\x90\x64".to_vec(), vec![0; 413]].concat().repeat(3)
}

/// A type, and a file that has it.
type Kind = (&'static str, Vec<u8>);

fn images() -> Vec<Kind> {
    let still = [
        (Format::Jpeg, "image/jpeg"),
        (Format::Png, "image/png"),
        (Format::Gif, "image/gif"),
        (Format::Webp, "image/webp"),
        (Format::Avif, "image/avif"),
    ];
    let still = still.into_iter().map(|(format, name)| (name, encoded(format, size(40, 30))));
    let others = vec![
        ("image/bmp", bmp_or_tiff(Format::Bmp)),
        ("image/tiff", bmp_or_tiff(Format::Tiff)),
        ("image/gif", animated_gif(Repeat::Forever)),
        ("image/heic", [boxed(*b"ftyp", b"heic\0\0\0\0mif1heic"), vec![0; 600]].concat()),
        ("image/heic", [boxed(*b"ftyp", b"heix\0\0\0\0mif1heix"), vec![0; 600]].concat()),
        ("image/heic", [boxed(*b"ftyp", b"hevc\0\0\0\0msf1hevc"), vec![0; 600]].concat()),
        ("image/heic", [boxed(*b"ftyp", b"heim\0\0\0\0mif1heim"), vec![0; 600]].concat()),
        ("image/heic", [boxed(*b"ftyp", b"hevs\0\0\0\0msf1hevs"), vec![0; 600]].concat()),
        ("image/heic", [boxed(*b"ftyp", b"mif1\0\0\0\0mif1heic"), vec![0; 600]].concat()),
        ("image/avci", [boxed(*b"ftyp", b"avci\0\0\0\0mif1avci"), vec![0; 600]].concat()),
        ("image/jxl", begins(b"\0\0\0\x0CJXL \r\n\x87\n\0\0\0\x14ftypjxl \0\0\0\0jxl ")),
        ("image/jxl", begins(b"\xFF\x0A\xFA\x1F")),
        ("image/jp2", jpeg_2000(*b"jp2 ")),
        ("image/jpx", jpeg_2000(*b"jpx ")),
        ("image/jpm", jpeg_2000(*b"jpm ")),
        ("image/x-jp2-codestream", begins(b"\xFF\x4F\xFF\x51\0\x2F")),
        ("image/x-icon", begins(b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0\x20\0\x68\x04\0\0\x16\0\0\0")),
        ("image/vnd.adobe.photoshop", begins(b"8BPS\0\x01\0\0\0\0\0\0\0\x03")),
        ("image/vnd.adobe.photoshop", begins(b"8BPS\0\x02\0\0\0\0\0\0\0\x03")),
        ("image/x-exr", begins(b"v/1\x01\x02\0\0\0")),
        ("image/x-qoi", begins(b"qoif\0\0\0\x28\0\0\0\x1E\x03\0")),
        ("image/svg+xml", b"<svg xmlns=\"http://www.w3.org/2000/svg\"><rect/></svg>".to_vec()),
        (
            "image/svg+xml",
            b"<?xml version=\"1.0\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec(),
        ),
        ("image/x-canon-cr3", media(*b"crx ")),
        ("image/x-canon-crw", begins(b"II\x1A\0\0\0HEAPCCDR\x02\0\x01\0")),
        ("image/x-olympus-orf", begins(b"IIRO\x08\0\0\0")),
        ("image/x-olympus-orf", begins(b"IIRS\x08\0\0\0")),
        ("image/x-panasonic-rw2", begins(b"IIU\0\x18\0\0\0\x88\xE7\x74\xD8")),
        ("image/x-panasonic-rw", begins(b"IIU\0\x08\0\0\0")),
        ("image/x-fuji-raf", begins(b"FUJIFILMCCD-RAW 0201FF383501")),
        ("image/x-minolta-mrw", begins(b"\0MRM\0\x01\0\0\0PRD\0")),
        ("image/x-sigma-x3f", begins(b"FOVb\0\0\x02\0")),
        ("image/x-phaseone-iiq", begins(b"II*\0\x10\0\0\0IIIITwaR")),
    ];
    still.chain(others).chain(camera_files()).collect()
}

fn media_files() -> Vec<Kind> {
    vec![
        ("audio/mpeg", mpeg_audio()),
        ("audio/mpeg", begins(b"ID3\x04\0\0\0\0\0\x0A")),
        ("audio/aac", begins(b"\xFF\xF1\x50\x80")),
        ("audio/flac", begins(b"fLaC\0\0\0\x22")),
        ("audio/wav", begins(b"RIFF\x24\x02\0\0WAVEfmt ")),
        ("audio/aiff", begins(b"FORM\0\0\x02\0AIFFCOMM")),
        ("audio/midi", begins(b"MThd\0\0\0\x06\0\x01")),
        ("audio/mp4", media(*b"M4A ")),
        ("audio/ogg", ogg(b"OpusHead\x01\x02")),
        ("audio/ogg", ogg(b"\x01vorbis\0\0\0\0\x02")),
        ("video/ogg", ogg(b"\x80theora\x03\x02\x01")),
        ("video/mp4", media(*b"isom")),
        ("video/mp4", media(*b"mp42")),
        ("video/3gpp", media(*b"3gp5")),
        ("video/quicktime", media(*b"qt  ")),
        ("video/x-msvideo", begins(b"RIFF\x24\x02\0\0AVI LIST")),
        ("video/webm", matroska("webm")),
        ("video/x-matroska", matroska("matroska")),
        ("video/x-flv", begins(b"FLV\x01\x05\0\0\0\x09")),
        ("video/mpeg", begins(b"\0\0\x01\xBA\x44\0\x04\0")),
        ("video/x-ms-asf", begins(b"\x30\x26\xB2\x75\x8E\x66\xCF\x11\xA6\xD9\0\xAA\0\x62\xCE\x6C")),
    ]
}

fn documents() -> Vec<Kind> {
    vec![
        ("application/pdf", b"%PDF-1.7\n%\xE2\xE3\xCF\xD3\n1 0 obj\n".to_vec()),
        ("application/postscript", b"%!PS-Adobe-3.0\n".to_vec()),
        ("application/rtf", b"{\\rtf1\\ansi hello}".to_vec()),
        ("application/zip", archive(&[("a.txt", "hello")])),
        ("application/epub+zip", declared("application/epub+zip")),
        (
            "application/vnd.oasis.opendocument.text",
            declared("application/vnd.oasis.opendocument.text"),
        ),
        (
            "application/vnd.oasis.opendocument.spreadsheet",
            declared("application/vnd.oasis.opendocument.spreadsheet"),
        ),
        (
            "application/vnd.oasis.opendocument.presentation",
            declared("application/vnd.oasis.opendocument.presentation"),
        ),
        (
            "application/vnd.oasis.opendocument.graphics",
            declared("application/vnd.oasis.opendocument.graphics"),
        ),
        (
            "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
            office("word", "document"),
        ),
        (
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            office("xl", "workbook"),
        ),
        (
            "application/vnd.openxmlformats-officedocument.presentationml.presentation",
            office("ppt", "presentation"),
        ),
        ("application/gzip", begins(b"\x1F\x8B\x08\0")),
        ("application/x-bzip2", begins(b"BZh91AY&SY")),
        ("application/x-xz", begins(b"\xFD7zXZ\0\0\x04")),
        ("application/zstd", begins(b"\x28\xB5\x2F\xFD\x24")),
        ("application/x-7z-compressed", begins(b"7z\xBC\xAF\x27\x1C\0\x04")),
        ("application/vnd.rar", begins(b"Rar!\x1A\x07\x01\0")),
        ("application/x-tar", lies(257, b"ustar\x0000")),
        ("application/vnd.sqlite3", begins(b"SQLite format 3\0\x10\0")),
        ("application/x-executable", begins(b"\x7FELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3E\0")),
        ("application/vnd.microsoft.portable-executable", program()),
        ("application/wasm", begins(b"\0asm\x01\0\0\0")),
        ("application/json", b"{\"a\": [1, 2, 3]}".to_vec()),
        ("application/xml", b"<?xml version=\"1.0\"?><feed/>".to_vec()),
        ("text/html", b"<!DOCTYPE html><html><body>hello</body></html>".to_vec()),
        ("text/plain", b"hello, a line of words\n".to_vec()),
        ("font/ttf", begins(b"\0\x01\0\0\0\x0C\0\x80")),
        ("font/otf", begins(b"OTTO\0\x0C\0\x80")),
        ("font/woff", begins(b"wOFF\0\x01\0\0")),
        ("font/woff2", begins(b"wOF2\0\x01\0\0")),
    ]
}

#[test]
fn files_of_every_kind_are_named_as_another_judge_names_them() {
    let all = [images(), media_files(), documents()].concat();
    let mut kinds: Vec<_> = all.iter().map(|(kind, _)| *kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert!(kinds.len() >= 60, "{} kinds", kinds.len());
    let mut unused = DISAGREEMENTS.to_vec();
    let mut wrong = Vec::new();
    for (kind, bytes) in &all {
        let (ours, theirs) = (identify(bytes), FileFormat::from_bytes(bytes));
        let theirs = theirs.media_type();
        let argued = DISAGREEMENTS.iter().any(|(one, other, _)| (*one, *other) == (*kind, theirs));
        unused.retain(|(one, other, _)| (*one, *other) != (*kind, theirs));
        if ours.as_str() != *kind || theirs != *kind && !argued {
            wrong.push(format!("{kind}: {ours}, {theirs}"));
        }
    }
    assert!(wrong.is_empty() && unused.is_empty(), "{wrong:#?}\n{unused:#?}");
}
