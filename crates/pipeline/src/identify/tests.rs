//! Tests of identifying files by their bytes.

use proptest::prelude::*;

use super::*;

fn name(bytes: &[u8]) -> String {
    identify(bytes).to_string()
}

fn entry(name: &str, content: &str) -> Vec<u8> {
    let mut bytes = b"PK\x03\x04".to_vec();
    bytes.extend([0; 22]);
    bytes.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
    bytes.extend([0; 2]);
    bytes.extend(name.as_bytes());
    bytes.extend(content.as_bytes());
    bytes
}

#[test]
fn images_are_known_by_their_signatures() {
    assert_eq!(name(b"\xFF\xD8\xFF\xE0"), "image/jpeg");
    assert_eq!(name(b"RIFF\0\0\0\0WEBPVP8 "), "image/webp");
    assert_eq!(name(b"\0\0\0\x1cftypavif\0\0\0\0"), "image/avif");
    assert_eq!(name(b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif"), "image/avif");
    assert_eq!(name(b"\0\0\0\x1cftypheic\0\0\0\0"), "image/heic");
    assert_eq!(name(b"BM6\0\0\0\0\0\0\x006\0\0\0\x28\0\0\0"), "image/bmp");
    assert_eq!(name(b"\0\0\x01\0\x01\0\x10\x10\0\0"), "image/x-icon");
}

#[test]
fn audio_and_video_are_told_apart_by_brand_and_type() {
    assert_eq!(name(b"\0\0\0\x18ftypisom\0\0\0\0"), "video/mp4");
    assert_eq!(name(b"\0\0\0\x18ftypM4A \0\0\0\0"), "audio/mp4");
    assert_eq!(name(b"\0\0\0\x18ftypqt  \0\0\0\0"), "video/quicktime");
    assert_eq!(name(b"\x1A\x45\xDF\xA3\x9F\x42\x82\x84webm"), "video/webm");
    assert_eq!(name(b"\x1A\x45\xDF\xA3\x9F\x42\x82\x88matroska"), "video/x-matroska");
    assert_eq!(name(b"RIFF\0\0\0\0WAVEfmt "), "audio/wav");
    assert_eq!(name(b"\xFF\xFB\x90\x64"), "audio/mpeg");
}

#[test]
fn markup_is_html_svg_or_xml_by_its_root() {
    assert_eq!(name(b"\n <!DOCTYPE html><html>"), "text/html");
    assert_eq!(name(b"<script>alert(1)</script>"), "text/html");
    assert_eq!(name(b"<svg xmlns='http://www.w3.org/2000/svg'/>"), SVG);
    assert_eq!(name(b"\xEF\xBB\xBF<?xml version='1.0'?><!-- x --><svg:svg/>"), SVG);
    let entities = b"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY a 'lol>'>]><svg>&a;</svg>";
    assert_eq!(name(entities), SVG);
    assert_eq!(name(b"<?xml version='1.0'?><feed/>"), XML);
    assert_eq!(name(b"<?xml version='1.0'?><html/>"), HTML);
    assert_eq!(name(b"<3 is no tag"), "text/plain");
}

#[test]
fn archives_are_documents_by_their_entries() {
    assert_eq!(name(&entry("a.txt", "hello")), ZIP);
    let epub = entry("mimetype", "application/epub+zip");
    assert_eq!(name(&epub), "application/epub+zip");
    let word = [entry("[Content_Types].xml", "x"), entry("word/document.xml", "x")].concat();
    assert_eq!(MediaType::of_extension("docx"), Some(identify(&word)));
    let odt = entry("mimetype", "application/vnd.oasis.opendocument.text");
    assert_eq!(MediaType::of_extension("odt"), Some(identify(&odt)));
}

#[test]
fn text_is_utf8_or_latin1_without_control_characters() {
    assert_eq!(name(b"hello\n"), "text/plain");
    assert_eq!(name("gr\u{fc}\u{df}e".as_bytes()), "text/plain");
    assert_eq!(name(&"\u{fc}".as_bytes()[..1]), "text/plain");
    assert_eq!(name(b"Gr\xFC\xDFe aus dem Norden"), "text/plain");
    assert_eq!(name(b"a\0b"), "application/octet-stream");
    assert_eq!(name(b"\xE2\xC3\xB5\xFE\xFD\xFC"), "application/octet-stream");
    assert_eq!(name(b""), "application/octet-stream");
    assert_eq!(name(b"{\"a\": [1, 2]}"), JSON);
    assert_eq!(name(b"{\"a\": [1, 2}"), "text/plain");
}

#[test]
fn an_extension_refines_text_and_archives_and_never_makes_an_image() {
    let refined = |found: &'static str, extension| {
        refine_by_extension(MediaType::from_static(found), extension).to_string()
    };
    assert_eq!(refined("text/plain", "CSV"), "text/csv");
    assert_eq!(refined("text/plain", "md"), "text/markdown");
    assert_eq!(refined(OLE, "doc"), "application/msword");
    assert_eq!(Some(refined(ZIP, "docx")), MediaType::of_extension("docx").map(|m| m.to_string()));
    for extension in ["jpg", "svg", "png", "pdf", "x"] {
        assert_eq!(refined("text/plain", extension), "text/plain");
    }
    assert_eq!(refined("text/html", "txt"), "text/html");
    assert_eq!(refined("image/png", "csv"), "image/png");
}

proptest! {
    #[test]
    fn any_bytes_are_identified(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        identify(&bytes);
    }

    #[test]
    fn any_bytes_behind_a_signature_are_identified(
        which in 0..SIGNATURES.len(),
        tail in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let (at, magic, kind) = SIGNATURES[which];
        let bytes = [vec![b'x'; at], magic.to_vec(), tail].concat();
        prop_assert_eq!(identify(&bytes), MediaType::from_static(kind));
    }

    #[test]
    fn any_entries_are_identified(tail in prop::collection::vec(any::<u8>(), 0..300)) {
        identify(&[b"PK\x03\x04".as_slice(), &tail].concat());
        identify(&[b"\xFF\xFB".as_slice(), &tail].concat());
        identify(&[b"<!DOCTYPE [".as_slice(), &tail].concat());
    }
}
