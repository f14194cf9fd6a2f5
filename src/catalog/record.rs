//! What the catalogue keeps and answers: rows, links, publications, variants, scratch, what is detached.
//! Does not know how any of it is stored.

use std::time::Duration;

use words::access::Fixed;
use words::attachment::{
    Access, Attachment, AttachmentId, BlobKey, Content, Original, StoreId, Times,
};
use words::link::Collision;
use words::place::Place;
use words::slot::Name;
use words::timestamp::Timestamp;

/// How long a reservation without a link is believed to be work in progress.
pub const RESERVATION_SPAN: Duration = Duration::from_secs(3600);

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
