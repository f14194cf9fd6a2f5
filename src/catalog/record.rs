//! What the catalogue keeps and answers: rows, links, publications, variants, scratch, what is detached.
//! Does not know how any of it is stored.

use std::time::Duration;

use crate::access::Fixed;
use crate::attachment::{
    Access, Attachment, AttachmentId, BlobKey, Content, Original, RowId, ScratchId, StoreId,
    TableId, Times, VariantId,
};
use crate::digest::Digest;
use crate::slot::{Name, Slot};
use crate::timestamp::Timestamp;
use crate::variant::Variant;

/// How long a reservation without a link is believed to be work in progress.
pub const RESERVATION_SPAN: Duration = Duration::from_secs(3600);

/// A row as the catalogue keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRecord {
    pub id: RowId,
    pub table: TableId,
    pub name: Name,
    pub access: Access,
    /// `modified` moves whenever a link or scratch of the row is added, renamed or removed.
    pub times: Times,
}

/// A field of a row, or an item of it, by the row's number: the catalogue's slot.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub row: RowId,
    pub field: Name,
    /// In a list the item's name, in a dict its key; none where the field holds one file.
    pub item: Option<Name>,
}

impl Place {
    /// The place of a field that holds one file.
    pub fn one(row: RowId, field: Name) -> Self {
        Self { row, field, item: None }
    }

    /// The bare name that it resolves under: the item's, or that of a field that holds one file.
    pub fn name(&self) -> &Name {
        self.item.as_ref().unwrap_or(&self.field)
    }

    /// The directory that lists it.
    pub fn folder(&self) -> Folder {
        let field = self.item.is_some().then(|| self.field.clone());
        Folder { row: self.row, field }
    }
}

/// A directory that takes files: a row, or a collection in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Folder {
    pub row: RowId,
    /// The collection; none: the row itself.
    pub field: Option<Name>,
}

impl Folder {
    pub fn row(row: RowId) -> Self {
        Self { row, field: None }
    }
}

/// What becomes of a blob when the last name of its last attachment goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphan {
    Delete,
    /// Kept for ever (`delete_orphan = false`).
    Keep,
}

/// A slot with what hangs from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub place: Place,
    /// The name that the field was written with: `avatar`, `avatar.JPG`.
    pub written: Name,
    pub attachment: Attachment,
    /// Its place among the items of a collection, which follow one another by it; 0 elsewhere.
    pub position: u64,
}

/// Whether the bytes that are about to be stored are known already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// A new key, now known to the catalogue as reserved: put the blob, then link it.
    New(BlobKey),
    /// These bytes are stored under this key: link it. May fail with [`Error::BlobGone`] if a sweep is quicker.
    Stored(BlobKey),
}

impl Reservation {
    pub fn key(self) -> BlobKey {
        match self {
            Self::New(key) | Self::Stored(key) => key,
        }
    }
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
    /// What was sent, if it is kept. Its blob must be reserved and put, too.
    pub original: Option<Original>,
    /// Foreign attributes (`user.note`) that were set before the commit: name without `user.`'s meaning changed, value.
    pub attributes: Vec<(String, Vec<u8>)>,
    pub now: Timestamp,
}

/// What a publication did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    pub attachment: Attachment,
    /// The attachment that lost this name, with `links` after the loss. `None` on a free slot, and where the same
    /// blob was published again: then the old attachment stays, with the new times and written name.
    pub displaced: Option<Attachment>,
}

/// How a name may be given to what may be taken already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collision {
    /// What was there loses the name.
    Replace,
    /// [`Error::Taken`] if anything is there (`RENAME_NOREPLACE`, `link`).
    Refuse,
    /// Both change places (`RENAME_EXCHANGE`); [`Error::Missing`] if nothing is there.
    Exchange,
}

/// An attachment's way to keys in another store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rehoming {
    pub from: Place,
    pub to: Place,
    pub written: Name,
    pub collision: Collision,
    /// Where its bytes are now, reserved and put.
    pub blob: BlobKey,
    /// Where what was sent is now, if it is kept.
    pub original: Option<BlobKey>,
    /// What it gets there.
    pub fixed: Fixed,
    pub now: Timestamp,
}

/// A blob store, as far as the catalogue knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreRecord {
    pub id: StoreId,
    /// None: the library's own.
    pub name: Option<Name>,
    pub blobs: u64,
    pub bytes: u64,
}

/// One change of a row's metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revision {
    /// Changes nothing: [`Error::Missing`](crate::catalog::Error::Missing) if another attachment, or none, hangs there.
    Require { place: Place, id: AttachmentId },
    /// Takes the name away, as [`Catalog::unlink`](crate::catalog::Catalog::unlink) does.
    Detach(Place),
    /// Puts the named items of a collection first, in this order; the others follow in the order that they had. Names that
    /// it does not hold are passed over.
    Arrange { field: Name, order: Vec<Name> },
    /// Gives the attachment another original name.
    Rename { place: Place, original_filename: String },
    /// Sets (`Some`) or removes (`None`) one of the attachment's attributes.
    Annotate { place: Place, name: String, value: Option<Vec<u8>> },
    /// Says where the attachment came from.
    Trace { place: Place, source: Option<String> },
}

/// A rendered variant. Belongs to the original's blob, not to one attachment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VariantRecord {
    pub id: VariantId,
    pub original: BlobKey,
    pub variant: Variant,
    /// Where its own bytes are.
    pub blob: BlobKey,
    pub content: Content,
    /// When the original's blob was first stored: the variant's mtime.
    pub committed: Timestamp,
}

/// A scratch file: an ordinary, unvalidated file in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScratchRecord {
    pub id: ScratchId,
    pub folder: Folder,
    pub name: Name,
    /// The file's name in the library's scratch directory.
    pub file: String,
    pub access: Access,
    pub created: Timestamp,
    pub arrival: Arrival,
}

/// How far a file of a drop box has come. Other scratch stays where it begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Whether it is to be looked at.
    pub waiting: bool,
    /// The row that was made for it, until it is taken: what a crash interrupted goes on there.
    pub becomes: Option<RowId>,
    /// The bytes that were dealt with last, attached or refused.
    pub taken: Option<Digest>,
}

/// An attachment that has lost its last name and was not swept yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    pub attachment: Attachment,
    /// The name that it lost last, by the names that table and row had then.
    pub slot: Slot,
    pub written: Name,
    pub at: Timestamp,
    pub orphan: Orphan,
}

/// The blobs that a sweep is to delete, already marked so that no reservation finds them again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doomed {
    pub blobs: Vec<BlobKey>,
    /// Attachments that were forgotten: those of the doomed blobs, and retired ones of blobs that live on.
    pub attachments: Vec<AttachmentId>,
}

/// What there is, for `status.json`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub rows: u64,
    /// Those that have a name.
    pub attachments: u64,
    pub blobs: u64,
    pub variants: u64,
    pub scratch: u64,
    /// Bytes of all blobs, variants included.
    pub bytes: u64,
    /// Attachments without a name, and the bytes of their blobs, each counted as often as it is attached.
    pub retired: u64,
    pub retired_bytes: u64,
}
