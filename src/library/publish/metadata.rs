//! The metadata that a file is published with.

use crate::library::lookup::target::Target;
use words::attachment::{Access, Times};
use words::slot::Name;

/// The extended attribute that says where a file came from. `curl --xattr` sets it; it becomes the attachment's source.
pub const ORIGIN: &str = "user.xdg.origin.url";

#[derive(Debug, Clone)]
pub struct Metadata {
    /// As the writer set it. The table may fix another.
    pub access: Access,
    pub times: Times,
    pub attributes: Vec<(String, Vec<u8>)>,
    /// The URL that the bytes were fetched from.
    pub source: Option<String>,
    /// The name of the file at that URL.
    pub filename: Option<Name>,
}

impl Metadata {
    /// The metadata of a file that a program wrote. [`ORIGIN`] among the attributes becomes the source.
    pub fn written(access: Access, times: Times, mut attributes: Vec<(String, Vec<u8>)>) -> Self {
        let origin = attributes.iter().find(|(name, _)| name == ORIGIN);
        let source = origin.and_then(|(_, value)| as_source(value));
        attributes.retain(|(name, _)| name != ORIGIN);
        Self { access, times, attributes, source, filename: None }
    }

    /// The name by which the user knows the file.
    pub(super) fn original_filename<'m>(&'m self, target: &'m Target) -> &'m Name {
        self.filename.as_ref().unwrap_or(&target.written)
    }

    /// The name whose extension says what the file is. A bare `memo` has none; the file at the URL may have one.
    pub(super) fn telling_name<'m>(&'m self, target: &'m Target) -> &'m Name {
        match target.written.split_extension() {
            (_, Some(_)) => &target.written,
            (_, None) => self.original_filename(target),
        }
    }
}

/// The text of an [`ORIGIN`]; none if it is empty or not UTF-8.
pub(in crate::library) fn as_source(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?.trim_end_matches('\0');
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_text() {
        assert_eq!(as_source(b"https://example.org/a\0").as_deref(), Some("https://example.org/a"));
        assert_eq!((as_source(b"\0"), as_source(&[0xff])), (None, None));
    }
}
