//! Libraries of many rows, made in seconds; through the mount a million rows would
//! take hours. They have no blobs: only names are looked at, and no file is opened.
//!
//! The product itself makes the catalogue, the first row and its attachments. SQL then
//! copies that row, every column of it, with numbers and digests of its own for each copy.
//! The catalogue is as large, and its indexes are as deep, as if each file had been written.

use std::fmt::Write as _;
use std::path::Path;

use mediafs::catalog::Catalog;
use mediafs::catalog::slots::Publication;
use mediafs::catalog::sql::SqlCatalog;
use mediafs::catalog::sqlite::Sqlite;
use mediafs::library::home::Home;
use rusqlite::Connection;
use words::attachment::{Access, Content, StoreId, TableId, Times};
use words::digest::Digest;
use words::media_type::MediaType;
use words::place::Place;
use words::retired::Orphan;
use words::slot::Name;
use words::timestamp::Timestamp;

use crate::failure::{Outcome, While};

/// The length that the catalogue has for each file.
const LENGTH: u64 = 50_000;

/// Fills the library of `home` with rows 1 to `rows` of `item`, each with these fields.
pub fn fill(home: &Path, rows: u64, fields: &[&str]) -> Outcome<()> {
    let home = Home::open(&home.join("library"))?;
    let catalog: Box<dyn Catalog> = Box::new(SqlCatalog::new(Sqlite::open(&home.catalog())?));
    let table = catalog.table(&Name::parse("item")?)?;
    first(&*catalog, table, fields)?;
    drop(catalog);
    copy(&home.catalog(), rows, fields.len()).during("copy the first row")
}

/// Makes row 1. The catalogue is new, so all numbers begin at 1.
fn first(catalog: &dyn Catalog, table: TableId, fields: &[&str]) -> Outcome<()> {
    let now = Timestamp::now();
    let access = Access {
        uid: rustix::process::geteuid().as_raw(),
        gid: rustix::process::getegid().as_raw(),
        mode: 0o644,
    };
    let directory = Access { mode: 0o755, ..access };
    let row = catalog.add_row(table, &Name::parse("1")?, directory, now)?;
    for field in fields {
        let name = Name::parse(field)?;
        catalog.field(table, &name, Orphan::Delete)?;
        let blob = catalog.reserve(StoreId::default(), Digest::of(field.as_bytes()), now)?.key();
        catalog.publish(&Publication {
            place: Place::one(row.id, name.clone()),
            written: name,
            blob,
            content: Content {
                media_type: MediaType::OCTET_STREAM,
                length: LENGTH,
                dimensions: None,
            },
            access,
            times: Times::all(now),
            original_filename: (*field).to_owned(),
            source: None,
            original: None,
            attributes: Vec::new(),
            now,
        })?;
    }
    Ok(())
}

/// The tables that are copied, and the columns that differ in a copy. In them `i` is the
/// number of the copy, `f` the number of fields of a row, `t` the copied row of the table.
const TABLES: [(&str, &[(&str, &str)]); 4] = [
    ("rows", &[("id", "i"), ("name", "CAST(i AS TEXT)")]),
    (
        "blobs",
        &[("id", "(i-1)*f + t.id"), ("digest", "CAST(printf('%032d', (i-1)*f + t.id) AS BLOB)")],
    ),
    ("attachments", &[("id", "(i-1)*f + t.id"), ("blob", "(i-1)*f + t.blob")]),
    ("links", &[("row_id", "i"), ("attachment", "(i-1)*f + t.attachment")]),
];

fn copy(catalog: &Path, rows: u64, fields: usize) -> Outcome<()> {
    let mut db = Connection::open(catalog)?;
    // The file is new, and an interrupted run makes it again.
    db.pragma_update(None, "journal_mode", "OFF")?;
    db.pragma_update(None, "synchronous", "OFF")?;
    let transaction = db.transaction()?;
    for (table, differing) in TABLES {
        let statement = statement(&transaction, table, differing)?;
        transaction.execute(&statement, [i64::try_from(rows)?, i64::try_from(fields)?])?;
    }
    Ok(transaction.commit()?)
}

fn statement(db: &Connection, table: &str, differing: &[(&str, &str)]) -> Outcome<String> {
    let mut columns = db.prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))?;
    let columns = columns.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    let mut values = String::new();
    for column in &columns {
        let own = differing.iter().find(|(name, _)| name == column);
        match own {
            Some((_, value)) => write!(values, ", {value}")?,
            None => write!(values, ", t.{column}")?,
        }
    }
    let (columns, values) = (columns.join(", "), values.trim_start_matches(", "));
    Ok(format!(
        "WITH RECURSIVE copies (i, f) AS \
             (SELECT 2, ?2 WHERE ?1 > 1 UNION ALL SELECT i + 1, f FROM copies WHERE i < ?1), \
         templates AS MATERIALIZED (SELECT * FROM {table}) \
         INSERT INTO {table} ({columns}) SELECT {values} FROM copies CROSS JOIN templates t"
    ))
}
