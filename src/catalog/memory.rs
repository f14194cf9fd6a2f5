//! The catalogue in memory: the same semantics as on disk, without the disk.
//! Does not survive the process. It is built to be plainly right, not quick: most answers walk a map.

mod rows;
mod scratch;
mod slots;
mod sweep;
mod variants;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::sweep::Horizon;
use crate::attachment::{
    Access, Amendment, Attachment, AttachmentId, BlobKey, Content, RowId, ScratchId, TableId,
    VariantId,
};
use crate::catalog::{
    Catalog, Collision, Doomed, Error, Link, Place, Publication, Published, Reservation, RowRecord,
    ScratchRecord, Totals, VariantRecord,
};
use crate::digest::Digest;
use crate::slot::Name;
use crate::timestamp::Timestamp;
use crate::variant::Variant;

/// A [`Catalog`] that lives as long as the value.
#[derive(Default)]
pub struct Memory {
    /// Guards everything; held for one method, which never waits for anything else.
    state: Mutex<State>,
}

impl Memory {
    pub fn new() -> Self {
        Self::default()
    }

    /// Every key that was given out and not forgotten.
    #[cfg(test)]
    pub(super) fn keys(&self) -> Vec<BlobKey> {
        self.state().keys(|_| true)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each verb checks first and changes afterwards, so that what fails has changed nothing.
#[derive(Clone, Default)]
struct State {
    tables: BTreeMap<Name, TableId>,
    rows: BTreeMap<RowId, RowRecord>,
    /// By generation.
    blobs: BTreeMap<u64, Blob>,
    attachments: BTreeMap<AttachmentId, Kept>,
    links: BTreeMap<Place, Hung>,
    variants: BTreeMap<VariantId, Rendered>,
    scratch: BTreeMap<ScratchId, ScratchRecord>,
    last: Last,
}

/// The numbers given out last.
#[derive(Clone, Default)]
struct Last {
    table: u64,
    row: u64,
    blob: u64,
    attachment: u64,
    variant: u64,
    scratch: u64,
}

#[derive(Clone)]
struct Blob {
    digest: Digest,
    reserved: Timestamp,
    /// Whether nothing was hung from it yet, or its last variant was dropped.
    idle: bool,
    doomed: bool,
    /// When it was stored, and what it holds.
    stored: Option<(Timestamp, Content)>,
}

/// An attachment, whose content is its blob's, and its foreign attributes.
#[derive(Clone)]
struct Kept {
    attachment: Attachment,
    retired: Option<Timestamp>,
    attributes: BTreeMap<String, Vec<u8>>,
}

#[derive(Clone)]
struct Hung {
    written: Name,
    attachment: AttachmentId,
}

#[derive(Clone)]
struct Rendered {
    original: BlobKey,
    variant: Variant,
    blob: BlobKey,
    used: Timestamp,
}

/// The next number: one above the last.
fn next(last: &mut u64) -> u64 {
    *last += 1;
    *last
}

impl Catalog for Memory {
    fn table(&self, name: &Name) -> Result<TableId, Error> {
        Ok(self.state().table(name))
    }

    fn row(&self, table: TableId, name: &Name) -> Result<Option<RowRecord>, Error> {
        Ok(self.state().row(table, name))
    }

    fn row_by_id(&self, row: RowId) -> Result<Option<RowRecord>, Error> {
        Ok(self.state().row_by_id(row))
    }

    fn rows(&self, table: TableId, after: RowId, limit: usize) -> Result<Vec<RowRecord>, Error> {
        Ok(self.state().rows(table, after, limit))
    }

    fn add_row(
        &self,
        table: TableId,
        name: &Name,
        access: Access,
        now: Timestamp,
    ) -> Result<RowRecord, Error> {
        self.state().add_row(table, name, access, now)
    }

    fn remove_row(&self, row: RowId) -> Result<Vec<ScratchRecord>, Error> {
        self.state().remove_row(row)
    }

    fn rename_row(
        &self,
        row: RowId,
        to: &Name,
        collision: Collision,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.state().rename_row(row, to, collision, now)
    }

    fn amend_row(
        &self,
        row: RowId,
        amendment: Amendment,
        now: Timestamp,
    ) -> Result<RowRecord, Error> {
        self.state().amend_row(row, amendment, now)
    }

    fn find(&self, place: &Place) -> Result<Option<Link>, Error> {
        Ok(self.state().find(place))
    }

    fn links(&self, row: RowId) -> Result<Vec<Link>, Error> {
        Ok(self.state().links(row))
    }

    fn attachment(&self, id: AttachmentId) -> Result<Option<Attachment>, Error> {
        Ok(self.state().attachment(id))
    }

    fn places(&self, id: AttachmentId) -> Result<Vec<Place>, Error> {
        Ok(self.state().places(id))
    }

    fn reserve(&self, digest: Digest, now: Timestamp) -> Result<Reservation, Error> {
        Ok(self.state().reserve(digest, now))
    }

    fn publish(&self, publication: &Publication) -> Result<Published, Error> {
        self.state().publish(publication)
    }

    fn share(
        &self,
        id: AttachmentId,
        to: &Place,
        written: &Name,
        collision: Collision,
        now: Timestamp,
    ) -> Result<Option<Attachment>, Error> {
        self.state().share(id, to, written, (collision, now))
    }

    fn unlink(&self, place: &Place, now: Timestamp) -> Result<Option<Attachment>, Error> {
        Ok(self.state().unlink(place, now))
    }

    fn move_link(
        &self,
        from: &Place,
        to: &Place,
        written: &Name,
        collision: Collision,
        now: Timestamp,
    ) -> Result<Option<Attachment>, Error> {
        self.state().move_link(from, to, written, (collision, now))
    }

    fn amend(
        &self,
        id: AttachmentId,
        amendment: Amendment,
        now: Timestamp,
    ) -> Result<Attachment, Error> {
        self.state().amend(id, amendment, now)
    }

    fn attributes(&self, id: AttachmentId) -> Result<Vec<(String, Vec<u8>)>, Error> {
        Ok(self.state().attributes(id))
    }

    fn set_attribute(
        &self,
        id: AttachmentId,
        name: &str,
        value: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.state().set_attribute(id, name, value, now)
    }

    fn variant(&self, original: BlobKey, variant: Variant) -> Result<Option<VariantRecord>, Error> {
        Ok(self.state().variant(original, variant))
    }

    fn variant_by_id(&self, id: VariantId) -> Result<Option<VariantRecord>, Error> {
        Ok(self.state().variant_by_id(id))
    }

    fn variants(&self, original: BlobKey) -> Result<Vec<VariantRecord>, Error> {
        Ok(self.state().variants(original))
    }

    fn add_variant(
        &self,
        original: BlobKey,
        variant: Variant,
        blob: BlobKey,
        content: &Content,
    ) -> Result<VariantRecord, Error> {
        self.state().add_variant(original, variant, blob, content)
    }

    fn scratch(&self, row: RowId, name: &Name) -> Result<Option<ScratchRecord>, Error> {
        Ok(self.state().scratch(row, name))
    }

    fn scratch_by_id(&self, id: ScratchId) -> Result<Option<ScratchRecord>, Error> {
        Ok(self.state().scratch_by_id(id))
    }

    fn scratches(&self, row: RowId) -> Result<Vec<ScratchRecord>, Error> {
        Ok(self.state().scratches(row))
    }

    fn scratch_before(&self, created: Timestamp) -> Result<Vec<ScratchRecord>, Error> {
        Ok(self.state().scratch_before(created))
    }

    fn add_scratch(
        &self,
        row: RowId,
        name: &Name,
        file: &str,
        access: Access,
        now: Timestamp,
    ) -> Result<ScratchRecord, Error> {
        self.state().add_scratch(row, name, file, (access, now))
    }

    fn rename_scratch(
        &self,
        id: ScratchId,
        row: RowId,
        name: &Name,
        collision: Collision,
        now: Timestamp,
    ) -> Result<Option<ScratchRecord>, Error> {
        self.state().rename_scratch(id, row, name, (collision, now))
    }

    fn amend_scratch(
        &self,
        id: ScratchId,
        amendment: Amendment,
        now: Timestamp,
    ) -> Result<ScratchRecord, Error> {
        self.state().amend_scratch(id, amendment, now)
    }

    fn remove_scratch(
        &self,
        id: ScratchId,
        now: Timestamp,
    ) -> Result<Option<ScratchRecord>, Error> {
        Ok(self.state().remove_scratch(id, now))
    }

    fn doom(&self, retired: Timestamp, reserved: Timestamp, limit: usize) -> Result<Doomed, Error> {
        Ok(self.state().doom(Horizon { retired, reserved }, limit))
    }

    fn doomable(
        &self,
        retired: Timestamp,
        reserved: Timestamp,
        limit: usize,
    ) -> Result<Doomed, Error> {
        Ok(self.state().clone().doom(Horizon { retired, reserved }, limit))
    }

    fn forget(&self, key: BlobKey) -> Result<(), Error> {
        self.state().forget(key);
        Ok(())
    }

    fn trim_variants(&self, bytes: u64) -> Result<usize, Error> {
        Ok(self.state().trim_variants(bytes))
    }

    fn touch_variant(&self, id: VariantId, now: Timestamp) -> Result<(), Error> {
        self.state().touch_variant(id, now);
        Ok(())
    }

    fn totals(&self) -> Result<Totals, Error> {
        Ok(self.state().totals())
    }

    fn blobs_after(&self, after: Option<BlobKey>, limit: usize) -> Result<Vec<BlobKey>, Error> {
        Ok(self.state().blobs_after(after, limit))
    }
}
