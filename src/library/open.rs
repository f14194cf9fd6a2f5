//! Reading: what a slot holds, its bytes, and its metadata.
//! Does not know who reads; a file that it opened stays readable whatever happens to the slot.

use std::fs::File;
use std::hash::Hash;
use std::sync::Arc;

use crate::blob;
use crate::catalog::summary::Totals;
use crate::library::lately::Lately;
use crate::library::{Error, Library};
use words::attachment::{Attachment, AttachmentId, BlobKey, RowId, StoreId, VariantId};
use words::link::Link;
use words::place::Place;
use words::rendition::VariantRecord;
use words::slot::Name;
use words::space::Space;

pub use crate::library::lately::Stored;

/// What was opened to be read a moment ago.
pub(super) struct Lent {
    attachments: Lately<AttachmentId, Attachment>,
    variants: Lately<VariantId, VariantRecord>,
}

impl Lent {
    pub fn new() -> Self {
        Self { attachments: Lately::new(), variants: Lately::new() }
    }
}

impl Library {
    /// One query of the catalogue.
    pub fn find(&self, place: &Place) -> Result<Option<Link>, Error> {
        Ok(self.catalog.find(place)?)
    }

    pub fn links(&self, row: RowId) -> Result<Vec<Link>, Error> {
        Ok(self.catalog.links(row)?)
    }

    /// The links of a row's fields that hold one file, by field name. One query.
    pub fn singles(&self, row: RowId) -> Result<Vec<Link>, Error> {
        Ok(self.catalog.singles(row)?)
    }

    /// The items of a collection, in its order.
    pub fn items(&self, row: RowId, field: &Name) -> Result<Vec<Link>, Error> {
        Ok(self.catalog.items(row, field)?)
    }

    /// How many items the collection holds that a place is in.
    pub fn count_items(&self, place: &Place) -> Result<u64, Error> {
        Ok(self.catalog.count_items(place.row, &place.field)?)
    }

    pub fn attachment(&self, id: AttachmentId) -> Result<Option<Attachment>, Error> {
        Ok(self.catalog.attachment(id)?)
    }

    pub fn places(&self, id: AttachmentId) -> Result<Vec<Place>, Error> {
        Ok(self.catalog.places(id)?)
    }

    /// The bytes of a blob that is open, where they are certain: after the disk has failed that may be the store's log.
    pub fn reopen_blob(&self, key: BlobKey, open: &Arc<File>) -> Result<Arc<File>, Error> {
        match self.blobs.open(key) {
            // Swept since it was opened.
            Err(blob::Error::Missing(_)) => Ok(Arc::clone(open)),
            opened => Ok(opened?),
        }
    }

    /// An attachment that has a name, with its bytes. One query and one open file, or neither for what was opened before and
    /// has not changed since.
    pub fn open_attachment(
        &self,
        id: AttachmentId,
    ) -> Result<Option<Arc<Stored<Attachment>>>, Error> {
        let find = || Ok(self.attachment(id)?.filter(|attachment| attachment.links > 0));
        self.lend(&self.lent.attachments, id, find, |attachment| self.open_bytes(attachment))
    }

    /// A rendered variant with its bytes, at the same cost. One that is damaged is dropped: it is rendered anew.
    pub fn open_variant(&self, id: VariantId) -> Result<Option<Arc<Stored<VariantRecord>>>, Error> {
        let open = |variant: &VariantRecord| self.open_rendered(variant);
        let opened = self.lend(&self.lent.variants, id, || self.variant_by_id(id), open);
        if let Err(Error::Damaged { .. } | Error::Blob(blob::Error::Missing(_))) = opened {
            tracing::warn!(variant = id.0, "a damaged variant is rendered anew");
            self.even_when_full(|| Ok(self.catalog.remove_variant(id)?))?;
        }
        opened
    }

    /// The bytes of a rendered variant. Asks the store only.
    pub fn open_rendered(&self, variant: &VariantRecord) -> Result<Arc<File>, Error> {
        self.open_whole(variant.blob, variant.content.length)
    }

    /// How many files may be kept open for who opens them again.
    pub fn keep_open(&self, files: usize) {
        // A page shows thumbnails of a size or two, and whoever walks through a library reads all that is attached.
        let variants = files / 4;
        self.lent.variants.limit(variants);
        self.lent.attachments.limit(files - variants);
    }

    /// Closes what was kept open and may have changed.
    pub fn close_old(&self) {
        let commits = self.catalog.commits();
        self.lent.attachments.forget_old(commits);
        self.lent.variants.forget_old(commits);
    }

    fn lend<K: Copy + Eq + Hash, R>(
        &self,
        lately: &Lately<K, R>,
        key: K,
        find: impl FnOnce() -> Result<Option<R>, Error>,
        open: impl FnOnce(&R) -> Result<Arc<File>, Error>,
    ) -> Result<Option<Arc<Stored<R>>>, Error> {
        // Counted before it is asked: what is committed in between makes the answer old.
        let commits = self.catalog.commits().filter(|_| !self.fence.is_raised());
        if let Some(stored) = commits.and_then(|commits| lately.get(key, commits)) {
            return Ok(Some(stored));
        }
        let Some(record) = find()? else { return Ok(None) };
        let file = open(&record)?;
        let stored = Arc::new(Stored { record, file });
        if let Some(commits) = commits {
            lately.put(key, commits, Arc::clone(&stored));
        }
        Ok(Some(stored))
    }

    /// `base_url/<store path>?_ts=<timestamp>`, percent-encoded; the path alone where no base URL is configured.
    pub fn url(&self, attachment: &Attachment) -> String {
        format!("{}?_ts={}", self.address(attachment.blob), attachment.committed.as_seconds())
    }

    pub fn space(&self) -> Result<Space, Error> {
        Ok(self.blobs.space(StoreId::default())?)
    }

    pub fn totals(&self) -> Result<Totals, Error> {
        Ok(self.catalog.totals()?)
    }
}
