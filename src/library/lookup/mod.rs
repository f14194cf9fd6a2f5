//! Lookups: the tables, fields and drop boxes that the configuration declares, and the rows and links that the catalogue holds.
//!
//! Lookups change nothing. Declared tables are in memory; each lookup of a row, link or attachment is one query.

pub mod hidden;
pub mod table;
pub mod target;

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::catalog::summary::Totals;
use crate::library::error::Result;
use crate::library::lookup::table::{DropBox, Table};
use crate::library::lookup::target::Target;
use words::access::{Fixed, Policy};
use words::attachment::{Attachment, AttachmentId, FieldId, RowId, TableId};
use words::link::Link;
use words::place::{Folder, Place};
use words::row::RowRecord;
use words::schema::{Field, Schema};
use words::slot::{Name, Row, Slot};

pub struct Lookup {
    catalog: Arc<dyn Catalog>,
    schema: Schema,
    tables: Vec<Table>,
    box_table: Table,
    boxes: Vec<DropBox>,
}

impl Lookup {
    /// Declares a configuration's tables, fields and boxes to the catalogue. `mount` fixes the access that a table leaves open.
    pub fn declare(catalog: Arc<dyn Catalog>, schema: Schema, mount: Policy) -> Result<Self> {
        let (box_table, boxes) = table::declare_boxes(&*catalog, schema.boxes.clone())?;
        let declare = |table| Table::declare(&*catalog, table, mount);
        let tables = schema.tables.iter().cloned().map(declare).collect::<Result<_, _>>()?;
        Ok(Self { catalog, schema, tables, box_table, boxes })
    }

    /// The tables and fields that the configuration declares.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The number of a table that need not be declared.
    pub fn any_table(&self, name: &Name) -> Result<TableId> {
        Ok(self.catalog.table(name)?)
    }

    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    pub fn table_named(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name.as_str() == name)
    }

    pub fn table(&self, id: TableId) -> Option<&Table> {
        self.tables.iter().find(|table| table.id == id)
    }

    /// A field by its number, with the table that has it.
    pub fn field(&self, id: FieldId) -> Option<(&Table, &Arc<Field>)> {
        self.tables.iter().find_map(|table| {
            let at = table.numbers.iter().position(|number| *number == id)?;
            Some((table, table.fields.get(at)?))
        })
    }

    /// The internal table that drop boxes are rows of.
    pub fn box_table(&self) -> &Table {
        &self.box_table
    }

    pub fn boxes(&self) -> &[DropBox] {
        &self.boxes
    }

    /// The drop box with this row in the internal table.
    pub fn drop_box(&self, row: RowId) -> Option<&DropBox> {
        self.boxes.iter().find(|drop_box| drop_box.row == row)
    }

    pub fn row(&self, table: TableId, name: &Name) -> Result<Option<RowRecord>> {
        Ok(self.catalog.row(table, name)?)
    }

    pub fn row_by_id(&self, row: RowId) -> Result<Option<RowRecord>> {
        Ok(self.catalog.row_by_id(row)?)
    }

    /// Up to `limit` rows of a table with numbers above `after`, by number.
    pub fn rows(&self, table: TableId, after: RowId, limit: usize) -> Result<Vec<RowRecord>> {
        Ok(self.catalog.rows(table, after, limit)?)
    }

    /// `user/42`; none if the row's table is no longer configured.
    pub fn row_path(&self, row: &RowRecord) -> Option<Row> {
        let table = self.table(row.table)?;
        Some(Row { table: table.name.clone(), id: row.name.clone() })
    }

    /// `user/42`, `user/42/photos`; `?` for a row that is gone or whose table is no longer configured.
    pub fn folder_path(&self, folder: &Folder) -> Result<String> {
        let row = self.row_by_id(folder.row)?.and_then(|row| self.row_path(&row));
        let row = row.map_or_else(|| "?".to_owned(), |row| row.to_string());
        Ok(folder.field.as_ref().map_or(row.clone(), |field| format!("{row}/{field}")))
    }

    /// `user/42/avatar`, `user/42/photos/front.jpg`.
    pub fn slot(&self, row: &RowRecord, place: &Place) -> Option<Slot> {
        let Place { field, item, .. } = place.clone();
        Some(Slot { row: self.row_path(row)?, field, item })
    }

    /// The slot of a place whose row is not at hand.
    pub fn slot_of(&self, place: &Place) -> Result<Option<Slot>> {
        Ok(self.row_by_id(place.row)?.and_then(|row| self.slot(&row, place)))
    }

    /// The place of a slot. None if its row is gone, or its table no longer configured.
    pub fn place_of(&self, slot: &Slot) -> Result<Option<Place>> {
        let Some(table) = self.table_named(slot.row.table.as_str()) else { return Ok(None) };
        let row = self.row(table.id, &slot.row.id)?;
        let (field, item) = (slot.field.clone(), slot.item.clone());
        Ok(row.map(|row| Place { row: row.id, field, item }))
    }

    /// The number of commits so far. None where another process writes.
    pub fn commits(&self) -> Option<u64> {
        self.catalog.commits()
    }

    /// The target at a place, written by its bare name. None if its row is gone or its field no longer configured.
    pub fn target_of(&self, place: Place) -> Result<Option<Target>> {
        let Some(row) = self.row_by_id(place.row)? else { return Ok(None) };
        let field = self.table(row.table).and_then(|table| table.field(place.field.as_str()));
        let (Some(slot), Some(field)) = (self.slot(&row, &place), field.cloned()) else {
            return Ok(None);
        };
        let written = place.name().clone();
        Ok(Some(Target { place, slot, field, written, directory: row.access }))
    }

    pub fn link(&self, place: &Place) -> Result<Option<Link>> {
        Ok(self.catalog.find(place)?)
    }

    pub fn links(&self, row: RowId) -> Result<Vec<Link>> {
        Ok(self.catalog.links(row)?)
    }

    /// The links of a row's fields that hold one file, by field name.
    pub fn singles(&self, row: RowId) -> Result<Vec<Link>> {
        Ok(self.catalog.singles(row)?)
    }

    /// The items of a collection, in its order.
    pub fn items(&self, row: RowId, field: &Name) -> Result<Vec<Link>> {
        Ok(self.catalog.items(row, field)?)
    }

    /// How many items there are in the collection of a place.
    pub fn count_items(&self, place: &Place) -> Result<u64> {
        Ok(self.catalog.count_items(place.row, &place.field)?)
    }

    pub fn attachment(&self, id: AttachmentId) -> Result<Option<Attachment>> {
        Ok(self.catalog.attachment(id)?)
    }

    /// The places of all names of an attachment.
    pub fn places(&self, id: AttachmentId) -> Result<Vec<Place>> {
        Ok(self.catalog.places(id)?)
    }

    /// How much the catalogue holds, for `status.json`.
    pub fn totals(&self) -> Result<Totals> {
        Ok(self.catalog.totals()?)
    }

    /// The access that is fixed for a file at a target.
    pub fn fixed(&self, target: &Target) -> Fixed {
        let table = self.table_named(target.slot.row.table.as_str());
        table.map_or_else(Fixed::default, |table| table.files(&target.field))
    }

    /// Whether any table fixes an owner, group or mode.
    pub fn fixes_something(&self) -> bool {
        self.tables.iter().any(Table::fixes_something)
    }
}
