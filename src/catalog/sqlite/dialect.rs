//! The dialect: the few statements that each SQL engine writes differently.

use super::db::{Db, values};
use crate::catalog::error::{Error, Result};
use words::attachment::TableId;

impl Db {
    /// Takes this many numbers for blobs, which are never given out again. Returns the first.
    pub fn take_blob_numbers(&self, count: u64) -> Result<u64> {
        let sql = "INSERT INTO sqlite_sequence (name, seq) SELECT 'blobs', 0 \
                   WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'blobs')";
        self.execute(sql, &[])?;
        let sql = "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'blobs' RETURNING seq";
        let last = self.first(sql, values![count], |row| row.int(0))?;
        let last = last.and_then(|last| u64::try_from(last).ok());
        let last = last.ok_or_else(|| Error::Corrupt("no numbers are left for blobs".into()))?;
        Ok(last.saturating_sub(count - 1))
    }

    /// Makes sure that no number for a blob up to this one is given out again.
    pub fn skip_blob_numbers(&self, last: u64) -> Result<()> {
        self.take_blob_numbers(1)?;
        let sql = "UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'blobs'";
        self.execute(sql, values![last]).map(drop)
    }

    /// The largest whole number between `prefix` and `suffix` in the name of a row of the table.
    pub fn largest_number(
        &self,
        table: TableId,
        prefix: &str,
        suffix: &str,
    ) -> Result<Option<i64>> {
        // The names with the prefix lie side by side in the index of names.
        let sql = "SELECT coalesce(max(CAST(digits AS INTEGER)), 0) FROM ( \
                       SELECT substr(name, length(?2) + 1, length(name) - length(?2) - length(?3)) \
                       AS digits FROM rows \
                       WHERE tab = ?1 AND name >= ?2 AND name < ?2 || char(0x10ffff) \
                       AND substr(name, length(name) - length(?3) + 1) = ?3 \
                   ) WHERE length(digits) BETWEEN 1 AND 19 AND digits NOT GLOB '*[^0-9]*'";
        self.first(sql, values![table.0, prefix, suffix], |row| row.int(0))
    }
}
