//! The catalogue: which slot holds what, which blobs there are, and who still needs them.
//! Does not know rules, files or the kernel; it never touches a blob's bytes.
//!
//! Every method happens whole or not at all; a change that returned `Ok`, but a reservation, survives a power cut.
//! Numbers given out (rows, attachments, variants, scratch) are never used again.

mod error;
pub mod memory;
mod record;
pub mod recording;
pub mod sqlite;

#[cfg(test)]
mod contract;

use std::time::Duration;

use words::access::{Fixed, Terms};
use words::attachment::{
    Access, Amendment, Attachment, AttachmentId, BlobKey, Content, FieldId, RowId, ScratchId,
    StoreId, TableId, VariantId,
};
use words::digest::Digest;
use words::quota::{Account, Limits, Usage};
use words::slot::Name;
use words::timestamp::Timestamp;
use words::variant::Variant;

pub use error::Error;
pub use record::{
    Doomed, Publication, Published, RESERVATION_SPAN, Rehoming, Reservation, Revision, StoreRecord,
    Totals,
};
use words::link::{Collision, Link};
use words::place::{Folder, Place};
use words::rendition::VariantRecord;
use words::retired::{Orphan, Retired};
use words::row::RowRecord;
use words::scratch::ScratchRecord;

/// The catalogue. Implementations are shared by threads; a method blocks at most for its own I/O.
pub trait Catalog: Send + Sync {
    // -- tables and rows ---------------------------------------------------------------------------------------------

    /// The number of a table, given out at first mention. Idempotent.
    fn table(&self, name: &Name) -> Result<TableId, Error>;

    /// The number of a field, given out at first mention, and what becomes from now on of the blobs that lose their last
    /// name in it. Idempotent. Errors: [`Error::Missing`] if there is no such table.
    fn field(&self, table: TableId, name: &Name, orphan: Orphan) -> Result<FieldId, Error>;

    /// The number of a blob store, given out at first mention: 1 or more, since 0 is the library's own. Idempotent.
    fn store(&self, name: &Name) -> Result<StoreId, Error>;

    /// Every store that was ever mentioned, by number, with what it holds; the library's own comes first and has no name.
    fn stores(&self) -> Result<Vec<StoreRecord>, Error>;

    fn row(&self, table: TableId, name: &Name) -> Result<Option<RowRecord>, Error>;
    fn row_by_id(&self, row: RowId) -> Result<Option<RowRecord>, Error>;

    /// Up to `limit` rows of the table with numbers above `after`, in the order of their numbers.
    fn rows(&self, table: TableId, after: RowId, limit: usize) -> Result<Vec<RowRecord>, Error>;

    /// Errors: [`Error::Taken`], [`Error::Missing`] if there is no such table.
    fn add_row(
        &self,
        table: TableId,
        name: &Name,
        access: Access,
        now: Timestamp,
    ) -> Result<RowRecord, Error>;

    /// Removes a row without links; its scratch goes with it and is returned, so that its files can be dealt with.
    /// Errors: [`Error::NotEmpty`] if it holds links, [`Error::Missing`].
    fn remove_row(&self, row: RowId) -> Result<Vec<ScratchRecord>, Error>;

    /// Renames a row inside its table. With [`Collision::Replace`] a row of that name without links and scratch is
    /// removed; with either it is [`Error::NotEmpty`]. [`Collision::Exchange`] swaps the names. A row's own name changes
    /// nothing. Errors: [`Error::Missing`], [`Error::Taken`], [`Error::NotEmpty`].
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

    // -- slots and attachments ---------------------------------------------------------------------------------------

    /// One query.
    fn find(&self, place: &Place) -> Result<Option<Link>, Error>;

    /// The links of a row, by field name; those of a collection in its order.
    fn links(&self, row: RowId) -> Result<Vec<Link>, Error>;
    /// Those of the fields that hold one file, by field name. One query.
    fn singles(&self, row: RowId) -> Result<Vec<Link>, Error>;
    /// The items of a collection in its order: that of arrival, unless [`Revision::Arrange`] made another.
    fn items(&self, row: RowId, field: &Name) -> Result<Vec<Link>, Error>;
    /// How many items a collection holds.
    fn count_items(&self, row: RowId, field: &Name) -> Result<u64, Error>;

    /// Makes several changes to a row at once, in this order. Returns the attachments that lost a name, with `links` after the
    /// loss. Errors: [`Error::Missing`] if the row, or a place that a revision names, is not there; then nothing has changed.
    fn revise(
        &self,
        row: RowId,
        revisions: &[Revision],
        now: Timestamp,
    ) -> Result<Vec<Attachment>, Error>;

    /// An attachment by number, also while `links` is 0 and it is held. One query.
    fn attachment(&self, id: AttachmentId) -> Result<Option<Attachment>, Error>;

    /// The slots that hold an attachment.
    fn places(&self, id: AttachmentId) -> Result<Vec<Place>, Error>;

    /// Finds or makes a key for bytes with this digest in a store. A key that is only reserved, because its blob may not be there
    /// yet, is never given to a second caller: that one gets a new key. A crash forgets it, and its number never comes again.
    fn reserve(&self, store: StoreId, digest: Digest, now: Timestamp)
    -> Result<Reservation, Error>;

    /// Of keys that a crash left unconfirmed: the unknown count as reserved at `now`, the stored are returned. Idempotent.
    fn recall(&self, pending: &[BlobKey], now: Timestamp) -> Result<Vec<BlobKey>, Error>;

    /// Hangs a new attachment from a slot and retires what hung there, whose place in a collection it takes; a new item
    /// comes last, one that was taken down within [`VACANCY`] where it was. The reserved blobs count as stored from here on.
    /// If the slot already holds an attachment of this blob, that one is kept (same number, version and commit
    /// time); access, times, written and original name, source and original become the publication's, its attributes are
    /// added. A blob's content is what the first publication of it said.
    /// Errors: [`Error::BlobGone`] if the blob was swept since, [`Error::Missing`] if the row is gone, [`Error::Quota`].
    fn publish(&self, publication: &Publication) -> Result<Published, Error>;

    /// Gives an attachment one more name (`link`) and what is fixed there. Also puts back one that is held.
    /// With [`Collision::Replace`] the displaced attachment is returned; a slot that holds the attachment already only
    /// changes its written name. [`Collision::Exchange`] is the same, but needs something to displace.
    /// Errors: [`Error::Taken`], [`Error::Missing`], also for an attachment that went with a doomed blob, [`Error::Quota`].
    fn share(
        &self,
        id: AttachmentId,
        to: &Place,
        written: &Name,
        how: (Collision, Fixed),
        now: Timestamp,
    ) -> Result<Option<Attachment>, Error>;

    /// Gives an attachment that was unlinked a moment ago its name back, whatever the quotas say.
    /// Errors: [`Error::Taken`], [`Error::Missing`].
    fn put_back(
        &self,
        id: AttachmentId,
        to: &Place,
        written: &Name,
        now: Timestamp,
    ) -> Result<(), Error>;

    /// Takes a name away. An attachment without names is retired at `now`: held until [`Catalog::doom`].
    /// Returns the attachment with its links after the loss, or `None` if the slot was free.
    fn unlink(&self, place: &Place, now: Timestamp) -> Result<Option<Attachment>, Error>;

    /// Moves a link from slot to slot; the attachment keeps its number, gets what is fixed there, and keeps its place in a
    /// collection unless it takes another's or comes from elsewhere. Returns what was displaced, with
    /// [`Collision::Exchange`] what hangs from `from` now, under the name that was written there.
    /// Moving to itself changes the written name, moving inside a collection the item's; moving onto another name of the same
    /// attachment drops `from` and displaces nothing. Errors: [`Error::Missing`], [`Error::Taken`], [`Error::Quota`].
    fn move_link(
        &self,
        from: &Place,
        to: &Place,
        written: &Name,
        how: (Collision, Terms),
        now: Timestamp,
    ) -> Result<Option<Attachment>, Error>;

    /// Moves a link as [`Catalog::move_link`] does, and the bytes of its attachment to other keys, which count as stored from
    /// here on. The old ones are left to a sweep, with their variants. Errors: those of `move_link`; [`Error::Shared`] if the
    /// attachment has other names; [`Error::BlobGone`] of a new key that was swept, or of an old one whose bytes are not those
    /// of the new one.
    fn rehome(&self, rehoming: &Rehoming) -> Result<Option<Attachment>, Error>;

    /// Errors: [`Error::Missing`].
    fn amend(
        &self,
        id: AttachmentId,
        amendment: Amendment,
        now: Timestamp,
    ) -> Result<Attachment, Error>;

    /// The foreign attributes of an attachment, by name; none if there is no such attachment.
    fn attributes(&self, id: AttachmentId) -> Result<Vec<(String, Vec<u8>)>, Error>;

    /// Sets (`Some`) or removes (`None`) one foreign attribute. Returns whether it was there before.
    /// Errors: [`Error::Missing`] if there is no such attachment.
    fn set_attribute(
        &self,
        id: AttachmentId,
        name: &str,
        value: Option<&[u8]>,
        now: Timestamp,
    ) -> Result<bool, Error>;

    // -- quotas ------------------------------------------------------------------------------------------------------

    /// From here on nothing is published, shared or moved that would let an account grow above its quota; a change that is
    /// not made for that has changed nothing. What an owner is given by [`Catalog::amend`] is charged to it all the same.
    fn limit(&self, limits: Limits);

    /// What is charged to an account, see [`Usage`].
    fn usage(&self, account: Account) -> Result<Usage, Error>;
    /// All accounts that are charged for a file, tables before users, by number.
    fn usages(&self) -> Result<Vec<(Account, Usage)>, Error>;

    // -- what is detached --------------------------------------------------------------------------------------------

    /// Attachments without a name that were retired at or after a time, the first `limit` by time and number; to read on, ask
    /// from the last one's time and number: that one and what is before it is left out.
    fn retired(
        &self,
        since: Timestamp,
        after: Option<(Timestamp, AttachmentId)>,
        limit: usize,
    ) -> Result<Vec<Retired>, Error>;

    fn retired_by_id(&self, id: AttachmentId) -> Result<Option<Retired>, Error>;

    /// The first that was retired at or after a time from a slot that reads like this with `-` for each `/`:
    /// `user-42-avatar`. One query.
    fn first_retired(&self, dashed: &str, since: Timestamp) -> Result<Option<Retired>, Error>;

    /// Counts a retired attachment as retired at `now`; nothing happens to any other.
    fn renew(&self, id: AttachmentId, now: Timestamp) -> Result<(), Error>;

    /// Those of [`Catalog::retired`] that are kept for ever, by number from above `after`.
    fn orphans(&self, after: AttachmentId, limit: usize) -> Result<Vec<Retired>, Error>;

    // -- variants ----------------------------------------------------------------------------------------------------
    /// One query.
    fn variant(&self, original: BlobKey, variant: Variant) -> Result<Option<VariantRecord>, Error>;

    fn variant_by_id(&self, id: VariantId) -> Result<Option<VariantRecord>, Error>;

    /// All variants of an original, by name.
    fn variants(&self, original: BlobKey) -> Result<Vec<VariantRecord>, Error>;

    /// Records a rendered variant whose blob was reserved and put. If the variant exists already, that one is returned
    /// and the blob is left to a sweep. It counts as used last.
    /// Errors: [`Error::BlobGone`] if the original or the variant's blob was swept meanwhile.
    fn add_variant(
        &self,
        original: BlobKey,
        variant: Variant,
        blob: BlobKey,
        content: &Content,
    ) -> Result<VariantRecord, Error>;

    /// Drops a variant; its blob is left to the next [`Catalog::doom`]. Returns whether it was there.
    fn remove_variant(&self, id: VariantId) -> Result<bool, Error>;

    // -- scratch -----------------------------------------------------------------------------------------------------

    fn scratch(&self, folder: &Folder, name: &Name) -> Result<Option<ScratchRecord>, Error>;

    fn scratch_by_id(&self, id: ScratchId) -> Result<Option<ScratchRecord>, Error>;

    /// The scratch of a folder, in the order of its numbers; that of a row without that of its collections.
    fn scratches(&self, folder: &Folder) -> Result<Vec<ScratchRecord>, Error>;

    /// Scratch created before a time, in any row.
    fn scratch_before(&self, created: Timestamp) -> Result<Vec<ScratchRecord>, Error>;

    /// Errors: [`Error::Taken`], [`Error::Missing`] if the row is gone.
    fn add_scratch(
        &self,
        folder: &Folder,
        name: &Name,
        file: &str,
        access: Access,
        now: Timestamp,
    ) -> Result<ScratchRecord, Error>;

    /// Renames scratch, also into another folder. Returns what was displaced, as it was. Errors: [`Error::Taken`], [`Error::Missing`].
    fn rename_scratch(
        &self,
        id: ScratchId,
        folder: &Folder,
        name: &Name,
        collision: Collision,
        now: Timestamp,
    ) -> Result<Option<ScratchRecord>, Error>;

    /// Its times are its file's: only owner and mode are kept here. Errors: [`Error::Missing`].
    fn amend_scratch(
        &self,
        id: ScratchId,
        amendment: Amendment,
        now: Timestamp,
    ) -> Result<ScratchRecord, Error>;

    /// Forgets scratch; returns it if it was there.
    fn remove_scratch(&self, id: ScratchId, now: Timestamp)
    -> Result<Option<ScratchRecord>, Error>;

    // -- drop boxes --------------------------------------------------------------------------------------------------

    /// Notes that a file of a drop box is to be looked at. Errors: [`Error::Missing`].
    fn offer(&self, id: ScratchId) -> Result<(), Error>;

    /// The files that are to be looked at, by number from above `after`.
    fn offered(&self, after: ScratchId, limit: usize) -> Result<Vec<ScratchRecord>, Error>;

    /// Makes a row for a file, and notes it there. Errors: [`Error::Taken`] if the row is there, [`Error::Missing`].
    fn enrol(
        &self,
        id: ScratchId,
        table: TableId,
        name: &Name,
        access: Access,
        now: Timestamp,
    ) -> Result<RowRecord, Error>;

    /// Notes that a file with these bytes was dealt with: nobody looks at it again before it is offered again.
    /// Errors: [`Error::Missing`].
    fn take(&self, id: ScratchId, taken: Digest) -> Result<(), Error>;

    /// The largest whole number, of 19 digits at most, that stands between these texts in the name of a row of the table, such
    /// as 7 in `scan-7`; 0 if there is none. Costs as much as there are rows that begin so.
    fn largest_number(&self, table: TableId, around: (&str, &str)) -> Result<u64, Error>;

    // -- sweeping ----------------------------------------------------------------------------------------------------

    /// One batch of a sweep: forgets up to `limit` attachments retired at or before `retired`, the oldest first, and dooms up to
    /// `limit` blobs: those whose last attachment was forgotten, and those reserved at or before `reserved` that nothing links.
    /// With its last attachment an original loses its variants, which are doomed too unless another original or an attachment has
    /// the same blob; they may exceed the limit. A doomed blob is found by no reservation. Repeating it returns the doomed ones
    /// that were not forgotten yet, too. Originals go with the last attachment that keeps them. What was retired in a field that
    /// keeps its orphans counts as needed. Costs as much as the batch is large, whatever else there is.
    fn doom(&self, retired: Timestamp, reserved: Timestamp, limit: usize) -> Result<Doomed, Error>;

    /// What [`Catalog::doom`] would doom, without dooming it.
    fn doomable(
        &self,
        retired: Timestamp,
        reserved: Timestamp,
        limit: usize,
    ) -> Result<Doomed, Error>;

    /// Drops the records of doomed blobs whose bytes were deleted. Idempotent; one that is not doomed is left alone.
    fn forget(&self, keys: &[BlobKey]) -> Result<(), Error>;

    /// While all variants together have more than `bytes`, the ones used least recently are dropped, up to `limit` of them;
    /// returns how many were. Their blobs are left to the next [`Catalog::doom`], whenever they were reserved.
    fn trim_variants(&self, bytes: u64, limit: usize) -> Result<usize, Error>;

    /// Notes which variants were read and when, to the precision of [`TOUCH_PRECISION`].
    fn touch_variants(&self, read: &[(VariantId, Timestamp)]) -> Result<(), Error>;

    /// How many bytes each of these blobs has; 0 for one that is not known to be stored.
    fn lengths(&self, keys: &[BlobKey]) -> Result<Vec<u64>, Error>;

    fn totals(&self) -> Result<Totals, Error>;
    /// How many changes were made so far, more or less: as long as it is the same, every answer is. None where others change
    /// the catalogue too. Asks for nothing.
    fn commits(&self) -> Option<u64>;

    /// Every blob that must be stored, in the order of their generations, a page at a time: for checks.
    fn blobs_after(&self, after: Option<BlobKey>, limit: usize) -> Result<Vec<BlobKey>, Error>;
}

/// A variant that was noted as read is not noted again for this long: reading must not mean writing.
pub const TOUCH_PRECISION: Duration = Duration::from_secs(60);

/// How long the position of an item is kept after it was taken down, for programs that delete first and write then.
pub const VACANCY: Duration = Duration::from_secs(60);
