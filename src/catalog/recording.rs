//! A catalogue that counts how often it was asked what.
//! Does not change any answer: it passes everything on to another catalogue.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::attachment::{
    Access, Amendment, Attachment, AttachmentId, BlobKey, Content, FieldId, RowId, ScratchId,
    StoreId, TableId, VariantId,
};
use crate::catalog::{
    Catalog, Collision, Doomed, Error, Folder, Link, Orphan, Place, Publication, Published,
    Reservation, Retired, Revision, RowRecord, ScratchRecord, Totals, VariantRecord,
};
use crate::digest::Digest;
use crate::slot::Name;
use crate::timestamp::Timestamp;
use crate::variant::Variant;

/// Wraps any [`Catalog`] and counts the calls by the method's name, so that call counts can be laws.
pub struct RecordingCatalog<C> {
    inner: C,
    /// Guards the counts; held only to add one, to copy or to clear them.
    calls: Mutex<BTreeMap<&'static str, usize>>,
}

impl<C> RecordingCatalog<C> {
    pub fn new(inner: C) -> Self {
        Self { inner, calls: Mutex::new(BTreeMap::new()) }
    }

    /// The counts since the last call of this, by method; methods that were not called are absent.
    pub fn take_calls(&self) -> BTreeMap<&'static str, usize> {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn inner(&self) -> &C {
        &self.inner
    }

    fn count(&self, method: &'static str) -> &C {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry(method).or_default() += 1;
        &self.inner
    }
}

impl<C: Catalog> Catalog for RecordingCatalog<C> {
    fn table(&self, name: &Name) -> Result<TableId, Error> {
        self.count("table").table(name)
    }

    fn field(&self, table: TableId, name: &Name, orphan: Orphan) -> Result<FieldId, Error> {
        self.count("field").field(table, name, orphan)
    }

    fn store(&self, name: &Name) -> Result<StoreId, Error> {
        self.count("store").store(name)
    }

    fn row(&self, table: TableId, name: &Name) -> Result<Option<RowRecord>, Error> {
        self.count("row").row(table, name)
    }

    fn row_by_id(&self, row: RowId) -> Result<Option<RowRecord>, Error> {
        self.count("row_by_id").row_by_id(row)
    }

    fn rows(&self, table: TableId, after: RowId, limit: usize) -> Result<Vec<RowRecord>, Error> {
        self.count("rows").rows(table, after, limit)
    }

    fn add_row(
        &self,
        table: TableId,
        name: &Name,
        access: Access,
        now: Timestamp,
    ) -> Result<RowRecord, Error> {
        self.count("add_row").add_row(table, name, access, now)
    }

    fn remove_row(&self, row: RowId) -> Result<Vec<ScratchRecord>, Error> {
        self.count("remove_row").remove_row(row)
    }

    fn rename_row(
        &self,
        row: RowId,
        to: &Name,
        collision: Collision,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.count("rename_row").rename_row(row, to, collision, now)
    }

    fn amend_row(
        &self,
        row: RowId,
        amendment: Amendment,
        now: Timestamp,
    ) -> Result<RowRecord, Error> {
        self.count("amend_row").amend_row(row, amendment, now)
    }

    fn find(&self, place: &Place) -> Result<Option<Link>, Error> {
        self.count("find").find(place)
    }

    fn links(&self, row: RowId) -> Result<Vec<Link>, Error> {
        self.count("links").links(row)
    }

    fn items(&self, row: RowId, field: &Name) -> Result<Vec<Link>, Error> {
        self.count("items").items(row, field)
    }

    fn count_items(&self, row: RowId, field: &Name) -> Result<u64, Error> {
        self.count("count_items").count_items(row, field)
    }

    fn revise(
        &self,
        row: RowId,
        revisions: &[Revision],
        now: Timestamp,
    ) -> Result<Vec<Attachment>, Error> {
        self.count("revise").revise(row, revisions, now)
    }

    fn attachment(&self, id: AttachmentId) -> Result<Option<Attachment>, Error> {
        self.count("attachment").attachment(id)
    }

    fn places(&self, id: AttachmentId) -> Result<Vec<Place>, Error> {
        self.count("places").places(id)
    }

    fn reserve(
        &self,
        store: StoreId,
        digest: Digest,
        now: Timestamp,
    ) -> Result<Reservation, Error> {
        self.count("reserve").reserve(store, digest, now)
    }

    fn publish(&self, publication: &Publication) -> Result<Published, Error> {
        self.count("publish").publish(publication)
    }

    fn share(
        &self,
        id: AttachmentId,
        to: &Place,
        written: &Name,
        collision: Collision,
        now: Timestamp,
    ) -> Result<Option<Attachment>, Error> {
        self.count("share").share(id, to, written, collision, now)
    }

    fn unlink(&self, place: &Place, now: Timestamp) -> Result<Option<Attachment>, Error> {
        self.count("unlink").unlink(place, now)
    }

    fn move_link(
        &self,
        from: &Place,
        to: &Place,
        written: &Name,
        collision: Collision,
        now: Timestamp,
    ) -> Result<Option<Attachment>, Error> {
        self.count("move_link").move_link(from, to, written, collision, now)
    }

    fn amend(
        &self,
        id: AttachmentId,
        amendment: Amendment,
        now: Timestamp,
    ) -> Result<Attachment, Error> {
        self.count("amend").amend(id, amendment, now)
    }

    fn attributes(&self, id: AttachmentId) -> Result<Vec<(String, Vec<u8>)>, Error> {
        self.count("attributes").attributes(id)
    }

    fn set_attribute(
        &self,
        id: AttachmentId,
        name: &str,
        value: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.count("set_attribute").set_attribute(id, name, value, now)
    }

    fn retired(
        &self,
        since: Timestamp,
        after: Option<(Timestamp, AttachmentId)>,
        limit: usize,
    ) -> Result<Vec<Retired>, Error> {
        self.count("retired").retired(since, after, limit)
    }

    fn retired_by_id(&self, id: AttachmentId) -> Result<Option<Retired>, Error> {
        self.count("retired_by_id").retired_by_id(id)
    }

    fn first_retired(&self, dashed: &str, since: Timestamp) -> Result<Option<Retired>, Error> {
        self.count("first_retired").first_retired(dashed, since)
    }

    fn renew(&self, id: AttachmentId, now: Timestamp) -> Result<(), Error> {
        self.count("renew").renew(id, now)
    }

    fn orphans(&self, after: AttachmentId, limit: usize) -> Result<Vec<Retired>, Error> {
        self.count("orphans").orphans(after, limit)
    }

    fn variant(&self, original: BlobKey, variant: Variant) -> Result<Option<VariantRecord>, Error> {
        self.count("variant").variant(original, variant)
    }

    fn variant_by_id(&self, id: VariantId) -> Result<Option<VariantRecord>, Error> {
        self.count("variant_by_id").variant_by_id(id)
    }

    fn variants(&self, original: BlobKey) -> Result<Vec<VariantRecord>, Error> {
        self.count("variants").variants(original)
    }

    fn add_variant(
        &self,
        original: BlobKey,
        variant: Variant,
        blob: BlobKey,
        content: &Content,
    ) -> Result<VariantRecord, Error> {
        self.count("add_variant").add_variant(original, variant, blob, content)
    }

    fn scratch(&self, folder: &Folder, name: &Name) -> Result<Option<ScratchRecord>, Error> {
        self.count("scratch").scratch(folder, name)
    }

    fn scratch_by_id(&self, id: ScratchId) -> Result<Option<ScratchRecord>, Error> {
        self.count("scratch_by_id").scratch_by_id(id)
    }

    fn scratches(&self, folder: &Folder) -> Result<Vec<ScratchRecord>, Error> {
        self.count("scratches").scratches(folder)
    }

    fn scratch_before(&self, created: Timestamp) -> Result<Vec<ScratchRecord>, Error> {
        self.count("scratch_before").scratch_before(created)
    }

    fn add_scratch(
        &self,
        folder: &Folder,
        name: &Name,
        file: &str,
        access: Access,
        now: Timestamp,
    ) -> Result<ScratchRecord, Error> {
        self.count("add_scratch").add_scratch(folder, name, file, access, now)
    }

    fn rename_scratch(
        &self,
        id: ScratchId,
        folder: &Folder,
        name: &Name,
        collision: Collision,
        now: Timestamp,
    ) -> Result<Option<ScratchRecord>, Error> {
        self.count("rename_scratch").rename_scratch(id, folder, name, collision, now)
    }

    fn amend_scratch(
        &self,
        id: ScratchId,
        amendment: Amendment,
        now: Timestamp,
    ) -> Result<ScratchRecord, Error> {
        self.count("amend_scratch").amend_scratch(id, amendment, now)
    }

    fn remove_scratch(
        &self,
        id: ScratchId,
        now: Timestamp,
    ) -> Result<Option<ScratchRecord>, Error> {
        self.count("remove_scratch").remove_scratch(id, now)
    }

    fn offer(&self, id: ScratchId) -> Result<(), Error> {
        self.count("offer").offer(id)
    }

    fn offered(&self, after: ScratchId, limit: usize) -> Result<Vec<ScratchRecord>, Error> {
        self.count("offered").offered(after, limit)
    }

    fn enrol(
        &self,
        id: ScratchId,
        table: TableId,
        name: &Name,
        access: Access,
        now: Timestamp,
    ) -> Result<RowRecord, Error> {
        self.count("enrol").enrol(id, table, name, access, now)
    }

    fn take(&self, id: ScratchId, taken: Digest) -> Result<(), Error> {
        self.count("take").take(id, taken)
    }

    fn largest_id(&self, table: TableId) -> Result<u64, Error> {
        self.count("largest_id").largest_id(table)
    }

    fn doom(&self, retired: Timestamp, reserved: Timestamp, limit: usize) -> Result<Doomed, Error> {
        self.count("doom").doom(retired, reserved, limit)
    }

    fn doomable(
        &self,
        retired: Timestamp,
        reserved: Timestamp,
        limit: usize,
    ) -> Result<Doomed, Error> {
        self.count("doomable").doomable(retired, reserved, limit)
    }

    fn forget(&self, key: BlobKey) -> Result<(), Error> {
        self.count("forget").forget(key)
    }

    fn trim_variants(&self, bytes: u64) -> Result<usize, Error> {
        self.count("trim_variants").trim_variants(bytes)
    }

    fn touch_variant(&self, id: VariantId, now: Timestamp) -> Result<(), Error> {
        self.count("touch_variant").touch_variant(id, now)
    }

    fn lengths(&self, keys: &[BlobKey]) -> Result<Vec<u64>, Error> {
        self.count("lengths").lengths(keys)
    }

    fn totals(&self) -> Result<Totals, Error> {
        self.count("totals").totals()
    }

    fn blobs_after(&self, after: Option<BlobKey>, limit: usize) -> Result<Vec<BlobKey>, Error> {
        self.count("blobs_after").blobs_after(after, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::memory::Memory;

    #[test]
    fn calls_are_counted_by_method_and_passed_on() {
        let catalog = RecordingCatalog::new(Memory::new());
        let user = Name::parse("user").unwrap();
        let table = catalog.table(&user).unwrap();
        assert_eq!(catalog.table(&user).unwrap(), table);
        assert_eq!(catalog.row(table, &user).unwrap(), None);
        assert_eq!(catalog.take_calls(), BTreeMap::from([("table", 2), ("row", 1)]));
        assert_eq!(catalog.take_calls(), BTreeMap::new());
        assert_eq!(catalog.inner().table(&user).unwrap(), table);
    }
}
