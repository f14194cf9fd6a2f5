//! The move of an attachment to blobs in another store.

use super::State;
use crate::catalog::Error;
use crate::catalog::slots::Rehoming;
use words::attachment::{Attachment, Original};

impl State {
    pub(super) fn rehome(&mut self, rehoming: &Rehoming) -> Result<Option<Attachment>, Error> {
        let Rehoming { from, blob, original, now, .. } = rehoming;
        let moved = self.find(from).ok_or(Error::Missing)?.attachment;
        rehoming.check(&moved)?;
        let old_original = moved.original.as_ref().map(|original| original.blob);
        let mut after = self.clone();
        let displaced = after.move_link(from, rehoming.destination(), rehoming.terms(), *now)?;
        let contents = moved.original.as_ref().map(|original| &original.content);
        for (key, content) in original.iter().zip(contents).chain([(blob, &moved.content)]) {
            after.require_blob(*key)?;
            after.claim(*key, content, Some(*now));
        }
        after.set_blobs(rehoming, &moved);
        for old in old_original.iter().chain([&moved.blob]) {
            after.release(*old);
        }
        *self = after;
        Ok(displaced)
    }

    fn set_blobs(&mut self, rehoming: &Rehoming, moved: &Attachment) {
        let content = self.stored_content(rehoming.blob, &moved.content);
        let original = moved.original.clone().zip(rehoming.original).map(|(old, blob)| {
            let content = self.stored_content(blob, &old.content);
            Box::new(Original { blob, content })
        });
        if let Some(entry) = self.attachments.get_mut(&moved.id) {
            entry.attachment.blob = rehoming.blob;
            entry.attachment.content = content;
            entry.attachment.original = original;
        }
    }
}
