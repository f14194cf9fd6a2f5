//! Changes that link blobs: their reservations are written to the database in the same transaction.

use super::columns::content_values;
use super::reservations::Reserved;
use super::{Db, Result, SqlCatalog, values};
use words::attachment::{BlobKey, Content};
use words::timestamp::Timestamp;

/// A blob that a change links.
pub(super) struct Linked<'c> {
    pub key: BlobKey,
    /// The content of the blob, and when it was stored. None if the change may turn out not to need the blob.
    pub stored: Option<(&'c Content, Timestamp)>,
}

impl Linked<'_> {
    pub fn perhaps(key: BlobKey) -> Self {
        Self { key, stored: None }
    }
}

impl SqlCatalog {
    /// Makes a change that links blobs.
    pub(super) fn write_linking<T>(
        &self,
        blobs: &[Linked],
        change: impl Fn(&Db) -> Result<T>,
    ) -> Result<T> {
        let new = self.reservations.of(blobs.iter().map(|blob| blob.key));
        let answer = self.engine.write(|db| {
            for reserved in &new {
                let linked =
                    blobs.iter().find_map(|it| it.stored.filter(|_| it.key == reserved.key));
                match linked {
                    Some((content, at)) => note_stored(db, *reserved, content, at)?,
                    None => note(db, std::slice::from_ref(reserved))?,
                }
            }
            change(db)
        })?;
        self.reservations.remove(&new);
        Ok(answer)
    }
}

/// Writes reservations to the database. A blob that it has already stays as it is.
pub(super) fn note(db: &Db, reserved: &[Reserved]) -> Result<()> {
    let sql = "INSERT INTO blobs (id, digest, store, reserved) VALUES (?, ?, ?, ?) \
               ON CONFLICT DO NOTHING";
    for Reserved { key, at } in reserved {
        db.execute(sql, values![key.generation, &key.digest, key.store, *at])?;
    }
    Ok(())
}

/// Writes a reservation whose blob the same transaction links: the blob is stored and in use at once.
fn note_stored(db: &Db, reserved: Reserved, content: &Content, stored: Timestamp) -> Result<()> {
    let sql = "INSERT INTO blobs \
               (id, digest, store, reserved, idle, stored, media_type, length, width, height) \
               VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING";
    let Reserved { key: BlobKey { store, digest, generation }, at } = reserved;
    let [media_type, length, width, height] = content_values(content);
    let values = values![generation, &digest, store, at, stored, media_type, length, width, height];
    db.execute(sql, values).map(drop)
}
