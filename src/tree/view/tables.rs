//! The top of the tree: the root, and the tables and rows below `/models`, `/thumbs` and `/originals`.

use std::sync::Arc;

use crate::library::Library;
use crate::library::lookup::table::Table;
use crate::tree::error::{Error, Result};
use crate::tree::node::Node;
use crate::tree::node::places::Places;
use crate::tree::node::side::Side;
use crate::tree::show::attr::Entry;
use crate::tree::show::child::{Child, DOTS};
use crate::tree::show::{Show, stored};
use words::attachment::{RowId, TableId};
use words::row::RowRecord;
use words::slot::Name;

/// Rows that one query reads. The kernel's buffer takes some 170 entries with their attributes.
const PAGE: usize = 512;

pub struct Tables {
    pub(super) library: Arc<Library>,
    pub(super) places: Arc<Places>,
    pub(super) show: Arc<Show>,
}

impl Tables {
    pub fn lookup_in_root(&self, name: &Name) -> Result<Entry> {
        let node = Node::Root.child(name.as_str()).filter(|node| self.is_there(*node));
        Ok(Entry::lasting(self.show.fixed(node.ok_or(Error::NotFound)?)))
    }

    pub fn list_root(&self) -> Vec<(Node, String)> {
        let there = Node::Root.children().filter(|(node, _)| self.is_there(*node));
        there.map(|(node, name)| (node, name.to_owned())).collect()
    }

    fn is_there(&self, node: Node) -> bool {
        match node {
            Node::Originals => self.places.keeps_originals(),
            Node::Drop => !self.library.lookup.boxes().is_empty(),
            _ => true,
        }
    }

    /// Looks a table up in `/models` or `/thumbs`; `node` makes the node of a table there.
    pub fn lookup(&self, name: &Name, node: fn(TableId) -> Node) -> Result<Entry> {
        let table = self.library.lookup.tables().iter().find(|table| table.name == *name);
        Ok(Entry::lasting(self.show.fixed(node(table.ok_or(Error::NotFound)?.id))))
    }

    pub fn lookup_in_originals(&self, name: &Name) -> Result<Entry> {
        let table = self.places.original_tables().find(|table| table.name == *name);
        let node = Node::OriginalTable(table.ok_or(Error::NotFound)?.id);
        Ok(Entry::fleeting(self.show.fixed(node)))
    }

    /// The tables of `/models`, `/thumbs` or `/originals`.
    pub fn list(&self, parent: Node) -> Vec<(Node, String)> {
        let named = |node: Node, table: &Table| (node, table.name.to_string());
        let tables = self.library.lookup.tables().iter();
        match parent {
            Node::Originals => {
                let tables = self.places.original_tables();
                tables.map(|table| named(Node::OriginalTable(table.id), table)).collect()
            }
            Node::Thumbs => tables.map(|table| named(Node::ThumbTable(table.id), table)).collect(),
            _ => tables.map(|table| named(Node::Table(table.id), table)).collect(),
        }
    }

    pub fn lookup_row(&self, table: TableId, side: Side, name: &Name) -> Result<Entry> {
        if !self.places.table(table)?.rule.allows(name) {
            return Err(Error::NotFound);
        }
        let row = self.library.lookup.row(table, name)?.ok_or(Error::NotFound)?;
        Ok(stored::directory(side.row(table, row.id), self.show.row(&row)))
    }

    /// A page of a table: the rows above a number; `make` makes the node of a row.
    pub fn list_rows(
        &self,
        table: TableId,
        after: u64,
        make: fn(TableId, RowId) -> Node,
    ) -> Result<Vec<Child>> {
        let rows = self.library.lookup.rows(table, RowId(after), PAGE)?;
        let listed = |row: RowRecord| {
            let node = make(table, row.id);
            let entry = match node {
                Node::ThumbRow(..) => Entry::lasting(self.show.thumbs(node, &row, row.times)),
                _ => stored::directory(node, self.show.row(&row)),
            };
            let (name, place) = (row.name.to_string(), row.id.0 + DOTS);
            Child { node, name, place, entry: Some(entry) }
        };
        Ok(rows.into_iter().map(listed).collect())
    }
}
