//! Blobs and the stores that they lie in: keys are reserved, blobs are stored, marked for deletion (doomed), and forgotten.

use std::time::Duration;

use words::attachment::{AttachmentId, BlobKey, StoreId};
use words::digest::Digest;
use words::slot::Name;
use words::timestamp::Timestamp;

use super::error::Result;

/// How long a reservation without a link counts as work in progress.
pub const RESERVATION_SPAN: Duration = Duration::from_secs(3600);

pub trait Blobs {
    /// The number of a blob store, from 1 on; 0 is the library's own. The first mention of a name adds the store. Idempotent.
    fn store(&self, name: &Name) -> Result<StoreId>;

    /// Every store that was ever mentioned, by number, with what it holds. The library's own comes first.
    fn stores(&self) -> Result<Vec<StoreRecord>>;

    /// Finds or makes a key for bytes with this digest in a store. A key that is reserved and not linked yet is given to one
    /// caller alone, since its blob may never be stored: a second caller gets another key. A crash forgets a reservation, and
    /// its number is never given out again.
    fn reserve(&self, store: StoreId, digest: Digest, now: Timestamp) -> Result<Reservation>;

    /// Returns the blobs among `keys` that count as stored and are not doomed.
    fn stored(&self, keys: &[BlobKey]) -> Result<Vec<BlobKey>>;

    /// The number of bytes of each of these blobs; 0 for a blob that does not count as stored.
    fn lengths(&self, keys: &[BlobKey]) -> Result<Vec<u64>>;

    /// Makes one step of a sweep, which costs as much as `limit` is large, however large the catalogue is.
    ///
    /// - Forgets up to `limit` attachments that were retired at or before `retired`, the oldest first, unless their last field keeps
    ///   orphans.
    /// - Dooms up to `limit` blobs: those whose last attachment was forgotten, and those that were reserved at or before `reserved`
    ///   and are used by nothing. A blob is used by attachments, by attachments whose original it is, and by originals whose
    ///   variant it is.
    /// - Removes the variants of a blob that has lost its last attachment. Their blobs are doomed too if nothing else uses them;
    ///   these may exceed the limit.
    ///
    /// No reservation finds a doomed blob.
    fn doom(&self, retired: Timestamp, reserved: Timestamp, limit: usize) -> Result<Doomed>;

    /// Up to `limit` blobs that are doomed and not forgotten yet, by generation from above `after`.
    fn doomed(&self, after: u64, limit: usize) -> Result<Vec<BlobKey>>;

    /// Counts what steps of a sweep would forget and doom until nothing is left to do, and what is doomed already. Counts up to a
    /// million blobs, changes nothing, and holds no writer up.
    fn due(&self, retired: Timestamp, reserved: Timestamp) -> Result<Due>;

    /// Removes the records of doomed blobs, after their bytes were deleted. Idempotent; blobs that are not doomed stay.
    fn forget(&self, keys: &[BlobKey]) -> Result<()>;
}

/// Whether the bytes to be stored are stored already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// A new key, reserved: store the blob, then link it.
    New(BlobKey),
    /// The bytes are stored under this key: link it. That fails with `Error::BlobGone` if a sweep deletes it first.
    Stored(BlobKey),
}

impl Reservation {
    pub fn key(self) -> BlobKey {
        match self {
            Self::New(key) | Self::Stored(key) => key,
        }
    }
}

/// A blob store as the catalogue knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreRecord {
    pub id: StoreId,
    /// None for the library's own.
    pub name: Option<Name>,
    pub blobs: u64,
    pub bytes: u64,
}

/// The figures of a whole sweep before it is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Due {
    pub attachments: usize,
    pub blobs: usize,
    /// The bytes of these blobs.
    pub bytes: u64,
}

/// The outcome of one step of a sweep.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doomed {
    /// Blobs to delete.
    pub blobs: Vec<BlobKey>,
    /// Attachments that were forgotten, also those whose blobs are still used.
    pub attachments: Vec<AttachmentId>,
}
