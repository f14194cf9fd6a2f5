//! Slots: which attachment is linked where, and every change to that.

use std::time::Duration;

use words::access::{Fixed, Terms};
use words::attachment::{
    Access, Attachment, AttachmentId, BlobKey, Content, Original, RowId, Times,
};
use words::link::{Collision, Link};
use words::place::Place;
use words::rendition::VariantRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

use super::error::{Error, Result};

/// How long an unlinked item's position is kept, for programs that delete a file and then write it again.
pub const VACANCY: Duration = Duration::from_secs(60);

pub trait Slots {
    /// The link at a slot. One query.
    fn find(&self, place: &Place) -> Result<Option<Link>>;

    /// The links of a row, by field name; those of a collection by position.
    fn links(&self, row: RowId) -> Result<Vec<Link>>;

    /// The links of a row's fields that hold one file, by field name. One query.
    fn singles(&self, row: RowId) -> Result<Vec<Link>>;

    /// The items of a collection by position: in the order in which they arrived, or as [`Revision::Arrange`] put them.
    fn items(&self, row: RowId, field: &Name) -> Result<Vec<Link>>;

    /// The number of items in a collection.
    fn count_items(&self, row: RowId, field: &Name) -> Result<u64>;

    /// The attributes of every attachment that is linked in a row, by attachment and name. One query.
    fn row_attributes(&self, row: RowId) -> Result<Vec<(AttachmentId, String, Vec<u8>)>>;

    /// The variants of every blob that is linked in a row, by original and name. One query.
    fn row_variants(&self, row: RowId) -> Result<Vec<VariantRecord>>;

    /// Makes several changes to a row in one transaction, in this order. Returns the attachments that lost a link, with
    /// `links` as it is afterwards. Errors: [`Error::Missing`] if the row or a slot that a revision names does not exist.
    fn revise(&self, row: RowId, revisions: &[Revision], now: Timestamp)
    -> Result<Vec<Attachment>>;

    /// Links a new attachment at a slot, and unlinks the attachment that was there. A replaced item keeps its position. A new
    /// item comes last, or where it was if it was unlinked within [`VACANCY`]. The reserved blobs count as stored from here on.
    ///
    /// A slot that already holds an attachment of this blob keeps it, with its number, version and commit time. The
    /// publication then replaces its access, times, names, source and original, and its attributes are added.
    ///
    /// A blob's content is what its first publication said.
    /// Errors: [`Error::BlobGone`] if a sweep has taken a blob, [`Error::Missing`] if the row is gone, [`Error::Quota`].
    fn publish(&self, publication: &Publication) -> Result<Published>;

    /// Adds a link to an attachment, with the access that the slot fixes. An attachment without links comes back from the
    /// trash. Returns the attachment that was displaced. If the slot holds this attachment already, only the written name
    /// changes. Errors: [`Error::Taken`], [`Error::Missing`] also if a sweep has taken the attachment, [`Error::Quota`].
    fn share(
        &self,
        id: AttachmentId,
        to: Destination,
        fixed: Fixed,
        now: Timestamp,
    ) -> Result<Option<Attachment>>;

    /// Undoes an unlink of a moment ago: links the attachment at its slot again, without a look at quotas.
    /// Errors: [`Error::Taken`], [`Error::Missing`].
    fn put_back(&self, id: AttachmentId, to: &Place, written: &Name, now: Timestamp) -> Result<()>;

    /// Removes a link. An attachment without links counts as retired since `now`, and a sweep removes it later.
    /// Returns the attachment with `links` as it is afterwards, or `None` if the slot was free.
    fn unlink(&self, place: &Place, now: Timestamp) -> Result<Option<Attachment>>;

    /// Moves a link to another slot. The attachment keeps its number and gets the access that the slot fixes. An item keeps
    /// its position if it is renamed within its collection onto a free name. One that replaces another gets that one's
    /// position, and one from elsewhere comes last.
    ///
    /// Returns the displaced attachment. After [`Collision::Exchange`] that is the attachment now linked at `from`, under the name
    /// that was written there. A move of a link to itself changes its written name alone. A move onto another link of the same
    /// attachment removes the link at `from` and displaces nothing.
    /// Errors: [`Error::Missing`], [`Error::Taken`], [`Error::Quota`].
    fn move_link(
        &self,
        from: &Place,
        to: Destination,
        terms: Terms,
        now: Timestamp,
    ) -> Result<Option<Attachment>>;

    /// Moves a link as [`Slots::move_link`] does, and its attachment to blobs in another store, which count as stored from
    /// here on. A sweep removes the old blobs, with their variants.
    /// Errors: those of `move_link`; [`Error::Shared`] if the attachment has other links; [`Error::BlobGone`] of a new key that
    /// a sweep has taken, or of an old key whose bytes differ from those of the new one.
    fn rehome(&self, rehoming: &Rehoming) -> Result<Option<Attachment>>;
}

/// A new attachment for a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    pub place: Place,
    pub written: Name,
    pub blob: BlobKey,
    pub content: Content,
    pub access: Access,
    pub times: Times,
    pub original_filename: String,
    /// The URL that it came from.
    pub source: Option<String>,
    /// The bytes as they were sent, where the field keeps them. Their blob must be reserved and stored, too.
    pub original: Option<Original>,
    /// Attributes that a program set on the file before the commit (`user.note`), with their values.
    pub attributes: Vec<(String, Vec<u8>)>,
    pub now: Timestamp,
}

/// The outcome of a publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub attachment: Attachment,
    /// The attachment that was linked at the slot before, with `links` as it is afterwards. `None` if the slot was free, or if
    /// it held an attachment of the same blob, which stays.
    pub displaced: Option<Attachment>,
}

/// The destination of a link: the slot, the name as a program wrote it, and what happens if the slot is taken.
#[derive(Debug, Clone, Copy)]
pub struct Destination<'a> {
    pub place: &'a Place,
    pub written: &'a Name,
    pub collision: Collision,
}

/// A move of a link, and of its attachment to blobs in another store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehoming {
    pub from: Place,
    pub to: Place,
    pub written: Name,
    pub collision: Collision,
    /// The key of the attachment's bytes in the other store: reserved, and stored.
    pub blob: BlobKey,
    /// The key of the bytes as they were sent, if they are kept.
    pub original: Option<BlobKey>,
    /// The access that the new slot fixes.
    pub fixed: Fixed,
    pub now: Timestamp,
}

impl Rehoming {
    pub(super) fn destination(&self) -> Destination<'_> {
        Destination { place: &self.to, written: &self.written, collision: self.collision }
    }

    /// Nothing is fixed for an attachment that an exchange brings back.
    pub(super) fn terms(&self) -> Terms {
        Terms { there: self.fixed, back: Fixed::default() }
    }

    /// Fails unless the attachment has no other link, and the new blobs have the bytes of the old ones.
    pub(super) fn check(&self, moved: &Attachment) -> Result<()> {
        if moved.links != 1 {
            return Err(Error::Shared);
        }
        let original = moved.original.as_ref().map(|original| original.blob);
        for (old, new) in [(Some(moved.blob), Some(self.blob)), (original, self.original)] {
            if old.map(|key| key.digest) != new.map(|key| key.digest) {
                return Err(Error::BlobGone(old.unwrap_or(moved.blob)));
            }
        }
        Ok(())
    }
}

/// A change to the metadata of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revision {
    /// Changes nothing, and fails with [`Error::Missing`] unless this attachment is linked there.
    Require { place: Place, id: AttachmentId },
    /// Removes the link, as [`Slots::unlink`] does.
    Detach(Place),
    /// Puts the named items of a collection first, in this order, and the others after them in theirs. Unknown names are ignored.
    Arrange { field: Name, order: Vec<Name> },
    /// Changes the name that the client sent with the file.
    Rename { place: Place, original_filename: String },
    /// Sets (`Some`) or removes (`None`) an attribute of the attachment.
    Annotate { place: Place, name: String, value: Option<Vec<u8>> },
    /// Changes the URL that the attachment came from.
    Trace { place: Place, source: Option<String> },
}
