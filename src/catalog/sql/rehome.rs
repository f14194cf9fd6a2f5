//! The move of an attachment to blobs in another store.

use super::{Db, Error, Value, blobs, links, values};
use crate::catalog::slots::Rehoming;
use words::attachment::{Attachment, BlobKey};

pub(super) fn rehome(db: &Db, rehoming: &Rehoming) -> Result<Option<Attachment>, Error> {
    let Rehoming { from, blob, original, now, .. } = rehoming;
    let moved = links::find(db, from)?.ok_or(Error::Missing)?.attachment;
    if moved.links != 1 {
        return Err(Error::Shared);
    }
    let old_original = moved.original.as_ref().map(|original| original.blob);
    check_bytes(Some(moved.blob), Some(*blob), moved.blob)?;
    check_bytes(old_original, *original, moved.blob)?;
    let displaced = links::move_link(db, from, rehoming.destination(), rehoming.terms(), *now)?;
    let contents = moved.original.as_ref().map(|original| &original.content);
    for (key, content) in original.iter().zip(contents).chain([(blob, &moved.content)]) {
        blobs::require(db, *key)?;
        blobs::claim(db, *key, content, Some(*now))?;
    }
    let sql = "UPDATE attachments SET blob = ?, original = ? WHERE id = ?";
    let original = original.map(|key| key.generation);
    db.execute(sql, values![blob.generation, original, moved.id])?;
    for old in old_original.iter().chain([&moved.blob]) {
        blobs::release(db, old.generation)?;
    }
    Ok(displaced)
}

/// Fails with [`Error::BlobGone`] unless the new blob has the bytes of the old one, or neither exists.
fn check_bytes(old: Option<BlobKey>, new: Option<BlobKey>, of: BlobKey) -> Result<(), Error> {
    let same = old.map(|key| key.digest) == new.map(|key| key.digest);
    if same { Ok(()) } else { Err(Error::BlobGone(old.unwrap_or(of))) }
}
