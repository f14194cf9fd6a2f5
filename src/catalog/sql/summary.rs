//! The totals in SQL: counted again only after a change.

use super::columns::{name, number};
use super::{Db, Result, Row, SqlCatalog};
use crate::catalog::summary::{Census, Occupied, Summary, Totals};

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

    fn census(&self) -> Result<Census> {
        let rows = "SELECT t.name, count(*) FROM rows r JOIN tables t ON t.id = r.tab \
                    GROUP BY t.name ORDER BY t.name";
        self.engine.read(|db| {
            let rows = db.all(rows, &[], |row| Ok((name(row, 0)?, number(row, 1)?)))?;
            let mut places = db.all(FILES, &[], occupied)?;
            for kept in db.all(ORIGINALS, &[], occupied)? {
                let same = |it: &&mut Occupied| {
                    (&it.table, &it.field, it.in_items) == (&kept.table, &kept.field, kept.in_items)
                };
                places.iter_mut().filter(same).for_each(|it| it.originals = kept.files);
            }
            Ok(Census { rows, places })
        })
    }

    fn commits(&self) -> Option<u64> {
        self.engine.commits()
    }
}

/// The files by table, field and shape.
const FILES: &str = "\
    SELECT t.name, l.field, l.item <> '', count(*) \
    FROM links l JOIN rows r ON r.id = l.row_id JOIN tables t ON t.id = r.tab \
    GROUP BY t.name, l.field, l.item <> '' ORDER BY 1, 2, 3";

/// Those that have their original, which an index lists.
const ORIGINALS: &str = "\
    SELECT t.name, l.field, l.item <> '', count(*) \
    FROM attachments a JOIN links l ON l.attachment = a.id \
    JOIN rows r ON r.id = l.row_id JOIN tables t ON t.id = r.tab \
    WHERE a.original IS NOT NULL GROUP BY t.name, l.field, l.item <> ''";

fn occupied(row: &Row) -> Result<Occupied> {
    let (table, field) = (name(row, 0)?, name(row, 1)?);
    Ok(Occupied { table, field, in_items: row.int(2)? != 0, files: number(row, 3)?, originals: 0 })
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
