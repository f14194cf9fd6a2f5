//! Public URLs. The address of a file is its path in the tree below `base_url`: a web server serves a mount, and knows nothing of
//! blobs.

use std::fmt::Write;
use std::sync::Arc;

use crate::library::blob_files::store_names::StoreNames;
use crate::library::lookup::Lookup;
use words::attachment::Attachment;
use words::link::Link;
use words::media_type::Format;
use words::row::RowRecord;
use words::schema::Collection;

/// The top directories of files as they are stored, as they were sent, and of variants.
const MODELS: &str = "models";
const ORIGINALS: &str = "originals";
const THUMBS: &str = "thumbs";

pub struct PublicUrls {
    pub(in crate::library) lookup: Arc<Lookup>,
    pub(in crate::library) store_names: Arc<StoreNames>,
}

impl PublicUrls {
    /// `<base URL, or nothing>/models/user/42/avatar.jpg?_ts=<timestamp>`, percent-encoded. The name has the extension of what is
    /// stored, by which web servers tell the type, wherever that leads to the file. None if its field is no longer configured.
    pub fn of(&self, row: &RowRecord, link: &Link) -> Option<String> {
        self.below(MODELS, row, link)
    }

    /// Like [`PublicUrls::of`], for a link as `/originals` shows it.
    pub fn of_original(&self, row: &RowRecord, link: &Link) -> Option<String> {
        self.below(ORIGINALS, row, link)
    }

    /// `<base URL>/thumbs/user/42/avatar/w64.jpg?_ts=<timestamp>`, rendered or not.
    pub fn of_variant(&self, row: &RowRecord, link: &Link, variant: &str) -> Option<String> {
        let path = format!("{THUMBS}/{}/{variant}", self.lookup.slot(row, &link.place)?);
        Some(self.url(&path, &link.attachment))
    }

    /// The presets of the link's field with their URLs. None of them need be rendered.
    pub fn of_presets(&self, row: &RowRecord, link: &Link) -> Vec<(String, String)> {
        let field = self.lookup.table(row.table).and_then(|it| it.field(link.place.field.as_str()));
        let (Some(field), Some(format)) = (field, preset_format(&link.attachment)) else {
            return Vec::new();
        };
        let names = field.presets(format).map(|preset| preset.to_string());
        names.filter_map(|it| Some((it.clone(), self.of_variant(row, link, &it)?))).collect()
    }

    fn below(&self, top: &str, row: &RowRecord, link: &Link) -> Option<String> {
        let slot = self.lookup.slot(row, &link.place)?;
        let field = self.lookup.table(row.table)?.field(link.place.field.as_str())?;
        let extension = link.attachment.content.media_type.extension();
        // An item of a list has one name.
        let extension = extension.filter(|_| field.collection != Collection::List);
        let extension = extension.map_or_else(String::new, |it| format!(".{it}"));
        Some(self.url(&format!("{top}/{slot}{extension}"), &link.attachment))
    }

    fn url(&self, path: &str, attachment: &Attachment) -> String {
        let base = self.store_names.base_url(attachment.blob);
        format!("{base}/{}?_ts={}", encoded(path), attachment.committed.as_seconds())
    }
}

/// The format of a variant without an extension: the original's, or JPEG if that cannot be written. `None` if it is no image.
pub fn preset_format(original: &Attachment) -> Option<Format> {
    let format = original.content.media_type.format()?;
    Some(if format.is_writable() { format } else { Format::Jpeg })
}

/// Percent-encodes a path (RFC 3986): all but slashes, unreserved characters and `@`.
fn encoded(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' | b'@' => text.push(byte.into()),
            _ if byte.is_ascii_alphanumeric() => text.push(byte.into()),
            // Writing to a string cannot fail.
            _ => drop(write!(text, "%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_percent_encoded() {
        let path = "models/page/a b/caf\u{e9}#1?%.jpg";
        assert_eq!(encoded(path), "models/page/a%20b/caf%C3%A9%231%3F%25.jpg");
        assert_eq!(encoded("thumbs/user/42/avatar@w64.jpg"), "thumbs/user/42/avatar@w64.jpg");
    }
}
