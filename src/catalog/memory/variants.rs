//! Variants in memory.

use super::{Memory, Rendered, State, next};
use crate::catalog::error::{Error, Result};
use crate::catalog::variants::{TOUCH_PRECISION, Variants};
use words::attachment::{BlobKey, Content, VariantId};
use words::rendition::VariantRecord;
use words::timestamp::Timestamp;
use words::variant::Variant;

impl Variants for Memory {
    fn variant(&self, original: BlobKey, variant: Variant) -> Result<Option<VariantRecord>> {
        Ok(self.state("variant").find_variant(original, variant))
    }

    fn variant_by_id(&self, id: VariantId) -> Result<Option<VariantRecord>> {
        Ok(self.state("variant_by_id").variant_record(id))
    }

    fn variants(&self, original: BlobKey) -> Result<Vec<VariantRecord>> {
        Ok(self.state("variants").variants_of(original))
    }

    fn add_variant(
        &self,
        original: BlobKey,
        variant: Variant,
        blob: BlobKey,
        content: &Content,
    ) -> Result<VariantRecord> {
        let mut state = self.state("add_variant");
        state.require_blob(original)?;
        state.require_blob(blob)?;
        if let Some(known) = state.find_variant(original, variant) {
            return Ok(known);
        }
        state.claim(blob, content, None);
        let reserved = state.blobs.get(&blob.generation).map(|blob| blob.reserved);
        let latest = state.variants.values().map(|found| found.used).max();
        let used = reserved.max(latest).ok_or(Error::BlobGone(blob))?;
        let id = VariantId(next(&mut state.last.variant));
        state.variants.insert(id, Rendered { original, variant, blob, used });
        state.variant_record(id).ok_or(Error::Missing)
    }

    fn remove_variant(&self, id: VariantId) -> Result<bool> {
        let mut state = self.state("remove_variant");
        let Some(Rendered { blob, .. }) = state.variants.remove(&id) else { return Ok(false) };
        state.release(blob);
        Ok(true)
    }

    fn trim_variants(&self, bytes: u64, limit: usize) -> Result<usize> {
        let mut state = self.state("trim_variants");
        let mut left: u64 = state.variants.values().map(|found| state.length(found.blob)).sum();
        let mut removed = 0;
        while left > bytes && removed < limit {
            let oldest = state.variants.iter().min_by_key(|(id, found)| (found.used, **id));
            let Some((&id, &Rendered { blob, .. })) = oldest else { break };
            left -= state.length(blob);
            state.variants.remove(&id);
            state.release(blob);
            removed += 1;
        }
        Ok(removed)
    }

    fn touch_variants(&self, read: &[(VariantId, Timestamp)]) -> Result<()> {
        let mut state = self.state("touch_variants");
        for (id, at) in read {
            if let Some(found) = state.variants.get_mut(id)
                && found.used <= at.minus(TOUCH_PRECISION)
            {
                found.used = *at;
            }
        }
        Ok(())
    }
}

impl State {
    /// The variants of an original, by name.
    pub(super) fn variants_of(&self, original: BlobKey) -> Vec<VariantRecord> {
        let ids = self.variants.iter().filter(|(_, found)| found.original == original);
        let mut found: Vec<_> = ids.filter_map(|(id, _)| self.variant_record(*id)).collect();
        found.sort_by_cached_key(|record| record.variant.to_string());
        found
    }

    fn find_variant(&self, original: BlobKey, variant: Variant) -> Option<VariantRecord> {
        let is_wanted = |found: &Rendered| found.original == original && found.variant == variant;
        let (id, _) = self.variants.iter().find(|(_, found)| is_wanted(found))?;
        self.variant_record(*id)
    }

    fn variant_record(&self, id: VariantId) -> Option<VariantRecord> {
        let Rendered { original, variant, blob, .. } = self.variants.get(&id)?.clone();
        let (_, content) = self.blobs.get(&blob.generation)?.stored.clone()?;
        let source = self.blobs.get(&original.generation)?;
        let committed = source.stored.as_ref().map_or(source.reserved, |(at, _)| *at);
        Some(VariantRecord { id, original, variant, blob, content, committed })
    }
}
