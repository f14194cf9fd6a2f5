//! The totals in SQL. The schema's triggers keep them.

use super::columns::{name, number};
use super::{Result, Row, SqlCatalog};
use crate::catalog::summary::{Census, Occupied, Summary, Totals};

impl Summary for SqlCatalog {
    fn totals(&self) -> Result<Totals> {
        let sql = "SELECT r.files, a.files - n.files, \
                          (SELECT coalesce(sum(blobs), 0) FROM held), v.files, s.files, \
                          (SELECT coalesce(sum(bytes), 0) FROM held), n.files, n.bytes \
                   FROM usage r, usage a, usage n, usage v, usage s \
                   WHERE r.kind = 2 AND r.id = 1 AND a.kind = 2 AND a.id = 2 AND n.kind = 2 AND n.id = 3 \
                     AND v.kind = 2 AND v.id = 4 AND s.kind = 2 AND s.id = 5";
        let totals = self.engine.read(|db| {
            db.first(sql, &[], |row| {
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
            })
        })?;
        Ok(totals.unwrap_or_default())
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

/// Counts the attachments that have their original, by the index of these.
const ORIGINALS: &str = "\
    SELECT t.name, l.field, l.item <> '', count(*) \
    FROM attachments a JOIN links l ON l.attachment = a.id \
    JOIN rows r ON r.id = l.row_id JOIN tables t ON t.id = r.tab \
    WHERE a.original IS NOT NULL GROUP BY t.name, l.field, l.item <> ''";

fn occupied(row: &Row) -> Result<Occupied> {
    let (table, field) = (name(row, 0)?, name(row, 1)?);
    Ok(Occupied { table, field, in_items: row.int(2)? != 0, files: number(row, 3)?, originals: 0 })
}
