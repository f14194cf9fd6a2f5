//! An attachment as JSON: sqlalchemy-media's dictionary, and what mediafs adds to it (CONTRACT 6).
//!
//! `key original_filename extension content_type length width height timestamp reproducible thumbnails` are the layout of
//! sqlalchemy-media 0.17, and so is `store_id`, for blobs in another store than the library's own.
//! `hash ratio version url presets source original attributes` are added, `url` and `presets` by `row_json.rs`. Any other key is one that a user gave.

use serde_json::{Map, Value, json};

use crate::catalog::Catalog;
use crate::library::blob_files::store_names::StoreNames;
use crate::library::error::Result;
use crate::library::names::attributes::FREE;
use words::attachment::{Attachment, AttachmentId, BlobKey, Content, StoreId};
use words::rendition::VariantRecord;

/// An attachment as JSON, without keys for absent values. Costs one query for its attributes and one for its variants.
pub(super) fn describe(
    catalog: &dyn Catalog,
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
    let variants = catalog.variants(attachment.blob)?;
    object.insert("thumbnails".into(), variants.iter().map(thumbnail).collect());
    let [attributes, free] = annotations(catalog, attachment.id)?;
    if !attributes.is_empty() {
        object.insert("attributes".into(), Value::Object(attributes));
    }
    object.extend(free);
    Ok(object)
}

/// The foreign attributes of an attachment, and the keys that users gave it.
fn annotations(catalog: &dyn Catalog, id: AttachmentId) -> Result<[Map<String, Value>; 2]> {
    let (mut attributes, mut free) = (Map::new(), Map::new());
    for (name, value) in catalog.attributes(id)? {
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
