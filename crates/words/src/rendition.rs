//! A rendered variant, as the catalogue keeps it.

use crate::attachment::{BlobKey, Content, VariantId};
use crate::timestamp::Timestamp;
use crate::variant::Variant;

/// A rendered variant. It belongs to the blob of the original, whose attachments share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariantRecord {
    pub id: VariantId,
    pub original: BlobKey,
    pub variant: Variant,
    /// The blob of the variant itself.
    pub blob: BlobKey,
    pub content: Content,
    /// The time at which the blob of the original was first stored: the mtime of the variant.
    pub committed: Timestamp,
}
