//! What there is in all, counted again only when something has changed.
//! Does not know who asks.

use rusqlite::Connection;

use super::columns::number;
use super::{Sqlite, Watch, lock, one};
use crate::catalog::{Error, Totals};

/// The last count, and whether anything has changed since it was begun.
pub(super) struct Counted {
    watch: Watch,
    totals: Totals,
}

impl Sqlite {
    /// Who asks while another counts does not wait for it, and counts too.
    pub(super) fn counted(&self) -> Result<Totals, Error> {
        let last = lock(&self.counted).take();
        let (mut watch, known) = match last {
            Some(last) => (last.watch, Some(last.totals)),
            None => (Watch::open(&self.path)?, None),
        };
        // In this order: what changes meanwhile is counted the next time.
        let has_changed = watch.look()?;
        let totals = match known {
            Some(known) if !has_changed => known,
            _ => self.read(count)?,
        };
        *lock(&self.counted) = Some(Counted { watch, totals });
        Ok(totals)
    }
}

/// A count of a whole table is read off its smallest index, page by page; a condition would make it look at each entry.
fn count(db: &Connection) -> Result<Totals, Error> {
    // What has no name is retired, and nothing else is: see the check of `attachments`.
    let sql = "SELECT (SELECT count(*) FROM rows), \
                      (SELECT count(*) FROM attachments) - count(b.id), \
                      (SELECT coalesce(sum(blobs), 0) FROM held), \
                      (SELECT count(*) FROM variants), \
                      (SELECT count(*) FROM scratch), \
                      (SELECT coalesce(sum(bytes), 0) FROM held), \
                      count(b.id), coalesce(sum(b.length), 0) \
               FROM attachments a JOIN blobs b ON b.id = a.blob WHERE a.retired IS NOT NULL";
    let totals = one(db, sql, [], |row| {
        Ok(Totals {
            rows: number(row, 0)?,
            attachments: number(row, 1)?,
            blobs: number(row, 2)?,
            variants: number(row, 3)?,
            scratch: number(row, 4)?,
            bytes: number(row, 5)?,
            retired: number(row, 6)?,
            retired_bytes: number(row, 7)?,
        })
    })?;
    Ok(totals.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::catalog::contract::{ACCESS, at, name};

    #[test]
    fn what_there_is_is_counted_again_when_it_has_changed_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.sqlite");
        let catalog = Sqlite::open(&path).unwrap();
        let other = Sqlite::open(&path).unwrap();
        let user = catalog.table(&name("user")).unwrap();
        let rows = || catalog.totals().unwrap().rows;
        for (id, writer) in [("1", &catalog), ("2", &other)] {
            let before = rows();
            lock(&catalog.counted).as_mut().unwrap().totals.rows = 77;
            assert_eq!(rows(), 77, "it is known");
            writer.add_row(user, &name(id), ACCESS, at(1)).unwrap();
            assert_eq!(rows(), before + 1);
        }
    }
}
