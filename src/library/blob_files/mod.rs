//! The blobs of the library: opened whole, and put under keys that the catalogue reserves.

pub mod store_names;

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::blob::{self, BlobStore};
use crate::catalog::Catalog;
use crate::catalog::blobs::Reservation;
use crate::library::counts::Counts;
use crate::library::error::{Error, Result};
use crate::library::lookup::Lookup;
use words::attachment::{Attachment, BlobKey, StoreId};
use words::digest::Digest;
use words::rendition::VariantRecord;
use words::space::Space;
use words::timestamp::Timestamp;

/// How often bytes are put and linked again after a sweep has deleted the blob that they were to share.
pub(super) const MAX_TRIES: usize = 8;

/// The most damaged files that are remembered. Further ones are not logged.
const MAX_DAMAGED: usize = 4_096;

/// Opens stored bytes, and stores new ones.
pub struct Blobs {
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) stores: Arc<dyn BlobStore>,
    pub(super) lookup: Arc<Lookup>,
    pub(super) counts: Arc<Counts>,
    /// Guards the keys of damaged files that were found since the start: missing ones, and those of another length than in the
    /// catalogue. Held only to add a key or to count them. Changed bytes of the same length are not noticed.
    pub(super) damaged: Mutex<BTreeSet<BlobKey>>,
    /// Guards the repair of damaged files. Held across its I/O on purpose: of two writers that send the same bytes, the second
    /// would delete what the first has put and acknowledged.
    pub(super) mending: Mutex<()>,
}

impl Blobs {
    /// The stored bytes of an attachment. Makes no query. Errors: [`Error::Damaged`], which the log tells of once.
    pub fn open(&self, attachment: &Attachment) -> Result<Arc<File>> {
        let key = attachment.blob;
        let error = match self.open_whole(key, attachment.content.length) {
            Err(Error::Blob(blob::Error::Missing(_))) if self.is_needed(attachment)? => {
                Error::Damaged { key, fact: "is missing".into() }
            }
            Err(error @ Error::Damaged { .. }) => error,
            other => return other,
        };
        let note = |damaged: &mut BTreeSet<_>| damaged.len() < MAX_DAMAGED && damaged.insert(key);
        if note(&mut self.damaged.lock()) {
            let slot = self.a_slot_of(attachment);
            tracing::error!(slot, %error, "a stored file is damaged; put it back from a backup, or send it anew");
        }
        Err(error)
    }

    /// Like [`Blobs::open`], but none if a sweep has deleted the bytes since the attachment was looked up.
    pub fn open_unless_swept(&self, attachment: &Attachment) -> Result<Option<Arc<File>>> {
        match self.open(attachment) {
            Err(Error::Blob(blob::Error::Missing(_))) => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// The bytes of a rendered variant. Makes no query.
    pub fn open_rendered(&self, variant: &VariantRecord) -> Result<Arc<File>> {
        self.open_whole(variant.blob, variant.content.length)
    }

    /// Opens a blob again. After the disk has failed, the descriptor that is open may lack bytes that the store has in its log.
    pub fn reopen(&self, key: BlobKey, open: &Arc<File>) -> Result<Arc<File>> {
        match self.stores.open(key) {
            // A sweep has deleted the blob since it was opened.
            Err(blob::Error::Missing(_)) => Ok(Arc::clone(open)),
            opened => Ok(opened?),
        }
    }

    /// A blob with this length. Errors: [`Error::Damaged`] if it has another.
    pub(super) fn open_whole(&self, key: BlobKey, length: u64) -> Result<Arc<File>> {
        let file = self.stores.open(key)?;
        match file.metadata().map_err(Error::io("stat a blob"))?.len() {
            found if found == length => Ok(file),
            found => {
                let fact = format!("has {found} bytes where the catalogue knows of {length}");
                Err(Error::Damaged { key, fact })
            }
        }
    }

    /// Stores bytes, or finds them stored already. A new key is pending until it is linked and [confirmed](Blobs::confirm).
    pub(super) fn put(
        &self,
        store: StoreId,
        digest: Digest,
        bytes: &File,
        now: Timestamp,
    ) -> Result<Reservation> {
        let length = bytes.metadata().map_err(Error::io("stat what is to be stored"))?.len();
        let reservation = match self.catalog.reserve(store, digest, now)? {
            Reservation::Stored(key) => self.share(key, length, bytes)?,
            new @ Reservation::New(key) => {
                self.stores.put(key, bytes)?;
                new
            }
        };
        let count = match reservation {
            Reservation::New(_) => &self.counts.stored_bytes,
            Reservation::Stored(_) => &self.counts.shared_bytes,
        };
        count.add(length);
        Ok(reservation)
    }

    /// Shares a stored blob, whose file must be there and whole. A damaged one is put anew under its key, which repairs every
    /// attachment that shares it.
    fn share(&self, key: BlobKey, length: u64, bytes: &File) -> Result<Reservation> {
        if self.has_whole(key, length)? {
            return Ok(Reservation::Stored(key));
        }
        let _alone = self.mending.lock();
        if self.has_whole(key, length)? {
            return Ok(Reservation::Stored(key));
        }
        self.stores.delete(key)?;
        self.stores.put(key, bytes)?;
        Ok(Reservation::New(key))
    }

    /// Tells the store that the catalogue has linked a blob: it is no longer pending.
    pub(super) fn confirm(&self, stored: Reservation) {
        if let Reservation::New(key) = stored {
            self.stores.confirm(key);
        }
    }

    fn has_whole(&self, key: BlobKey, length: u64) -> Result<bool> {
        match self.open_whole(key, length) {
            Ok(_) => Ok(true),
            Err(Error::Damaged { .. } | Error::Blob(blob::Error::Missing(_))) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How many damaged files were found since the start.
    pub fn damaged(&self) -> usize {
        self.damaged.lock().len()
    }

    /// The space of the library's own store.
    pub fn space(&self) -> Result<Space> {
        Ok(self.stores.space(StoreId::default())?)
    }

    /// Whether the attachment still exists and has this blob. If not, a sweep has deleted the bytes since.
    fn is_needed(&self, attachment: &Attachment) -> Result<bool> {
        let same = |blob| blob == attachment.blob;
        let found = self.lookup.attachment(attachment.id)?;
        Ok(found.is_some_and(|it| same(it.blob) || it.original.is_some_and(|sent| same(sent.blob))))
    }

    /// The path of one of an attachment's names, for people.
    fn a_slot_of(&self, attachment: &Attachment) -> String {
        let places = self.lookup.places(attachment.id).ok();
        let place = places.and_then(|places| places.into_iter().next());
        let slot = place.and_then(|place| self.lookup.slot_of(&place).ok()?);
        slot.map_or_else(|| "none".to_owned(), |slot| slot.to_string())
    }
}

/// A file that stands for the bytes of a damaged one: every read of it fails.
pub fn unreadable() -> io::Result<File> {
    File::options().write(true).open("/dev/null")
}
