//! Stores in memory: their names, what they hold, and an attachment's way from one to another.
//! Does not know where any of them keeps its bytes.

use super::{State, next};
use crate::catalog::{Error, Rehoming, StoreRecord};
use words::access::{Fixed, Terms};
use words::attachment::{Attachment, BlobKey, StoreId};
use words::slot::Name;

impl State {
    pub(super) fn store(&mut self, name: &Name) -> StoreId {
        let last = &mut self.last.store;
        *self.stores.entry(name.clone()).or_insert_with(|| StoreId(next(last)))
    }

    pub(super) fn stores(&self) -> Vec<StoreRecord> {
        let named = self.stores.iter().map(|(name, id)| (*id, Some(name.clone())));
        let mut all: Vec<_> = named.chain([(StoreId::default(), None)]).collect();
        all.sort();
        all.into_iter().map(|(id, name)| self.store_record(id, name)).collect()
    }

    fn store_record(&self, id: StoreId, name: Option<Name>) -> StoreRecord {
        let live = self.blobs.values().filter(|blob| blob.store == id && !blob.doomed);
        let contents = || live.clone().filter_map(|blob| blob.stored.as_ref());
        let blobs = u64::try_from(contents().count()).unwrap_or(u64::MAX);
        let bytes = contents().map(|(_, content)| content.length).sum();
        StoreRecord { id, name, blobs, bytes }
    }

    pub(super) fn rehome(&mut self, rehoming: &Rehoming) -> Result<Option<Attachment>, Error> {
        let Rehoming { from, to, written, collision, blob, original, fixed, now } = rehoming;
        let moved = self.find(from).ok_or(Error::Missing)?.attachment;
        if moved.links != 1 {
            return Err(Error::Shared);
        }
        let sent = moved.original.as_ref().map(|sent| sent.blob);
        same_bytes(Some(moved.blob), Some(*blob), moved.blob)?;
        same_bytes(sent, *original, moved.blob)?;
        // Checked on a copy, so that what fails has changed nothing.
        let mut after = self.clone();
        let terms = Terms { there: *fixed, back: Fixed::default() };
        let displaced = after.move_link(from, to, written, (*collision, terms), *now)?;
        let contents = moved.original.as_ref().map(|sent| &sent.content);
        for (key, content) in original.iter().zip(contents).chain([(blob, &moved.content)]) {
            after.require_blob(*key)?;
            after.claim(*key, content, Some(*now));
        }
        after.settle_in(rehoming, &moved);
        for old in sent.iter().chain([&moved.blob]) {
            after.release(*old);
        }
        *self = after;
        Ok(displaced)
    }

    fn settle_in(&mut self, rehoming: &Rehoming, moved: &Attachment) {
        let content = self.stored_content(rehoming.blob, &moved.content);
        let original = moved.original.clone().zip(rehoming.original).map(|(sent, blob)| {
            let content = self.stored_content(blob, &sent.content);
            Box::new(words::attachment::Original { blob, content })
        });
        if let Some(kept) = self.attachments.get_mut(&moved.id) {
            kept.attachment.blob = rehoming.blob;
            kept.attachment.content = content;
            kept.attachment.original = original;
        }
    }
}

fn same_bytes(old: Option<BlobKey>, new: Option<BlobKey>, of: BlobKey) -> Result<(), Error> {
    let same = old.map(|key| key.digest) == new.map(|key| key.digest);
    if same { Ok(()) } else { Err(Error::BlobGone(old.unwrap_or(of))) }
}
