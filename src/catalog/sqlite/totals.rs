//! What there is in all, counted again only when something has changed.
//! Does not know who asks.

use rusqlite::Connection;

use super::columns::number;
use super::{Sqlite, lock, one};
use crate::catalog::{Catalog, Error, Totals};

/// The last count, and the commits that there were before it.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    commits: u64,
    totals: Totals,
}

impl Sqlite {
    pub(super) fn counted(&self) -> Result<Totals, Error> {
        // In this order: what is committed meanwhile is counted the next time.
        let commits = self.commits();
        let last = *lock(&self.counted);
        if let Some(last) = last.filter(|last| Some(last.commits) == commits) {
            return Ok(last.totals);
        }
        let totals = self.read(count)?;
        *lock(&self.counted) = commits.map(|commits| Counted { commits, totals });
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
    use crate::catalog::contract::{ACCESS, at, name};

    #[test]
    fn what_there_is_is_counted_again_when_it_has_changed_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.sqlite");
        let catalog = Sqlite::open(&path).unwrap();
        let user = catalog.table(&name("user")).unwrap();
        let rows = || catalog.totals().unwrap().rows;
        assert_eq!(rows(), 0);
        lock(&catalog.counted).as_mut().unwrap().totals.rows = 77;
        assert_eq!(rows(), 77, "it is known");
        catalog.add_row(user, &name("1"), ACCESS, at(1)).unwrap();
        assert_eq!(rows(), 1);
        let reader = Sqlite::open_to_read(&path).unwrap();
        assert_eq!(reader.totals().unwrap().rows, 1);
        catalog.add_row(user, &name("2"), ACCESS, at(1)).unwrap();
        assert_eq!(reader.totals().unwrap().rows, 2, "who only reads does not know of commits");
    }
}
