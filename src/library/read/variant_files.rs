//! Variants: rendered when they are first asked for, and kept until the cache is full.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::catalog::{self, Catalog};
use crate::library::blob_files::{Blobs, MAX_TRIES};
use crate::library::counts::Counts;
use crate::library::error::{Error, Result};
use crate::library::home::reserve::Reserve;
use crate::library::home::staging::Staging;
use crate::library::keep::variant_reads::VariantReads;
use crate::library::read::renders::Renders;
use pipeline::Pipeline;
use words::attachment::{Attachment, AttachmentId, BlobKey, VariantId};
use words::rendition::VariantRecord;
use words::timestamp::Timestamp;
use words::variant::Variant;

/// A render that fails after this long is remembered, and not tried again for each caller.
const SLOW: Duration = Duration::from_secs(5);

/// The process that renders.
pub enum Renderer {
    /// This library's own workers.
    Own,
    /// Another daemon. The function asks it to render a variant, and returns whether it did.
    Other(Box<dyn Fn(AttachmentId, Variant) -> bool + Send + Sync>),
}

/// Finds, renders and drops variants. Whether a variant may be asked for is decided by the caller.
pub struct Variants {
    pub(in crate::library) catalog: Arc<dyn Catalog>,
    pub(in crate::library) pipeline: Arc<Pipeline>,
    pub(in crate::library) staging: Arc<Staging>,
    pub(in crate::library) reserve: Arc<Reserve>,
    pub(in crate::library) blobs: Arc<Blobs>,
    pub(in crate::library) reads: Arc<VariantReads>,
    pub(in crate::library) counts: Arc<Counts>,
    pub(in crate::library) renderer: Renderer,
    pub(in crate::library) renders: Renders,
}

impl Variants {
    /// A variant that is rendered already. One query.
    pub fn find(&self, original: BlobKey, variant: Variant) -> Result<Option<VariantRecord>> {
        Ok(self.catalog.variant(original, variant)?)
    }

    pub fn by_id(&self, id: VariantId) -> Result<Option<VariantRecord>> {
        Ok(self.catalog.variant_by_id(id)?)
    }

    /// All rendered variants of an original, by name.
    pub fn list(&self, original: BlobKey) -> Result<Vec<VariantRecord>> {
        Ok(self.catalog.variants(original)?)
    }

    /// Notes that a variant was read. The next sweep tells the catalogue.
    pub fn note_read(&self, id: VariantId) {
        self.reads.note(id, Timestamp::now());
    }

    /// Drops a rendered variant of all attachments with the original's blob. Returns whether there was one.
    pub fn purge(&self, original: BlobKey, variant: Variant) -> Result<bool> {
        let Some(record) = self.find(original, variant)? else { return Ok(false) };
        self.reserve.even_when_full(|| Ok(self.catalog.remove_variant(record.id)?))
    }

    /// The variant, rendered now if it is not there. Simultaneous callers wait for one render.
    pub fn find_or_render(&self, original: &Attachment, variant: Variant) -> Result<VariantRecord> {
        loop {
            if let Some(found) = self.find(original.blob, variant)? {
                return Ok(found);
            }
            match self.renders.join((original.blob, variant)) {
                Ok(turn) => {
                    // Another caller may have finished between the look and the join.
                    let found = self.find(original.blob, variant)?;
                    let answer = found.map_or_else(|| self.have_rendered(original, variant), Ok);
                    drop(turn);
                    return answer;
                }
                Err(render) => render.wait(),
            }
        }
    }

    fn have_rendered(&self, original: &Attachment, variant: Variant) -> Result<VariantRecord> {
        match &self.renderer {
            Renderer::Own => self.render(original, variant),
            Renderer::Other(ask) if ask(original.id, variant) => {
                self.find(original.blob, variant)?.ok_or(Error::Missing)
            }
            Renderer::Other(_) => Err(Error::Missing),
        }
    }

    fn render(&self, original: &Attachment, variant: Variant) -> Result<VariantRecord> {
        if let Some(fact) = self.renders.failure_of((original.blob, variant)) {
            return Err(Error::Unrendered { original: original.blob, variant, fact });
        }
        let format = original.content.media_type.format().ok_or(Error::Missing)?;
        let source = self.blobs.open(original)?;
        let began = Instant::now();
        let output = self.staging.nameless().map_err(Error::io("stage a variant"))?;
        let rendered = self
            .pipeline
            .render(&source, format, variant, None, output)
            .map_err(|error| self.render_failed(original, variant, began.elapsed(), error))?;
        for _ in 0..MAX_TRIES {
            // Variants live in the store of their original.
            let (store, now) = (original.blob.store, Timestamp::now());
            let stored = self.blobs.put(store, rendered.digest(), rendered.file(), now)?;
            let (blob, content) = (stored.key(), rendered.content());
            match self.catalog.add_variant(original.blob, variant, blob, content) {
                Err(catalog::Error::BlobGone(gone)) if gone != original.blob => {}
                Err(catalog::Error::BlobGone(_)) => return Err(Error::Missing),
                answer => {
                    let record = answer?;
                    // If the variant was there already, the new blob is not linked, and stays pending until it is swept.
                    if record.blob == blob {
                        self.blobs.confirm(stored);
                    }
                    self.counts.variants_rendered.add(1);
                    return Ok(record);
                }
            }
        }
        Err(Error::Busy)
    }

    /// The error of a failed render. A stored image that cannot be rendered is no refusal: the reader has sent nothing.
    fn render_failed(
        &self,
        original: &Attachment,
        variant: Variant,
        spent: Duration,
        error: pipeline::Error,
    ) -> Error {
        self.counts.variants_failed.add(1);
        let pipeline::Error::Refused(violation) = error else { return error.into() };
        if spent >= SLOW {
            self.renders.remember_failure((original.blob, variant), violation.fact.clone());
        }
        Error::Unrendered { original: original.blob, variant, fact: violation.fact }
    }
}
