//! The totals in SQL: counted again only after a change.

use super::columns::number;
use super::{Db, Result, SqlCatalog};
use crate::catalog::summary::{Summary, Totals};

impl Summary for SqlCatalog {
    fn totals(&self) -> Result<Totals> {
        // Read before the count: a commit during the count makes the next call count again.
        let commits = self.commits();
        let last = *self.totals.lock();
        if let Some((_, totals)) = last.filter(|(counted, _)| Some(*counted) == commits) {
            return Ok(totals);
        }
        let totals = self.engine.read(count)?;
        *self.totals.lock() = commits.map(|commits| (commits, totals));
        Ok(totals)
    }

    fn commits(&self) -> Option<u64> {
        self.engine.commits()
    }
}

/// Counts whole tables, which `SQLite` reads off their smallest index, page by page. A condition would make it look at each entry.
fn count(db: &Db) -> Result<Totals> {
    // Attachments without links are the retired ones: see the check of `attachments`.
    let sql = "SELECT (SELECT count(*) FROM rows), \
                      (SELECT count(*) FROM attachments) - count(b.id), \
                      (SELECT coalesce(sum(blobs), 0) FROM held), \
                      (SELECT count(*) FROM variants), \
                      (SELECT count(*) FROM scratch), \
                      (SELECT coalesce(sum(bytes), 0) FROM held), \
                      count(b.id), coalesce(sum(b.length), 0) \
               FROM attachments a JOIN blobs b ON b.id = a.blob WHERE a.retired IS NOT NULL";
    let totals = db.first(sql, &[], |row| {
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
    use crate::catalog::contract::{ACCESS, at, name, open};
    use crate::catalog::rows::Rows;
    use crate::catalog::sqlite::Sqlite;

    #[test]
    fn totals_are_counted_again_after_a_change_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalog.sqlite");
        let catalog = open(&path);
        let user = catalog.table(&name("user")).unwrap();
        let rows = || catalog.totals().unwrap().rows;
        assert_eq!(rows(), 0);
        catalog.totals.lock().as_mut().unwrap().1.rows = 77;
        assert_eq!(rows(), 77, "remembered");
        catalog.add_row(user, &name("1"), ACCESS, at(1)).unwrap();
        assert_eq!(rows(), 1);
        let reader = SqlCatalog::new(Sqlite::open_to_read(&path).unwrap());
        assert_eq!(reader.totals().unwrap().rows, 1);
        catalog.add_row(user, &name("2"), ACCESS, at(1)).unwrap();
        assert_eq!(reader.totals().unwrap().rows, 2, "a reader does not know of commits");
    }
}
