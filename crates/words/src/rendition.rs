//! A rendered variant, as the catalogue keeps it.

use crate::attachment::{BlobKey, Content, VariantId};
use crate::timestamp::Timestamp;
use crate::variant::Variant;

/// A rendered variant. Belongs to the original's blob, not to one attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariantRecord {
    pub id: VariantId,
    pub original: BlobKey,
    pub variant: Variant,
    /// Where its own bytes are.
    pub blob: BlobKey,
    pub content: Content,
    /// When the original's blob was first stored: the variant's mtime.
    pub committed: Timestamp,
}
