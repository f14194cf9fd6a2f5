//! The totals in SQL. The schema's triggers keep them.

use super::columns::number;
use super::{Result, SqlCatalog};
use crate::catalog::summary::{Summary, Totals};

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

    fn commits(&self) -> Option<u64> {
        self.engine.commits()
    }
}
