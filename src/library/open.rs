//! Reading: what a slot holds, its bytes, and its metadata.
//! Does not know who reads; a file that it opened stays readable whatever happens to the slot.

use std::fs::File;
use std::sync::Arc;

use crate::attachment::{Attachment, AttachmentId, BlobKey, RowId, StoreId};
use crate::blob::Space;
use crate::catalog::{Link, Place, Totals};
use crate::library::{Error, Library};
use crate::slot::Name;

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

    /// The stored bytes. Asks the store only.
    pub fn open_blob(&self, key: BlobKey) -> Result<Arc<File>, Error> {
        Ok(self.blobs.open(key)?)
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
