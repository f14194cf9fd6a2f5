//! Opening attachments and variants for reading. A file that is open stays readable, whatever happens to its slot.

use std::fs::File;
use std::hash::Hash;
use std::sync::Arc;

use crate::blob;
use crate::catalog::Catalog;
use crate::fence::Fence;
use crate::library::blob_files::Blobs;
use crate::library::error::Error;
use crate::library::home::reserve::Reserve;
use crate::library::lookup::Lookup;
use crate::library::read::open_files::{OpenFile, OpenFiles};
use words::attachment::{Attachment, AttachmentId, VariantId};
use words::rendition::VariantRecord;

/// Opens files for reading, and keeps them open for the next reader.
pub struct Opener {
    pub(in crate::library) catalog: Arc<dyn Catalog>,
    pub(in crate::library) fence: Fence,
    pub(in crate::library) lookup: Arc<Lookup>,
    pub(in crate::library) reserve: Arc<Reserve>,
    pub(in crate::library) blobs: Arc<Blobs>,
    pub(in crate::library) cache: Cache,
}

/// The files that are kept open.
pub(in crate::library) struct Cache {
    attachments: OpenFiles<AttachmentId, Attachment>,
    variants: OpenFiles<VariantId, VariantRecord>,
}

impl Default for Cache {
    fn default() -> Self {
        Self { attachments: OpenFiles::new(), variants: OpenFiles::new() }
    }
}

impl Opener {
    /// An attachment that has a name, with its bytes. Costs one query and one open, or neither for a file that is open and has
    /// not changed.
    pub fn attachment(&self, id: AttachmentId) -> Result<Option<Arc<OpenFile<Attachment>>>, Error> {
        let find = || Ok(self.lookup.attachment(id)?.filter(|attachment| attachment.links > 0));
        self.open(&self.cache.attachments, id, find, |attachment| self.blobs.open(attachment))
    }

    /// A rendered variant with its bytes, at the cost of an attachment. A damaged one is dropped, so that it is rendered anew.
    pub fn variant(&self, id: VariantId) -> Result<Option<Arc<OpenFile<VariantRecord>>>, Error> {
        let find = || Ok(self.catalog.variant_by_id(id)?);
        let open = |variant: &VariantRecord| self.blobs.open_rendered(variant);
        let opened = self.open(&self.cache.variants, id, find, open);
        if let Err(Error::Damaged { .. } | Error::Blob(blob::Error::Missing(_))) = opened {
            tracing::warn!(variant = id.0, "a damaged variant is rendered anew");
            self.reserve.even_when_full(|| Ok(self.catalog.remove_variant(id)?))?;
        }
        opened
    }

    /// Sets how many files may be kept open.
    pub fn keep_open(&self, files: usize) {
        // A page shows thumbnails of one or two sizes; a walk through the library reads everything that is attached.
        let variants = files / 4;
        self.cache.variants.limit(variants);
        self.cache.attachments.limit(files - variants);
    }

    /// Closes the files that were kept open and may have changed.
    pub fn close_old(&self) {
        let commits = self.catalog.commits();
        self.cache.attachments.close_old(commits);
        self.cache.variants.close_old(commits);
    }

    fn open<K: Copy + Eq + Hash, R>(
        &self,
        files: &OpenFiles<K, R>,
        key: K,
        find: impl FnOnce() -> Result<Option<R>, Error>,
        open: impl FnOnce(&R) -> Result<Arc<File>, Error>,
    ) -> Result<Option<Arc<OpenFile<R>>>, Error> {
        // Counted before the lookup: a commit in between makes the answer old.
        let commits = self.catalog.commits().filter(|_| !self.fence.is_raised());
        if let Some(open) = commits.and_then(|commits| files.get(key, commits)) {
            return Ok(Some(open));
        }
        let Some(record) = find()? else { return Ok(None) };
        let file = open(&record)?;
        let open = Arc::new(OpenFile { record, file });
        if let Some(commits) = commits {
            files.put(key, commits, Arc::clone(&open));
        }
        Ok(Some(open))
    }
}
