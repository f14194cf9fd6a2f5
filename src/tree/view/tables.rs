//! The directories from the root down to rows and collections, and drop boxes: lookups and listings.

use std::collections::HashSet;
use std::sync::Arc;

use crate::library::Library;
use crate::library::lookup::table::Table;
use crate::session_thread;
use crate::tree::error::{Error, Result};
use crate::tree::node::Node;
use crate::tree::node::meaning::{self, Directory};
use crate::tree::node::places::Places;
use crate::tree::node::side::Side;
use crate::tree::open::Open;
use crate::tree::open::open_draft::OpenDraft;
use crate::tree::show::Show;
use crate::tree::show::attr::{Entry, Lifetime};
use crate::tree::show::listing::{DOTS, Listed, by_field, fields_by_name, item_places};
use words::attachment::{RowId, TableId};
use words::link::Link;
use words::place::{Folder, Place};
use words::row::RowRecord;
use words::schema::{Collection, Field};
use words::slot::Name;

/// Rows that one query reads. The kernel's buffer takes some 170 entries with their attributes.
const PAGE: usize = 512;

/// Makes the node of a row: [`Node::Row`], [`Node::OriginalRow`] or [`Node::ThumbRow`].
type MakeNode = fn(TableId, RowId) -> Node;

pub struct Tables {
    pub(super) library: Arc<Library>,
    pub(super) places: Arc<Places>,
    pub(super) show: Arc<Show>,
    pub(super) open: Arc<Open>,
}

impl Tables {
    pub fn lookup_in_root(&self, name: &Name) -> Result<Entry> {
        let node = Node::Root.child(name.as_str()).filter(|node| self.is_there(*node));
        Ok(Entry::lasting(self.show.fixed(node.ok_or(Error::NotFound)?)))
    }

    pub fn list_root(&self) -> impl Iterator<Item = (Node, &'static str)> {
        Node::Root.children().filter(|(node, _)| self.is_there(*node))
    }

    fn is_there(&self, node: Node) -> bool {
        match node {
            Node::Originals => self.places.keeps_originals(),
            Node::Drop => !self.library.lookup.boxes().is_empty(),
            _ => true,
        }
    }

    /// Looks a table up in `/models`, `/thumbs` or `/originals`.
    pub fn lookup(&self, parent: Node, name: &Name) -> Result<Entry> {
        let found = self.tables(parent).find(|(_, table)| table.name == *name);
        let attr = self.show.fixed(found.ok_or(Error::NotFound)?.0);
        let keeps = parent != Node::Originals;
        Ok(if keeps { Entry::lasting(attr) } else { Entry::fleeting(attr) })
    }

    pub fn list(&self, parent: Node) -> impl Iterator<Item = (Node, &str)> {
        self.tables(parent).map(|(node, table)| (node, table.name.as_str()))
    }

    /// The tables in `/models`, `/thumbs` or `/originals`, each with its node there.
    fn tables(&self, parent: Node) -> impl Iterator<Item = (Node, &Table)> {
        let (side, node): (_, fn(TableId) -> Node) = match parent {
            Node::Originals => (Side::Originals, Node::OriginalTable),
            Node::Thumbs => (Side::Models, Node::ThumbTable),
            _ => (Side::Models, Node::Table),
        };
        let tables = self.library.lookup.tables().iter();
        tables.filter(move |table| side.has_table(table)).map(move |table| (node(table.id), table))
    }

    pub fn lookup_box(&self, name: &Name) -> Result<Entry> {
        let found = self.list_boxes().find(|(_, known)| *known == name.as_str());
        let Some((Node::DropBox(row), _)) = found else { return Err(Error::NotFound) };
        Ok(Entry { name: Lifetime::Long, ..Entry::fleeting(self.show.drop_box(row)?) })
    }

    pub fn list_boxes(&self) -> impl Iterator<Item = (Node, &str)> {
        let boxes = self.library.lookup.boxes().iter();
        boxes.map(|it| (Node::DropBox(it.row), it.rule.name.as_str()))
    }

    pub fn lookup_row(&self, table: TableId, name: &Name, node: MakeNode) -> Result<Entry> {
        if !self.places.table(table)?.rule.allows(name) {
            return Err(Error::NotFound);
        }
        let row = self.library.lookup.row(table, name)?.ok_or(Error::NotFound)?;
        Ok(self.show.row(node(table, row.id), &row))
    }

    /// A page of a table: the rows above a number.
    pub fn list_rows(&self, table: TableId, after: u64, node: MakeNode) -> Result<Vec<Listed>> {
        let rows = self.library.lookup.rows(table, RowId(after), PAGE)?;
        let listed = |row: RowRecord| {
            let node = node(table, row.id);
            Listed::new(node, row.name.as_str(), row.id.0 + DOTS, Some(self.show.row(node, &row)))
        };
        Ok(rows.into_iter().map(listed).collect())
    }

    /// Fields and collections by name, first drafts and placeholders among them, then scratch. One query for all fields.
    pub fn list_row(&self, row: &Directory<'_>) -> Result<Vec<Listed>> {
        let side = row.side();
        let mut links = by_field(self.library.lookup.singles(row.row)?);
        let is_there = |field: &Field| side.has(field);
        let has_collections = row.table.collections().any(|(_, field)| is_there(field));
        let record = if has_collections { self.library.lookup.row_by_id(row.row)? } else { None };
        let mut found = Vec::new();
        let fields = fields_by_name(row.table).filter(|(_, _, field)| is_there(field));
        for (place, number, field) in fields {
            if field.collection != Collection::One {
                let node = side.collection(number, row.row);
                let entry = record.as_ref().map(|record| self.show.row(node, record));
                found.push(Listed::new(node, field.name.as_str(), place, entry));
            } else if let Some(link) = links.remove(field.name.as_str()) {
                found.push(self.link(side, link, field, place));
            } else if let Some(open) = self.open.drafts.first_shown(&row.one(&field.name)) {
                found.push(draft(&open, place));
            }
        }
        found.extend(self.scratch(&row.folder())?);
        Ok(found)
    }

    /// Items in their order, first drafts and placeholders, then scratch.
    pub fn list_collection(&self, collection: &Directory<'_>) -> Result<Vec<Listed>> {
        let field = collection.field.ok_or(Error::NotDirectory)?;
        self.leave_for_items(collection.row, &field.name)?;
        let items = self.library.lookup.items(collection.row, &field.name)?;
        let places = item_places(&items);
        let drafts = self.drafts_beside(collection, &items);
        let side = collection.side();
        let items = items.into_iter().zip(places);
        let items = items.map(|(link, place)| self.link(side, link, field, place));
        Ok(items.chain(drafts).chain(self.scratch(&collection.folder())?).collect())
    }

    pub fn list_box(&self, id: RowId) -> Result<Vec<Listed>> {
        self.leave_for_scratch()?;
        let files = self.library.scratch.list(&Folder::row(id))?;
        Ok(files.iter().map(Listed::scratch).collect())
    }

    fn link(&self, side: Side, link: Link, field: &Field, place: u64) -> Listed {
        let shown = side.show(link);
        let name = meaning::listed(&shown, field.collection);
        let entry = Some(self.show.link_in_list(side, &shown, field, &name));
        Listed::new(side.file(&shown.attachment), name.as_str(), place, entry)
    }

    /// The first drafts that the free slots of a collection show.
    fn drafts_beside(&self, collection: &Directory<'_>, items: &[Link]) -> Vec<Listed> {
        if self.open.drafts.is_empty() {
            return Vec::new();
        }
        let taken: HashSet<_> = items.iter().map(|link| &link.place).collect();
        let shown = |open: &Arc<OpenDraft>| {
            let place = open.place();
            collection.lists(place)
                && !taken.contains(place)
                && self.open.drafts.first_shown(place).is_some_and(|first| first.id == open.id)
        };
        let drafts = self.open.drafts.of_row(collection.row).into_iter().filter(shown);
        drafts.map(|open| draft(&open, Listed::draft_place(open.id))).collect()
    }

    /// A collection is listed as a whole, however many items it has.
    pub fn leave_for_items(&self, row: RowId, field: &Name) -> Result<()> {
        let place = Place::one(row, field.clone());
        session_thread::leave_for_many(|| Ok(self.library.lookup.count_items(&place)?))
    }

    /// A directory is listed or removed with its scratch, of which it may have any number.
    pub fn leave_for_scratch(&self) -> Result<()> {
        session_thread::leave_for_many(|| Ok(self.library.scratch.total()))
    }

    fn scratch(&self, folder: &Folder) -> Result<Vec<Listed>> {
        self.leave_for_scratch()?;
        let links = self.open.links.of(folder);
        let mut found: Vec<_> = links.iter().map(|it| Listed::pending(it.id, &it.name)).collect();
        found.extend(self.library.scratch.list(folder)?.iter().map(Listed::scratch));
        Ok(found)
    }
}

fn draft(open: &OpenDraft, place: u64) -> Listed {
    let (node, name) = (Node::Draft(open.id), open.draft.target().written.as_str());
    Listed::new(node, name, place, Some(Entry::fleeting(open.attr())))
}
