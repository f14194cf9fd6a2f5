//! Declared tables and drop boxes: the configuration's rules beside the catalogue's numbers. To the catalogue a box is a row of an
//! internal table without fields, so that every name in it is scratch.

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::library::error::Result;
use words::access::{DIR_MODE, Fixed, Policy};
use words::attachment::{Access, FieldId, RowId, TableId};
use words::retired::Orphan;
use words::schema::{self, Collection, Field, IdRule};
use words::slot::Name;
use words::timestamp::Timestamp;

/// The name of the internal table. No configured table has a `$` in its name.
const BOXES: &str = "$drop";

/// A table of the configuration, with the catalogue's numbers.
#[derive(Debug)]
pub struct Table {
    pub id: TableId,
    pub name: Name,
    pub rule: IdRule,
    /// The owner, group and modes that the table fixes.
    pub access: Policy,
    pub fields: Vec<Arc<Field>>,
    /// The catalogue's number of each field, in the order of `fields`.
    pub numbers: Vec<FieldId>,
}

/// A drop box of the configuration, with its row in the internal table.
#[derive(Debug)]
pub struct DropBox {
    pub row: RowId,
    pub rule: schema::DropBox,
}

impl Table {
    /// Declares a table and its fields to the catalogue. `mount` fixes what the table leaves open.
    pub(super) fn declare(
        catalog: &dyn Catalog,
        table: schema::Table,
        mount: Policy,
    ) -> Result<Self> {
        let id = catalog.table(&table.name)?;
        let declare = |field: &Field| {
            let orphan = if field.delete_orphan { Orphan::Delete } else { Orphan::Keep };
            catalog.field(id, &field.name, orphan)
        };
        let numbers = table.fields.iter().map(declare).collect::<Result<_, _>>()?;
        let fields = table.fields.into_iter().map(Arc::new).collect();
        let (name, access) = (table.name, table.access.or(mount));
        Ok(Self { id, name, rule: table.id, access, fields, numbers })
    }

    pub fn field(&self, name: &str) -> Option<&Arc<Field>> {
        self.fields.iter().find(|field| field.name.as_str() == name)
    }

    /// The fields that are directories, with their numbers.
    pub fn collections(&self) -> impl Iterator<Item = (FieldId, &Arc<Field>)> {
        let numbered = self.numbers.iter().copied().zip(&self.fields);
        numbered.filter(|(_, field)| field.collection != Collection::One)
    }

    pub fn number(&self, field: &Name) -> Option<FieldId> {
        let at = self.fields.iter().position(|known| known.name == *field)?;
        self.numbers.get(at).copied()
    }

    /// The access that is fixed for the files of a field.
    pub fn files(&self, field: &Field) -> Fixed {
        self.access.files(field.mode)
    }

    /// The access of the table's own directory: the daemon's, except for what the table fixes of its rows.
    pub fn directory(&self, daemon: Access) -> Access {
        self.access.rows().of(Access { mode: DIR_MODE, ..daemon })
    }

    /// Whether the table fixes an owner, group or mode of any row or file.
    pub(super) fn fixes_something(&self) -> bool {
        let nothing = |fixed: Fixed| fixed == Fixed::default();
        !nothing(self.access.rows()) || !self.fields.iter().all(|it| nothing(self.files(it)))
    }
}

/// Declares the internal table, and a row of it for each box. A box that is new gets its row now.
pub(super) fn declare_boxes(
    catalog: &dyn Catalog,
    boxes: Vec<schema::DropBox>,
) -> Result<(Table, Vec<DropBox>)> {
    let name = Name::parse(BOXES).expect("`$drop` is a name");
    let table = catalog.table(&name)?;
    let (fields, numbers) = (Vec::new(), Vec::new());
    let (rule, open) = (IdRule::Name, Policy::default());
    let internal = Table { id: table, name, rule, access: open, fields, numbers };
    let access = Access { uid: 0, gid: 0, mode: DIR_MODE };
    let declare = |rule: schema::DropBox| {
        let add = || catalog.add_row(table, &rule.name, access, Timestamp::now());
        let row = catalog.row(table, &rule.name)?.map_or_else(add, Ok)?;
        Ok(DropBox { row: row.id, rule })
    };
    Ok((internal, boxes.into_iter().map(declare).collect::<Result<_>>()?))
}
