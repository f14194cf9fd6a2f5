//! What `chmod`, `chown` and `utimens` change, which rows and attachments keep in columns of the same names.
//! Does not know who may change it.

use rusqlite::{Connection, params};

use super::columns::int;
use super::run;
use crate::catalog::Error;
use words::attachment::{Access, Times};

/// Stores it in the row `id` of a table of the schema.
pub(super) fn set_access(
    db: &Connection,
    table: &'static str,
    id: u64,
    access: Access,
    times: Times,
) -> Result<(), Error> {
    let sql = format!(
        "UPDATE {table} SET uid = ?, gid = ?, mode = ?, accessed = ?, modified = ?, changed = ? \
         WHERE id = ?"
    );
    let params = params![
        access.uid,
        access.gid,
        access.mode,
        times.accessed.0,
        times.modified.0,
        times.changed.0,
        int(id)
    ];
    run(db, &sql, params).map(drop)
}
