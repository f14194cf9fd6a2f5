//! Damage: stored files that are missing, or have not the length that the catalogue knows, each told of once.
//! Does not look at bytes: one that was changed keeps its length.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::blob;
use crate::library::Library;
use crate::library::error::Error;
use words::attachment::{Attachment, BlobKey};

/// Files that are told of at most.
const MOST: usize = 4_096;

/// The damaged files that somebody came across since the start.
#[derive(Debug, Default)]
pub(crate) struct Damage {
    /// Guards their keys; held only to look one up, to add one or to count them.
    known: Mutex<BTreeSet<BlobKey>>,
}

impl Damage {
    /// Whether it is told of for the first time.
    fn note(&self, key: BlobKey) -> bool {
        let mut known = self.known();
        known.len() < MOST && known.insert(key)
    }

    fn known(&self) -> MutexGuard<'_, BTreeSet<BlobKey>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What stands for the bytes of a damaged file: whatever reads it fails.
pub fn unreadable() -> io::Result<File> {
    File::options().write(true).open("/dev/null")
}

impl Library {
    /// The stored bytes of an attachment. Asks the store only. Errors: [`Error::Damaged`].
    pub fn open_bytes(&self, attachment: &Attachment) -> Result<Arc<File>, Error> {
        let key = attachment.blob;
        let error = match self.open_whole(key, attachment.content.length) {
            Err(Error::Blob(blob::Error::Missing(_))) if self.is_needed(attachment)? => {
                Error::Damaged { key, fact: "is missing".into() }
            }
            Err(error @ Error::Damaged { .. }) => error,
            other => return other,
        };
        if self.damage.note(key) {
            let slot = self.a_slot_of(attachment);
            tracing::error!(slot, %error, "a stored file is damaged; put it back from a backup, or send it anew");
        }
        Err(error)
    }

    /// Whether the catalogue still leads to the bytes: else a sweep was quicker than who opens them.
    fn is_needed(&self, attachment: &Attachment) -> Result<bool, Error> {
        let same = |blob| blob == attachment.blob;
        let found = self.lookup.attachment(attachment.id)?;
        Ok(found.is_some_and(|it| same(it.blob) || it.original.is_some_and(|sent| same(sent.blob))))
    }

    /// A blob that has this length. Errors: [`Error::Damaged`].
    pub(crate) fn open_whole(&self, key: BlobKey, length: u64) -> Result<Arc<File>, Error> {
        let file = self.blobs.open(key)?;
        match file.metadata().map_err(Error::io("stat a blob"))?.len() {
            found if found == length => Ok(file),
            found => {
                let fact = format!("has {found} bytes where the catalogue knows of {length}");
                Err(Error::Damaged { key, fact })
            }
        }
    }

    /// Whether a blob that is to be shared is there with this length. One that is not is put anew, under the same key: it is
    /// of the same bytes.
    pub(crate) fn has_whole(&self, key: BlobKey, length: u64) -> Result<bool, Error> {
        match self.open_whole(key, length) {
            Ok(_) => Ok(true),
            Err(Error::Damaged { .. } | Error::Blob(blob::Error::Missing(_))) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How many damaged files somebody came across since the start.
    pub fn damaged(&self) -> usize {
        self.damage.known().len()
    }

    /// A path that leads to the attachment, for people.
    fn a_slot_of(&self, attachment: &Attachment) -> String {
        let place =
            self.lookup.places(attachment.id).ok().and_then(|places| places.into_iter().next());
        let slot = place.and_then(|place| {
            let row = self.lookup.row_by_id(place.row).ok()??;
            self.lookup.slot(&row, &place)
        });
        slot.map_or_else(|| "none".to_owned(), |slot| slot.to_string())
    }
}
