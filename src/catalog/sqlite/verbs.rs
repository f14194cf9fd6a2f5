//! The verbs of the catalogue, each framed as one read or one transaction on `SQLite`.
//! Does not hold SQL.

use super::reservations::Linked;
use super::sweep::Horizon;
use super::{
    Sqlite, arrivals, attachments, blobs, reservations, retired, rows, scratch, slots, stores,
    usage, variants,
};
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

impl Catalog for Sqlite {
    fn table(&self, name: &Name) -> Result<TableId, Error> {
        self.find_or_add(|db| rows::table(db, name), |db| rows::add_table(db, name))
    }
    fn field(&self, table: TableId, name: &Name, orphan: Orphan) -> Result<FieldId, Error> {
        self.find_or_add(
            |db| rows::field(db, table, name, orphan),
            |db| rows::add_field(db, table, name, orphan),
        )
    }
    fn store(&self, name: &Name) -> Result<StoreId, Error> {
        self.find_or_add(|db| stores::find(db, name), |db| stores::add(db, name))
    }
    fn stores(&self) -> Result<Vec<StoreRecord>, Error> {
        self.read(stores::all_of_them)
    }
    fn row(&self, table: TableId, name: &Name) -> Result<Option<RowRecord>, Error> {
        self.read(|db| rows::find(db, table, name))
    }
    fn row_by_id(&self, row: RowId) -> Result<Option<RowRecord>, Error> {
        self.read(|db| rows::by_id(db, row))
    }
    fn rows(&self, table: TableId, after: RowId, limit: usize) -> Result<Vec<RowRecord>, Error> {
        self.read(|db| rows::after(db, table, after, limit))
    }
    fn add_row(
        &self,
        table: TableId,
        name: &Name,
        access: Access,
        now: Timestamp,
    ) -> Result<RowRecord, Error> {
        self.write(|db| rows::add(db, table, name, access, now))
    }
    fn remove_row(&self, row: RowId) -> Result<Vec<ScratchRecord>, Error> {
        self.write(|db| rows::remove(db, row))
    }

    fn rename_row(
        &self,
        row: RowId,
        to: &Name,
        collision: Collision,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.write(|db| rows::rename(db, row, to, collision, now))
    }

    fn amend_row(
        &self,
        row: RowId,
        amendment: Amendment,
        now: Timestamp,
    ) -> Result<RowRecord, Error> {
        self.write(|db| rows::amend(db, row, amendment, now))
    }

    fn find(&self, place: &Place) -> Result<Option<Link>, Error> {
        self.read(|db| slots::find(db, place))
    }

    fn links(&self, row: RowId) -> Result<Vec<Link>, Error> {
        self.read(|db| slots::of_row(db, row))
    }
    fn singles(&self, row: RowId) -> Result<Vec<Link>, Error> {
        self.read(|db| slots::singles(db, row))
    }
    fn items(&self, row: RowId, field: &Name) -> Result<Vec<Link>, Error> {
        self.read(|db| slots::items(db, row, field))
    }
    fn count_items(&self, row: RowId, field: &Name) -> Result<u64, Error> {
        self.read(|db| slots::count(db, row, field))
    }

    fn revise(
        &self,
        row: RowId,
        revisions: &[Revision],
        now: Timestamp,
    ) -> Result<Vec<Attachment>, Error> {
        self.write(|db| slots::revise(db, row, revisions, now))
    }

    fn attachment(&self, id: AttachmentId) -> Result<Option<Attachment>, Error> {
        self.read(|db| attachments::by_id(db, id))
    }

    fn places(&self, id: AttachmentId) -> Result<Vec<Place>, Error> {
        self.read(|db| attachments::places(db, id))
    }

    fn reserve(
        &self,
        store: StoreId,
        digest: Digest,
        now: Timestamp,
    ) -> Result<Reservation, Error> {
        match self.read(|db| blobs::stored(db, store, digest))? {
            Some(key) => Ok(Reservation::Stored(key)),
            None => self.new_key(store, digest, now).map(Reservation::New),
        }
    }

    fn recall(&self, pending: &[BlobKey], now: Timestamp) -> Result<Vec<BlobKey>, Error> {
        self.write(|db| reservations::recall(db, pending, now))
    }

    fn publish(&self, publication: &Publication) -> Result<Published, Error> {
        let accounts = |db: &_| usage::of_publication(db, publication);
        self.link_within(&publication.linked(), accounts, |db| slots::publish(db, publication))
    }

    fn share(
        &self,
        id: AttachmentId,
        to: &Place,
        written: &Name,
        how: (Collision, Fixed),
        now: Timestamp,
    ) -> Result<Option<Attachment>, Error> {
        let share = |db: &_| slots::share(db, id, to, written, how, now);
        self.write_within(|db| usage::of_share(db, id, to, how.1), share)
    }

    fn put_back(
        &self,
        id: AttachmentId,
        to: &Place,
        written: &Name,
        now: Timestamp,
    ) -> Result<(), Error> {
        let how = (Collision::Refuse, Fixed::default());
        self.write(|db| slots::share(db, id, to, written, how, now).map(drop))
    }

    fn unlink(&self, place: &Place, now: Timestamp) -> Result<Option<Attachment>, Error> {
        self.write(|db| slots::unlink(db, place, now))
    }

    fn move_link(
        &self,
        from: &Place,
        to: &Place,
        written: &Name,
        how: (Collision, Terms),
        now: Timestamp,
    ) -> Result<Option<Attachment>, Error> {
        let go = |db: &_| slots::move_link(db, from, to, written, how, now);
        self.write_within(|db| usage::of_move(db, from, to, how.1), go)
    }

    fn rehome(&self, rehoming: &Rehoming) -> Result<Option<Attachment>, Error> {
        let Rehoming { from, to, blob, original, fixed, .. } = rehoming;
        let terms = Terms { there: *fixed, back: Fixed::default() };
        let accounts = |db: &_| usage::of_move(db, from, to, terms);
        let keys: Vec<_> = [*blob].into_iter().chain(*original).map(Linked::perhaps).collect();
        self.link_within(&keys, accounts, |db| stores::rehome(db, rehoming))
    }

    fn amend(
        &self,
        id: AttachmentId,
        amendment: Amendment,
        now: Timestamp,
    ) -> Result<Attachment, Error> {
        self.write(|db| attachments::amend(db, id, amendment, now))
    }

    fn attributes(&self, id: AttachmentId) -> Result<Vec<(String, Vec<u8>)>, Error> {
        self.read(|db| attachments::attributes(db, id))
    }

    fn set_attribute(
        &self,
        id: AttachmentId,
        name: &str,
        value: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<bool, Error> {
        self.write(|db| attachments::set_attribute(db, id, name, value, now))
    }

    fn retired(
        &self,
        since: Timestamp,
        after: Option<(Timestamp, AttachmentId)>,
        limit: usize,
    ) -> Result<Vec<Retired>, Error> {
        self.read(|db| retired::since(db, since, after, limit))
    }
    fn retired_by_id(&self, id: AttachmentId) -> Result<Option<Retired>, Error> {
        self.read(|db| retired::by_id(db, id))
    }

    fn first_retired(&self, dashed: &str, since: Timestamp) -> Result<Option<Retired>, Error> {
        self.read(|db| retired::first(db, dashed, since))
    }

    fn renew(&self, id: AttachmentId, now: Timestamp) -> Result<(), Error> {
        self.write(|db| retired::renew(db, id, now))
    }

    fn orphans(&self, after: AttachmentId, limit: usize) -> Result<Vec<Retired>, Error> {
        self.read(|db| retired::orphans(db, after, limit))
    }

    fn variant(&self, original: BlobKey, variant: Variant) -> Result<Option<VariantRecord>, Error> {
        self.read(|db| variants::find(db, original, variant))
    }

    fn variant_by_id(&self, id: VariantId) -> Result<Option<VariantRecord>, Error> {
        self.read(|db| variants::by_id(db, id))
    }
    fn variants(&self, original: BlobKey) -> Result<Vec<VariantRecord>, Error> {
        self.read(|db| variants::of_original(db, original))
    }

    fn remove_variant(&self, id: VariantId) -> Result<bool, Error> {
        self.write(|db| variants::remove(db, id))
    }

    fn add_variant(
        &self,
        original: BlobKey,
        variant: Variant,
        blob: BlobKey,
        content: &Content,
    ) -> Result<VariantRecord, Error> {
        self.write_linking(&[original, blob].map(Linked::perhaps), |db| {
            variants::add(db, original, variant, blob, content)
        })
    }

    fn scratch(&self, folder: &Folder, name: &Name) -> Result<Option<ScratchRecord>, Error> {
        self.read(|db| scratch::find(db, folder, name))
    }

    fn scratch_by_id(&self, id: ScratchId) -> Result<Option<ScratchRecord>, Error> {
        self.read(|db| scratch::by_id(db, id))
    }

    fn scratches(&self, folder: &Folder) -> Result<Vec<ScratchRecord>, Error> {
        self.read(|db| scratch::of_folder(db, folder))
    }

    fn scratch_before(&self, created: Timestamp) -> Result<Vec<ScratchRecord>, Error> {
        self.read(|db| scratch::before(db, created))
    }

    fn add_scratch(
        &self,
        folder: &Folder,
        name: &Name,
        file: &str,
        access: Access,
        now: Timestamp,
    ) -> Result<ScratchRecord, Error> {
        self.write(|db| scratch::add(db, folder, name, file, (access, now)))
    }

    fn rename_scratch(
        &self,
        id: ScratchId,
        folder: &Folder,
        name: &Name,
        collision: Collision,
        now: Timestamp,
    ) -> Result<Option<ScratchRecord>, Error> {
        self.write(|db| scratch::rename(db, id, folder, name, (collision, now)))
    }

    fn amend_scratch(
        &self,
        id: ScratchId,
        amendment: Amendment,
        now: Timestamp,
    ) -> Result<ScratchRecord, Error> {
        self.write(|db| scratch::amend(db, id, amendment, now))
    }

    fn remove_scratch(
        &self,
        id: ScratchId,
        now: Timestamp,
    ) -> Result<Option<ScratchRecord>, Error> {
        self.write(|db| scratch::remove(db, id, now))
    }

    fn offer(&self, id: ScratchId) -> Result<(), Error> {
        self.write(|db| arrivals::offer(db, id))
    }

    fn offered(&self, after: ScratchId, limit: usize) -> Result<Vec<ScratchRecord>, Error> {
        self.read(|db| arrivals::offered(db, after, limit))
    }

    fn enrol(
        &self,
        id: ScratchId,
        table: TableId,
        name: &Name,
        access: Access,
        now: Timestamp,
    ) -> Result<RowRecord, Error> {
        self.write(|db| arrivals::enrol(db, id, (table, name), access, now))
    }

    fn take(&self, id: ScratchId, taken: Digest) -> Result<(), Error> {
        self.write(|db| arrivals::take(db, id, taken))
    }

    fn largest_number(&self, table: TableId, around: (&str, &str)) -> Result<u64, Error> {
        self.read(|db| arrivals::largest_number(db, table, around))
    }

    fn doom(&self, retired: Timestamp, reserved: Timestamp, limit: usize) -> Result<Doomed, Error> {
        self.doom_until(Horizon { retired, reserved }, limit)
    }

    fn doomable(
        &self,
        retired: Timestamp,
        reserved: Timestamp,
        limit: usize,
    ) -> Result<Doomed, Error> {
        self.doomable_until(Horizon { retired, reserved }, limit)
    }

    fn forget(&self, keys: &[BlobKey]) -> Result<(), Error> {
        self.write(|db| blobs::forget(db, keys))
    }

    fn trim_variants(&self, bytes: u64, limit: usize) -> Result<usize, Error> {
        // Most sweeps find a cache within its limit, and need not wait for a writer to learn that.
        let is_within = self.read(variants::cached)? <= bytes;
        if is_within { Ok(0) } else { self.write(|db| variants::trim(db, bytes, limit)) }
    }

    fn touch_variants(&self, read: &[(VariantId, Timestamp)]) -> Result<(), Error> {
        self.write(|db| variants::touch(db, read))
    }

    fn lengths(&self, keys: &[BlobKey]) -> Result<Vec<u64>, Error> {
        self.read(|db| blobs::lengths(db, keys))
    }

    fn limit(&self, limits: Limits) {
        self.set_limits(limits);
    }

    fn usage(&self, account: Account) -> Result<Usage, Error> {
        self.read(|db| usage::of(db, account))
    }
    fn usages(&self) -> Result<Vec<(Account, Usage)>, Error> {
        self.read(usage::every)
    }

    fn totals(&self) -> Result<Totals, Error> {
        self.counted()
    }
    fn commits(&self) -> Option<u64> {
        // Only who writes looks after the log.
        self.checkpoints.is_some().then(|| self.writer.commits())
    }

    fn blobs_after(&self, after: Option<BlobKey>, limit: usize) -> Result<Vec<BlobKey>, Error> {
        self.read(|db| blobs::after(db, after, limit))
    }
}
