//! Variants: blobs that were rendered from other blobs, their originals.

use std::time::Duration;

use words::attachment::{BlobKey, Content, VariantId};
use words::rendition::VariantRecord;
use words::timestamp::Timestamp;
use words::variant::Variant;

use super::error::Result;

/// The precision of a variant's time of use. A read this soon after the last noted one is not noted: reads must not be writes.
pub const TOUCH_PRECISION: Duration = Duration::from_secs(60);

pub trait Variants {
    /// One query.
    fn variant(&self, original: BlobKey, variant: Variant) -> Result<Option<VariantRecord>>;

    fn variant_by_id(&self, id: VariantId) -> Result<Option<VariantRecord>>;

    /// All variants of an original, by name.
    fn variants(&self, original: BlobKey) -> Result<Vec<VariantRecord>>;

    /// Adds a variant whose blob was reserved and stored; it counts as the last one used. A variant that exists already is
    /// returned instead, and a sweep removes the new blob.
    /// Errors: `Error::BlobGone` if a sweep has taken the original or the variant's blob.
    fn add_variant(
        &self,
        original: BlobKey,
        variant: Variant,
        blob: BlobKey,
        content: &Content,
    ) -> Result<VariantRecord>;

    /// Removes a variant; the next sweep removes its blob. Returns whether it existed.
    fn remove_variant(&self, id: VariantId) -> Result<bool>;

    /// Removes the least recently used variants while all variants together have more than `bytes`, at most `limit` of them.
    /// Returns how many were removed. The next sweep removes their blobs, whenever they were reserved.
    fn trim_variants(&self, bytes: u64, limit: usize) -> Result<usize>;

    /// Notes when variants were read, to the precision of [`TOUCH_PRECISION`].
    fn touch_variants(&self, read: &[(VariantId, Timestamp)]) -> Result<()>;
}
