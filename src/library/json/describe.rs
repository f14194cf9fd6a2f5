//! An attachment as JSON: sqlalchemy-media's dictionary, and what mediafs adds to it (CONTRACT 6).
//!
//! `key original_filename extension content_type length width height timestamp reproducible thumbnails` are the layout of
//! sqlalchemy-media 0.17, and so is `store_id`, for blobs in another store than the library's own.
//! `hash ratio version url presets source original attributes` are added, `url` and `presets` by `row_json.rs`. Any other key is one that a user gave.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::catalog::Catalog;
use crate::library::blob_files::store_names::StoreNames;
use crate::library::error::Result;
use crate::library::names::attributes::FREE;
use words::attachment::{Attachment, AttachmentId, BlobKey, Content, RowId, StoreId};
use words::rendition::VariantRecord;

/// The attributes and the variants of attachments.
#[derive(Default)]
pub(super) struct Details {
    attributes: HashMap<AttachmentId, Vec<(String, Vec<u8>)>>,
    variants: HashMap<BlobKey, Vec<VariantRecord>>,
}

impl Details {
    /// Finds the details of all attachments in a row, by two queries.
    pub fn of_row(catalog: &dyn Catalog, row: RowId) -> Result<Self> {
        let mut details = Self::default();
        for (id, name, value) in catalog.row_attributes(row)? {
            details.attributes.entry(id).or_default().push((name, value));
        }
        for record in catalog.row_variants(row)? {
            details.variants.entry(record.original).or_default().push(record);
        }
        Ok(details)
    }

    /// Finds the details of one attachment, by two queries.
    pub fn of(catalog: &dyn Catalog, attachment: &Attachment) -> Result<Self> {
        let Attachment { id, blob, .. } = *attachment;
        Ok(Self {
            attributes: HashMap::from([(id, catalog.attributes(id)?)]),
            variants: HashMap::from([(blob, catalog.variants(blob)?)]),
        })
    }

    pub fn attributes(&self, id: AttachmentId) -> &[(String, Vec<u8>)] {
        self.attributes.get(&id).map_or(&[], Vec::as_slice)
    }

    fn variants(&self, original: BlobKey) -> &[VariantRecord] {
        self.variants.get(&original).map_or(&[], Vec::as_slice)
    }
}

/// An attachment as JSON, without keys for absent values.
pub(super) fn describe(
    details: &Details,
    store_names: &StoreNames,
    attachment: &Attachment,
) -> Result<Map<String, Value>> {
    let mut object = content(attachment.blob, &attachment.content);
    object.insert("original_filename".into(), json!(attachment.original_filename));
    object.insert("timestamp".into(), json!(attachment.committed.as_seconds()));
    object.insert("reproducible".into(), json!(false));
    object.insert("version".into(), json!(attachment.version));
    if attachment.blob.store != StoreId::default() {
        object.insert("store_id".into(), json!(store_names.of_blob(attachment.blob)?));
    }
    if let Some(sent) = &attachment.original {
        object.insert("original".into(), content(sent.blob, &sent.content).into());
    }
    if let Some(source) = &attachment.source {
        object.insert("source".into(), json!(source));
    }
    let variants = details.variants(attachment.blob);
    object.insert("thumbnails".into(), variants.iter().map(thumbnail).collect());
    let [attributes, free] = annotations(details.attributes(attachment.id));
    if !attributes.is_empty() {
        object.insert("attributes".into(), Value::Object(attributes));
    }
    object.extend(free);
    Ok(object)
}

/// The foreign attributes of an attachment, and the keys that users gave it.
fn annotations(all: &[(String, Vec<u8>)]) -> [Map<String, Value>; 2] {
    let (mut attributes, mut free) = (Map::new(), Map::new());
    for (name, value) in all {
        match name.strip_prefix(FREE) {
            Some(key) => {
                let value = serde_json::from_slice(value).unwrap_or(Value::Null);
                free.insert(key.to_owned(), value);
            }
            None => {
                attributes.insert(name.clone(), text(value.clone()));
            }
        }
    }
    [attributes, free]
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
    let mut object = Map::new();
    object.insert("key".into(), json!(blob.to_string()));
    object.insert("hash".into(), json!(format!("blake3:{}", blob.digest)));
    object.insert("content_type".into(), json!(content.media_type));
    object.insert("length".into(), json!(content.length));
    if let Some(extension) = content.media_type.extension() {
        object.insert("extension".into(), json!(format!(".{extension}")));
    }
    if let Some(size) = content.dimensions {
        object.insert("width".into(), json!(size.width));
        object.insert("height".into(), json!(size.height));
        object.insert("ratio".into(), json!(size.ratio()));
    }
    object
}

/// `[width, height, ratio, {...}]`
fn thumbnail(record: &VariantRecord) -> Value {
    let mut object = content(record.blob, &record.content);
    object.insert("name".into(), json!(record.variant.to_string()));
    object.insert("timestamp".into(), json!(record.committed.as_seconds()));
    object.insert("reproducible".into(), json!(true));
    match record.content.dimensions {
        Some(size) => json!([size.width, size.height, size.ratio(), object]),
        None => json!([null, null, null, object]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_that_are_no_text_are_in_hexadecimal() {
        assert_eq!(text(b"hello".to_vec()), json!("hello"));
        assert_eq!(text(vec![0, 255]), json!({ "hex": "00ff" }));
    }
}
