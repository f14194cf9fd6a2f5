//! The move of an attachment to blobs in another store.

use super::{Db, Error, blobs, links, values};
use crate::catalog::slots::Rehoming;
use words::attachment::Attachment;

pub(super) fn rehome(db: &Db, rehoming: &Rehoming) -> Result<Option<Attachment>, Error> {
    let Rehoming { from, blob, original, now, .. } = rehoming;
    let moved = links::find(db, from)?.ok_or(Error::Missing)?.attachment;
    rehoming.check(&moved)?;
    let old_original = moved.original.as_ref().map(|original| original.blob);
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
