//! Names that the configuration gives: of tables, fields, stores and drop boxes.

use super::section::Section;
use words::slot::Name;

const MAX_NAME: usize = 40;

/// The name in the title of a section. Such names are a part of paths, of URLs and of `field@spec.ext`, so they are narrower than
/// those of files.
pub(super) fn checked(written: &str, section: &Section<'_>) -> Option<Name> {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    let valid = (1..=MAX_NAME).contains(&written.len()) && written.bytes().all(plain);
    if !valid {
        section.reject(
            "a table, field, store or drop box is named by 1 to 40 of the characters a-z, 0-9, _ and -",
        );
        return None;
    }
    Name::parse(written).map_err(|error| section.reject(&error.to_string())).ok()
}
