//! Tests of the way from a file that was sent to one that is admitted.

use std::io::Write;

use super::*;
use words::dimensions::Dimensions;
use words::refusal::Rule;

fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn candidate(bytes: &[u8], extension: Option<&str>) -> Candidate {
    Candidate::identify(file_of(bytes), u64::try_from(bytes.len()).unwrap(), extension).unwrap()
}

fn refusal(bytes: &[u8], rules: &Rules) -> Option<Rule> {
    match candidate(bytes, None).admit(rules) {
        Err(Error::Refused(violation)) => Some(violation.rule),
        _ => None,
    }
}

#[test]
fn a_candidate_has_the_type_of_its_bytes() {
    assert_eq!(candidate(b"a,b\n1,2\n", None).media_type.as_str(), "text/plain");
    assert_eq!(candidate(b"a,b\n1,2\n", Some("csv")).media_type.as_str(), "text/csv");
    assert_eq!(candidate(b"a,b\n1,2\n", Some("jpg")).media_type.as_str(), "text/plain");
    assert_eq!(candidate(b"<html></html>", Some("gif")).media_type.as_str(), "text/html");
    let gif = candidate(b"GIF89a\x28\0\x1E\0\0\0\0;", Some("txt"));
    assert_eq!(gif.media_type.as_str(), "image/gif");
    assert_eq!(gif.header.dimensions(), Some(Dimensions::new(40, 30)));
}

#[test]
fn an_image_field_admits_no_text_no_empty_file_and_no_broken_header() {
    let rules = Rules::image();
    assert_eq!(refusal(b"GIF89a\x28\0\x1E\0\0\0\0;", &rules), None);
    assert_eq!(refusal(b"words", &rules), Some(Rule::ContentTypes));
    assert_eq!(refusal(b"BM", &rules), Some(Rule::ContentTypes));
    assert_eq!(refusal(b"", &rules), Some(Rule::Truncated));
    assert_eq!(refusal(b"\x89PNG\r\n\x1A\n", &rules), Some(Rule::Truncated));
    assert_eq!(refusal(b"GIF89a\0\0\0\0\0\0\0;", &rules), Some(Rule::Corrupt));
    assert_eq!(refusal(b"GIF89a\xFF\xFF\xFF\xFF\0\0\0;", &rules), Some(Rule::MaxWidth));
}

#[test]
fn a_file_field_admits_an_image_with_a_broken_header() {
    assert_eq!(refusal(b"\x89PNG\r\n\x1A\n", &Rules::file()), None);
}

#[test]
fn a_file_that_changes_while_it_is_judged_is_not_kept() {
    let file = file_of(b"longer");
    let content = Content { media_type: MediaType::TEXT, length: 4, dimensions: None };
    let admitted = Admitted { file, content, digest: RunningDigest::default() };
    assert!(matches!(Refined::untouched(admitted), Err(Error::Input(_))));
}

#[test]
fn the_digest_of_many_steps_is_the_digest_of_the_whole() {
    let bytes: Vec<u8> = (0..=255).cycle().take(3 * (256 << 10) + 7).collect();
    let length = u64::try_from(bytes.len()).unwrap();
    assert_eq!(running_digest::of_file(&file_of(&bytes), length).unwrap(), Digest::of(&bytes));
}
