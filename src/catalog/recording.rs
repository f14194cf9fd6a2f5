//! A catalogue that counts how often it was asked what.
//! Does not change any answer: it passes everything on to another catalogue.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::catalog::{
    Catalog, Doomed, Error, Publication, Published, Rehoming, Reservation, Revision, StoreRecord,
    Totals,
};
use words::access::{Fixed, Terms};
use words::attachment::{
    Access, Amendment, Attachment, AttachmentId, BlobKey, Content, FieldId, RowId, ScratchId,
    StoreId, TableId, VariantId,
};
use words::digest::Digest;
use words::link::{Collision, Link};
use words::place::{Folder, Place};
use words::quota::{Account, Limits, Usage};
use words::rendition::VariantRecord;
use words::retired::{Orphan, Retired};
use words::row::RowRecord;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;
use words::variant::Variant;

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

/// Each of these methods of the trait, counted and passed on.
macro_rules! counted {
    ($(fn $method:ident(&self $(, $name:ident: $kind:ty)* $(,)?) $(-> $answer:ty)?;)*) => {
        $(fn $method(&self $(, $name: $kind)*) $(-> $answer)? {
            self.count(stringify!($method)).$method($($name),*)
        })*
    };
}

impl<C: Catalog> Catalog for RecordingCatalog<C> {
    counted! {
        fn table(&self, name: &Name) -> Result<TableId, Error>;
        fn field(&self, table: TableId, name: &Name, orphan: Orphan) -> Result<FieldId, Error>;
        fn store(&self, name: &Name) -> Result<StoreId, Error>;
        fn stores(&self) -> Result<Vec<StoreRecord>, Error>;
        fn row(&self, table: TableId, name: &Name) -> Result<Option<RowRecord>, Error>;
        fn row_by_id(&self, row: RowId) -> Result<Option<RowRecord>, Error>;
        fn rows(&self, table: TableId, after: RowId, limit: usize) -> Result<Vec<RowRecord>, Error>;
        fn add_row(
            &self,
            table: TableId,
            name: &Name,
            access: Access,
            now: Timestamp,
        ) -> Result<RowRecord, Error>;
        fn remove_row(&self, row: RowId) -> Result<Vec<ScratchRecord>, Error>;
        fn rename_row(
            &self,
            row: RowId,
            to: &Name,
            collision: Collision,
            now: Timestamp,
        ) -> Result<(), Error>;
        fn amend_row(
            &self,
            row: RowId,
            amendment: Amendment,
            now: Timestamp,
        ) -> Result<RowRecord, Error>;
        fn find(&self, place: &Place) -> Result<Option<Link>, Error>;
        fn links(&self, row: RowId) -> Result<Vec<Link>, Error>;
        fn singles(&self, row: RowId) -> Result<Vec<Link>, Error>;
        fn items(&self, row: RowId, field: &Name) -> Result<Vec<Link>, Error>;
        fn count_items(&self, row: RowId, field: &Name) -> Result<u64, Error>;
        fn revise(
            &self,
            row: RowId,
            revisions: &[Revision],
            now: Timestamp,
        ) -> Result<Vec<Attachment>, Error>;
        fn attachment(&self, id: AttachmentId) -> Result<Option<Attachment>, Error>;
        fn places(&self, id: AttachmentId) -> Result<Vec<Place>, Error>;
        fn reserve(
            &self,
            store: StoreId,
            digest: Digest,
            now: Timestamp,
        ) -> Result<Reservation, Error>;
        fn recall(&self, pending: &[BlobKey], now: Timestamp) -> Result<Vec<BlobKey>, Error>;
        fn publish(&self, publication: &Publication) -> Result<Published, Error>;
        fn share(
            &self,
            id: AttachmentId,
            to: &Place,
            written: &Name,
            how: (Collision, Fixed),
            now: Timestamp,
        ) -> Result<Option<Attachment>, Error>;
        fn put_back(
            &self,
            id: AttachmentId,
            to: &Place,
            written: &Name,
            now: Timestamp,
        ) -> Result<(), Error>;
        fn unlink(&self, place: &Place, now: Timestamp) -> Result<Option<Attachment>, Error>;
        fn move_link(
            &self,
            from: &Place,
            to: &Place,
            written: &Name,
            how: (Collision, Terms),
            now: Timestamp,
        ) -> Result<Option<Attachment>, Error>;
        fn rehome(&self, rehoming: &Rehoming) -> Result<Option<Attachment>, Error>;
        fn amend(
            &self,
            id: AttachmentId,
            amendment: Amendment,
            now: Timestamp,
        ) -> Result<Attachment, Error>;
        fn attributes(&self, id: AttachmentId) -> Result<Vec<(String, Vec<u8>)>, Error>;
        fn set_attribute(
            &self,
            id: AttachmentId,
            name: &str,
            value: Option<&[u8]>,
            now: Timestamp,
        ) -> Result<bool, Error>;
        fn retired(
            &self,
            since: Timestamp,
            after: Option<(Timestamp, AttachmentId)>,
            limit: usize,
        ) -> Result<Vec<Retired>, Error>;
        fn retired_by_id(&self, id: AttachmentId) -> Result<Option<Retired>, Error>;
        fn first_retired(&self, dashed: &str, since: Timestamp) -> Result<Option<Retired>, Error>;
        fn renew(&self, id: AttachmentId, now: Timestamp) -> Result<(), Error>;
        fn orphans(&self, after: AttachmentId, limit: usize) -> Result<Vec<Retired>, Error>;
        fn variant(&self, original: BlobKey, variant: Variant) -> Result<Option<VariantRecord>, Error>;
        fn variant_by_id(&self, id: VariantId) -> Result<Option<VariantRecord>, Error>;
        fn variants(&self, original: BlobKey) -> Result<Vec<VariantRecord>, Error>;
        fn remove_variant(&self, id: VariantId) -> Result<bool, Error>;
        fn add_variant(
            &self,
            original: BlobKey,
            variant: Variant,
            blob: BlobKey,
            content: &Content,
        ) -> Result<VariantRecord, Error>;
        fn scratch(&self, folder: &Folder, name: &Name) -> Result<Option<ScratchRecord>, Error>;
        fn scratch_by_id(&self, id: ScratchId) -> Result<Option<ScratchRecord>, Error>;
        fn scratches(&self, folder: &Folder) -> Result<Vec<ScratchRecord>, Error>;
        fn scratch_before(&self, created: Timestamp) -> Result<Vec<ScratchRecord>, Error>;
        fn add_scratch(
            &self,
            folder: &Folder,
            name: &Name,
            file: &str,
            access: Access,
            now: Timestamp,
        ) -> Result<ScratchRecord, Error>;
        fn rename_scratch(
            &self,
            id: ScratchId,
            folder: &Folder,
            name: &Name,
            collision: Collision,
            now: Timestamp,
        ) -> Result<Option<ScratchRecord>, Error>;
        fn amend_scratch(
            &self,
            id: ScratchId,
            amendment: Amendment,
            now: Timestamp,
        ) -> Result<ScratchRecord, Error>;
        fn remove_scratch(
            &self,
            id: ScratchId,
            now: Timestamp,
        ) -> Result<Option<ScratchRecord>, Error>;
        fn offer(&self, id: ScratchId) -> Result<(), Error>;
        fn offered(&self, after: ScratchId, limit: usize) -> Result<Vec<ScratchRecord>, Error>;
        fn enrol(
            &self,
            id: ScratchId,
            table: TableId,
            name: &Name,
            access: Access,
            now: Timestamp,
        ) -> Result<RowRecord, Error>;
        fn take(&self, id: ScratchId, taken: Digest) -> Result<(), Error>;
        fn largest_number(&self, table: TableId, around: (&str, &str)) -> Result<u64, Error>;
        fn doom(&self, retired: Timestamp, reserved: Timestamp, limit: usize) -> Result<Doomed, Error>;
        fn doomable(
            &self,
            retired: Timestamp,
            reserved: Timestamp,
            limit: usize,
        ) -> Result<Doomed, Error>;
        fn forget(&self, keys: &[BlobKey]) -> Result<(), Error>;
        fn trim_variants(&self, bytes: u64, limit: usize) -> Result<usize, Error>;
        fn touch_variants(&self, read: &[(VariantId, Timestamp)]) -> Result<(), Error>;
        fn limit(&self, limits: Limits);
        fn usage(&self, account: Account) -> Result<Usage, Error>;
        fn usages(&self) -> Result<Vec<(Account, Usage)>, Error>;
        fn lengths(&self, keys: &[BlobKey]) -> Result<Vec<u64>, Error>;
        fn totals(&self) -> Result<Totals, Error>;
        fn blobs_after(&self, after: Option<BlobKey>, limit: usize) -> Result<Vec<BlobKey>, Error>;
    }

    /// Not counted: it is free.
    fn commits(&self) -> Option<u64> {
        self.inner.commits()
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
