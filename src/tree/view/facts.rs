//! The facts of an attachment as extended attributes, `user.mediafs.<fact>`, and those that programs have set (CONTRACT 6).

use std::sync::Arc;

use crate::library::Library;
use crate::library::names::attributes::{MIME_TYPE, OURS};
use crate::tree::error::Result;
use words::attachment::Attachment;
use words::place::Place;

/// The attribute that tells the last refusal.
pub const REFUSAL: &str = "user.mediafs.error";

pub struct Facts {
    pub(super) library: Arc<Library>,
}

impl Facts {
    /// The value of an attribute that belongs to the attachment itself, wherever it hangs.
    pub fn of(&self, attachment: &Attachment, name: &str) -> Result<Option<Vec<u8>>> {
        if name == MIME_TYPE {
            return Ok(Some(attachment.content.media_type.as_str().into()));
        }
        match name.strip_prefix(OURS) {
            Some(fact) => Ok(self.fact(attachment, fact).map(String::into_bytes)),
            None => Ok(self.library.attributes.find(attachment.id, name)?),
        }
    }

    /// The last refusal at a place.
    pub fn refusal(&self, place: &Place) -> Option<Vec<u8>> {
        self.library.journal.of_place(place).map(|line| line.message.into_bytes())
    }

    fn fact(&self, attachment: &Attachment, fact: &str) -> Option<String> {
        let content = &attachment.content;
        let size = content.dimensions;
        Some(match fact {
            "key" => attachment.blob.to_string(),
            "hash" => format!("blake3:{}", attachment.blob.digest),
            "content_type" => content.media_type.to_string(),
            "length" => content.length.to_string(),
            "width" => size?.width.to_string(),
            "height" => size?.height.to_string(),
            "ratio" => format!("{:.6}", size?.ratio()),
            "extension" => format!(".{}", content.media_type.extension()?),
            "original_filename" => attachment.original_filename.clone(),
            "timestamp" => attachment.committed.as_seconds(),
            "store" => self.library.store_names.of_blob(attachment.blob).ok()?,
            "url" => self.library.store_names.url(attachment),
            "version" => attachment.version.to_string(),
            _ => return None,
        })
    }
}
