//! What is told of an attachment, as JSON: sqlalchemy-media's dictionary and what mediafs adds to it (CONTRACT 6).
//! Does not know rows, nor who asks.
//!
//! `key original_filename extension content_type length width height timestamp reproducible thumbnails` are the layout of
//! sqlalchemy-media 0.17, and so is `store_id`, of blobs in another store than the library's own;
//! `hash ratio version url source original attributes` are added; any other key is one that a user gave.

use serde_json::{Map, Value, json};

use crate::library::Library;
use crate::library::error::Error;
use words::attachment::{Attachment, AttachmentId, BlobKey, Content, StoreId};
use words::rendition::VariantRecord;

/// Keys that users give are kept among the attributes under names of their own, as JSON: a program that lists attributes
/// sees only `user.*`.
pub(crate) const FREE: &str = "json.";

/// The keys that say what the bytes are: nobody can set them.
pub(crate) const FACTS: [&str; 14] = [
    "key",
    "hash",
    "extension",
    "content_type",
    "length",
    "width",
    "height",
    "ratio",
    "timestamp",
    "reproducible",
    "store_id",
    "version",
    "source",
    "original",
];

/// Keys that may have changed since the document was read without anybody's doing: what is written there is passed over.
pub(crate) const PASSED_OVER: [&str; 2] = ["thumbnails", "url"];

impl Library {
    /// An attachment as JSON; absent values are absent keys. Two queries, and one for its variants.
    pub fn describe(&self, attachment: &Attachment) -> Result<Map<String, Value>, Error> {
        let mut told = content(attachment.blob, &attachment.content);
        told.insert("original_filename".into(), json!(attachment.original_filename));
        told.insert("timestamp".into(), json!(attachment.committed.as_seconds()));
        told.insert("reproducible".into(), json!(false));
        told.insert("version".into(), json!(attachment.version));
        told.insert("url".into(), json!(self.url(attachment)));
        if attachment.blob.store != StoreId::default() {
            told.insert("store_id".into(), json!(self.store_name(attachment.blob)?));
        }
        if let Some(sent) = &attachment.original {
            told.insert("original".into(), content(sent.blob, &sent.content).into());
        }
        if let Some(source) = &attachment.source {
            told.insert("source".into(), json!(source));
        }
        let variants = self.catalog.variants(attachment.blob)?;
        told.insert("thumbnails".into(), variants.iter().map(thumbnail).collect());
        let [attributes, free] = self.annotations(attachment.id)?;
        if !attributes.is_empty() {
            told.insert("attributes".into(), Value::Object(attributes));
        }
        told.extend(free);
        Ok(told)
    }

    /// The foreign attributes of an attachment, and the keys that users gave it.
    fn annotations(&self, id: AttachmentId) -> Result<[Map<String, Value>; 2], Error> {
        let (mut attributes, mut free) = (Map::new(), Map::new());
        for (name, value) in self.catalog.attributes(id)? {
            match name.strip_prefix(FREE) {
                Some(key) => {
                    let value = serde_json::from_slice(&value).unwrap_or(Value::Null);
                    free.insert(key.to_owned(), value);
                }
                None => {
                    attributes.insert(name, text(value));
                }
            }
        }
        Ok([attributes, free])
    }
}

/// An attribute's bytes: text where they are text, else `{"hex": "00ff"}`.
fn text(value: Vec<u8>) -> Value {
    match String::from_utf8(value) {
        Ok(text) => Value::String(text),
        Err(error) => {
            let digits = error.as_bytes().iter().map(|byte| format!("{byte:02x}"));
            json!({ "hex": digits.collect::<String>() })
        }
    }
}

fn content(blob: BlobKey, content: &Content) -> Map<String, Value> {
    let mut told = Map::new();
    told.insert("key".into(), json!(blob.to_string()));
    told.insert("hash".into(), json!(format!("blake3:{}", blob.digest)));
    told.insert("content_type".into(), json!(content.media_type));
    told.insert("length".into(), json!(content.length));
    if let Some(extension) = content.media_type.extension() {
        told.insert("extension".into(), json!(format!(".{extension}")));
    }
    if let Some(size) = content.dimensions {
        told.insert("width".into(), json!(size.width));
        told.insert("height".into(), json!(size.height));
        told.insert("ratio".into(), json!(size.ratio()));
    }
    told
}

/// `[width, height, ratio, {...}]`
fn thumbnail(record: &VariantRecord) -> Value {
    let mut told = content(record.blob, &record.content);
    told.insert("name".into(), json!(record.variant.to_string()));
    told.insert("timestamp".into(), json!(record.committed.as_seconds()));
    told.insert("reproducible".into(), json!(true));
    match record.content.dimensions {
        Some(size) => json!([size.width, size.height, size.ratio(), told]),
        None => json!([null, null, null, told]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_that_are_no_text_are_told_in_hexadecimal() {
        assert_eq!(text(b"hello".to_vec()), json!("hello"));
        assert_eq!(text(vec![0, 255]), json!({ "hex": "00ff" }));
    }
}
