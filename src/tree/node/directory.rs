//! A directory that takes files: a row, a collection in it, or a drop box.

use std::sync::Arc;

use crate::library::Library;
use crate::library::lookup::table::Table;
use crate::tree::node::Node;
use crate::tree::node::side::Side;
use words::attachment::RowId;
use words::place::{Folder, Place};
use words::schema::{Collection, Field};
use words::slot::Name;

#[derive(Debug, Clone, Copy)]
pub struct Directory<'l> {
    pub table: &'l Table,
    pub row: RowId,
    /// The collection; none: the row itself.
    pub field: Option<&'l Arc<Field>>,
    pub node: Node,
}

impl<'l> Directory<'l> {
    /// `None` for every other node, and for a table, field or box that is no longer configured.
    pub fn of(library: &'l Library, node: Node) -> Option<Self> {
        match node.as_model() {
            Node::Row(table, row) => {
                Some(Self { table: library.lookup.table(table)?, row, field: None, node })
            }
            Node::Collection(field, row) => {
                let (table, field) = library.lookup.field(field)?;
                let many = field.collection != Collection::One && Side::of(node).has(field);
                many.then_some(Self { table, row, field: Some(field), node })
            }
            Node::DropBox(row) => {
                let table = library.lookup.box_table();
                library.lookup.drop_box(row).map(|_| Self { table, row, field: None, node })
            }
            _ => None,
        }
    }

    pub fn folder(&self) -> Folder {
        Folder { row: self.row, field: self.field.map(|field| field.name.clone()) }
    }

    pub fn side(&self) -> Side {
        Side::of(self.node)
    }

    /// Whether this directory lists a place.
    pub fn lists(&self, place: &Place) -> bool {
        let collection = place.item.is_some().then_some(&place.field);
        let here = place.row == self.row && collection == self.field.map(|field| &field.name);
        here && self.table.field(place.field.as_str()).is_some_and(|it| self.side().has(it))
    }

    /// The place of a field that holds one file.
    pub fn one(&self, field: &Name) -> Place {
        Place::one(self.row, field.clone())
    }

    /// The place of an item.
    pub fn item(&self, field: &Field, item: Name) -> Place {
        Place { row: self.row, field: field.name.clone(), item: Some(item) }
    }
}
