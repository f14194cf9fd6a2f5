//! A declared drop box: a directory whose files become rows.
//!
//! To the catalogue a box is a row of an internal table without fields, so that every name in it is scratch.

use crate::catalog::Catalog;
use crate::library::error::Error;
use crate::library::lookup::table::Table;
use words::access::{DIR_MODE, Policy};
use words::attachment::{Access, RowId};
use words::schema::{self, IdRule};
use words::slot::Name;
use words::timestamp::Timestamp;

/// The name of the internal table. No configured table has a `$` in its name.
const TABLE: &str = "$drop";

/// A drop box of the configuration, with its row in the internal table.
#[derive(Debug)]
pub struct DropBox {
    pub row: RowId,
    pub rule: schema::DropBox,
}

/// Declares the internal table, and a row of it for each box. A box that is new gets its row now.
pub(super) fn declare(
    catalog: &dyn Catalog,
    boxes: Vec<schema::DropBox>,
) -> Result<(Table, Vec<DropBox>), Error> {
    let name = Name::parse(TABLE).expect("`$drop` is a name");
    let table = catalog.table(&name)?;
    let (fields, numbers) = (Vec::new(), Vec::new());
    let (rule, open) = (IdRule::Name, Policy::default());
    let internal = Table { id: table, name, rule, access: open, fields, numbers };
    let access = Access { uid: 0, gid: 0, mode: DIR_MODE };
    let declare = |rule: schema::DropBox| {
        let row = match catalog.row(table, &rule.name)? {
            Some(row) => row,
            None => catalog.add_row(table, &rule.name, access, Timestamp::now())?,
        };
        Ok(DropBox { row: row.id, rule })
    };
    Ok((internal, boxes.into_iter().map(declare).collect::<Result<_, Error>>()?))
}
