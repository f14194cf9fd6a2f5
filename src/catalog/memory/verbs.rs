//! The verbs of the catalogue, each one turn at the state.
//! Does not know how any of it is done.

use super::Memory;
use super::sweep::Horizon;
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

impl Catalog for Memory {
    fn table(&self, name: &Name) -> Result<TableId, Error> {
        Ok(self.state().table(name))
    }
    fn field(&self, table: TableId, name: &Name, orphan: Orphan) -> Result<FieldId, Error> {
        self.state().field(table, name, orphan)
    }
    fn store(&self, name: &Name) -> Result<StoreId, Error> {
        Ok(self.state().store(name))
    }
    fn stores(&self) -> Result<Vec<StoreRecord>, Error> {
        Ok(self.state().stores())
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

    fn singles(&self, row: RowId) -> Result<Vec<Link>, Error> {
        Ok(self.state().singles(row))
    }

    fn items(&self, row: RowId, field: &Name) -> Result<Vec<Link>, Error> {
        Ok(self.state().items(row, field))
    }
    fn count_items(&self, row: RowId, field: &Name) -> Result<u64, Error> {
        Ok(u64::try_from(self.state().items(row, field).len()).unwrap_or(u64::MAX))
    }

    fn revise(
        &self,
        row: RowId,
        revisions: &[Revision],
        now: Timestamp,
    ) -> Result<Vec<Attachment>, Error> {
        self.state().revise(row, revisions, now)
    }

    fn attachment(&self, id: AttachmentId) -> Result<Option<Attachment>, Error> {
        Ok(self.state().attachment(id))
    }

    fn places(&self, id: AttachmentId) -> Result<Vec<Place>, Error> {
        Ok(self.state().places(id))
    }

    fn reserve(
        &self,
        store: StoreId,
        digest: Digest,
        now: Timestamp,
    ) -> Result<Reservation, Error> {
        Ok(self.state().reserve(store, digest, now))
    }

    fn recall(&self, pending: &[BlobKey], now: Timestamp) -> Result<Vec<BlobKey>, Error> {
        Ok(self.state().recall(pending, now))
    }

    fn publish(&self, publication: &Publication) -> Result<Published, Error> {
        let mut state = self.state();
        let owner = Some(Account::Uid(publication.access.uid));
        let accounts = [state.account_of_row(publication.place.row), owner];
        state.within(&accounts, |state| state.publish(publication))
    }

    fn share(
        &self,
        id: AttachmentId,
        to: &Place,
        written: &Name,
        how: (Collision, Fixed),
        now: Timestamp,
    ) -> Result<Option<Attachment>, Error> {
        let (mut state, (_, fixed)) = (self.state(), how);
        let owner = state.attachment(id).map(|found| Account::Uid(fixed.of(found.access).uid));
        let accounts = [state.account_of_row(to.row), owner];
        state.within(&accounts, |state| state.share(id, to, written, how, now))
    }

    fn put_back(
        &self,
        id: AttachmentId,
        to: &Place,
        written: &Name,
        now: Timestamp,
    ) -> Result<(), Error> {
        let how = (Collision::Refuse, Fixed::default());
        self.state().share(id, to, written, how, now).map(drop)
    }

    fn unlink(&self, place: &Place, now: Timestamp) -> Result<Option<Attachment>, Error> {
        Ok(self.state().unlink(place, now))
    }

    fn move_link(
        &self,
        from: &Place,
        to: &Place,
        written: &Name,
        how: (Collision, Terms),
        now: Timestamp,
    ) -> Result<Option<Attachment>, Error> {
        let mut state = self.state();
        let accounts = state.accounts_of_move(from, to, how.1);
        state.within(&accounts, |state| state.move_link(from, to, written, how, now))
    }

    fn rehome(&self, rehoming: &Rehoming) -> Result<Option<Attachment>, Error> {
        let mut state = self.state();
        let Rehoming { from, to, fixed, .. } = rehoming;
        let accounts =
            state.accounts_of_move(from, to, Terms { there: *fixed, back: Fixed::default() });
        state.within(&accounts, |state| state.rehome(rehoming))
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

    fn retired(
        &self,
        since: Timestamp,
        after: Option<(Timestamp, AttachmentId)>,
        limit: usize,
    ) -> Result<Vec<Retired>, Error> {
        Ok(self.state().retired(since, after, limit))
    }
    fn retired_by_id(&self, id: AttachmentId) -> Result<Option<Retired>, Error> {
        Ok(self.state().retired_by_id(id))
    }

    fn first_retired(&self, dashed: &str, since: Timestamp) -> Result<Option<Retired>, Error> {
        Ok(self.state().first_retired(dashed, since))
    }

    fn renew(&self, id: AttachmentId, now: Timestamp) -> Result<(), Error> {
        self.state().renew(id, now);
        Ok(())
    }

    fn orphans(&self, after: AttachmentId, limit: usize) -> Result<Vec<Retired>, Error> {
        Ok(self.state().orphans(after, limit))
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

    fn remove_variant(&self, id: VariantId) -> Result<bool, Error> {
        Ok(self.state().remove_variant(id))
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

    fn scratch(&self, folder: &Folder, name: &Name) -> Result<Option<ScratchRecord>, Error> {
        Ok(self.state().scratch(folder, name))
    }

    fn scratch_by_id(&self, id: ScratchId) -> Result<Option<ScratchRecord>, Error> {
        Ok(self.state().scratch_by_id(id))
    }

    fn scratches(&self, folder: &Folder) -> Result<Vec<ScratchRecord>, Error> {
        Ok(self.state().scratches(folder))
    }

    fn scratch_before(&self, created: Timestamp) -> Result<Vec<ScratchRecord>, Error> {
        Ok(self.state().scratch_before(created))
    }

    fn add_scratch(
        &self,
        folder: &Folder,
        name: &Name,
        file: &str,
        access: Access,
        now: Timestamp,
    ) -> Result<ScratchRecord, Error> {
        self.state().add_scratch(folder, name, file, (access, now))
    }

    fn rename_scratch(
        &self,
        id: ScratchId,
        folder: &Folder,
        name: &Name,
        collision: Collision,
        now: Timestamp,
    ) -> Result<Option<ScratchRecord>, Error> {
        self.state().rename_scratch(id, folder, name, (collision, now))
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

    fn offer(&self, id: ScratchId) -> Result<(), Error> {
        self.state().offer(id)
    }

    fn offered(&self, after: ScratchId, limit: usize) -> Result<Vec<ScratchRecord>, Error> {
        Ok(self.state().offered(after, limit))
    }

    fn enrol(
        &self,
        id: ScratchId,
        table: TableId,
        name: &Name,
        access: Access,
        now: Timestamp,
    ) -> Result<RowRecord, Error> {
        self.state().enrol(id, (table, name), access, now)
    }

    fn take(&self, id: ScratchId, taken: Digest) -> Result<(), Error> {
        self.state().take(id, taken)
    }

    fn largest_number(&self, table: TableId, around: (&str, &str)) -> Result<u64, Error> {
        Ok(self.state().largest_number(table, around))
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

    fn forget(&self, keys: &[BlobKey]) -> Result<(), Error> {
        self.state().forget(keys);
        Ok(())
    }

    fn trim_variants(&self, bytes: u64, limit: usize) -> Result<usize, Error> {
        Ok(self.state().trim_variants(bytes, limit))
    }

    fn touch_variants(&self, read: &[(VariantId, Timestamp)]) -> Result<(), Error> {
        self.state().touch_variants(read);
        Ok(())
    }

    fn lengths(&self, keys: &[BlobKey]) -> Result<Vec<u64>, Error> {
        Ok(self.state().lengths(keys))
    }

    fn limit(&self, limits: Limits) {
        self.state().limits = limits;
    }

    fn usage(&self, account: Account) -> Result<Usage, Error> {
        Ok(self.state().usage(account))
    }
    fn usages(&self) -> Result<Vec<(Account, Usage)>, Error> {
        Ok(self.state().usages().into_iter().collect())
    }

    fn totals(&self) -> Result<Totals, Error> {
        Ok(self.state().totals())
    }
    fn commits(&self) -> Option<u64> {
        Some(self.state().commits)
    }

    fn blobs_after(&self, after: Option<BlobKey>, limit: usize) -> Result<Vec<BlobKey>, Error> {
        Ok(self.state().blobs_after(after, limit))
    }
}
