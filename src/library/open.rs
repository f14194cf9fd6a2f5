//! Reading: what a slot holds, its bytes, and its metadata.
//! Does not know who reads; a file that it opened stays readable whatever happens to the slot.

use std::fs::File;
use std::sync::Arc;

use crate::attachment::{Amendment, Attachment, AttachmentId, BlobKey, RowId, StoreId};
use crate::blob::Space;
use crate::catalog::{Link, Place, Totals};
use crate::library::describe::FREE;
use crate::library::{Error, Library};
use crate::slot::Name;
use crate::timestamp::Timestamp;

/// Foreign attributes of one attachment, names and values together (CONTRACT 6).
pub const MAX_ATTRIBUTE_BYTES: usize = 64 << 10;

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

    pub fn amend(&self, id: AttachmentId, amendment: Amendment) -> Result<Attachment, Error> {
        Ok(self.catalog.amend(id, amendment, Timestamp::now())?)
    }

    pub fn attribute(&self, id: AttachmentId, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let all = self.catalog.attributes(id)?;
        Ok(all.into_iter().find(|(found, _)| found == name).map(|(_, value)| value))
    }

    pub fn attribute_names(&self, id: AttachmentId) -> Result<Vec<String>, Error> {
        let names = self.catalog.attributes(id)?.into_iter().map(|(name, _)| name);
        Ok(names.filter(|name| !name.starts_with(FREE)).collect())
    }

    /// Sets or removes a foreign attribute; returns whether it was there. More than 64 KiB in all is [`Error::NoSpace`],
    /// as on ext4.
    pub fn set_attribute(
        &self,
        id: AttachmentId,
        name: &str,
        value: Option<&[u8]>,
    ) -> Result<bool, Error> {
        if let Some(value) = value {
            let others = self.catalog.attributes(id)?;
            let kept = others.iter().filter(|(found, _)| found != name);
            let used: usize = kept.map(|(found, value)| found.len() + value.len()).sum();
            if used + name.len() + value.len() > MAX_ATTRIBUTE_BYTES {
                return Err(Error::NoSpace);
            }
        }
        Ok(self.catalog.set_attribute(id, name, value, Timestamp::now())?)
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
