//! Listings of rows, collections and drop boxes: what is stored there, first drafts and placeholders, links that wait, scratch.

use std::collections::HashSet;
use std::sync::Arc;

use crate::library::Library;
use crate::tree::error::{Error, Result};
use crate::tree::node::Node;
use crate::tree::node::directory::Directory;
use crate::tree::node::meaning;
use crate::tree::node::side::Side;
use crate::tree::open::drafts::Drafts;
use crate::tree::open::open_draft::OpenDraft;
use crate::tree::open::pending::PendingLinks;
use crate::tree::show::attr::Entry;
use crate::tree::show::child::{Child, by_field, fields_by_name, item_places};
use crate::tree::show::{Show, stored};
use words::attachment::RowId;
use words::link::Link;
use words::place::Folder;
use words::schema::{Collection, Field};

pub struct RowListing {
    pub(super) library: Arc<Library>,
    pub(super) show: Arc<Show>,
    pub(super) drafts: Arc<Drafts>,
    pub(super) links: Arc<PendingLinks>,
}

impl RowListing {
    /// Fields and collections by name, first drafts and placeholders among them, then scratch. One query for all fields.
    pub fn row(&self, row: &Directory<'_>) -> Result<Vec<Child>> {
        let side = row.side();
        let mut links = by_field(self.library.lookup.singles(row.row)?);
        let is_there = |field: &Field| side.has(field);
        let has_collections = row.table.collections().any(|(_, field)| is_there(field));
        let record = if has_collections { self.library.lookup.row_by_id(row.row)? } else { None };
        let mut found = Vec::new();
        let fields = fields_by_name(row.table).filter(|(_, _, field)| is_there(field));
        for (place, number, field) in fields {
            if field.collection != Collection::One {
                let (node, name) = (side.collection(number, row.row), field.name.to_string());
                let shown = |row| stored::directory(node, self.show.collection(number, row));
                found.push(Child { node, name, place, entry: record.as_ref().map(shown) });
            } else if let Some(link) = links.remove(field.name.as_str()) {
                found.push(self.link(side, link, field, place));
            } else if let Some(open) = self.drafts.first_shown(&row.one(&field.name)) {
                found.push(draft(&open, place));
            }
        }
        found.extend(self.scratch(&row.folder())?);
        Ok(found)
    }

    /// Items in their order, first drafts and placeholders, then scratch.
    pub fn collection(&self, collection: &Directory<'_>) -> Result<Vec<Child>> {
        let field = collection.field.ok_or(Error::NotDirectory)?;
        let items = self.library.lookup.items(collection.row, &field.name)?;
        let places = item_places(&items);
        let drafts = self.drafts_beside(collection, &items);
        let side = collection.side();
        let items = items.into_iter().zip(places);
        let mut found: Vec<_> =
            items.map(|(link, place)| self.link(side, link, field, place)).collect();
        found.extend(drafts);
        found.extend(self.scratch(&collection.folder())?);
        Ok(found)
    }

    pub fn drop_box(&self, id: RowId) -> Result<Vec<Child>> {
        let files = self.library.scratch.list(&Folder::row(id))?;
        Ok(files.iter().map(Child::scratch).collect())
    }

    fn link(&self, side: Side, link: Link, field: &Field, place: u64) -> Child {
        let shown = side.show(link);
        let name = meaning::listed(&shown, field.collection);
        let entry = Some(self.show.link_in_list(side, &shown, field, &name));
        Child { node: side.file(&shown.attachment), name: name.to_string(), place, entry }
    }

    /// The drafts that the free slots of a collection show.
    fn drafts_beside(&self, collection: &Directory<'_>, items: &[Link]) -> Vec<Child> {
        if self.drafts.is_empty() {
            return Vec::new();
        }
        let taken: HashSet<_> = items.iter().map(|link| &link.place).collect();
        let shown = |open: &Arc<OpenDraft>| {
            let place = open.place();
            collection.lists(place)
                && !taken.contains(place)
                && self.drafts.first_shown(place).is_some_and(|first| first.id == open.id)
        };
        let drafts = self.drafts.all().into_iter().filter(shown);
        drafts.map(|open| draft(&open, Child::draft_place(open.id))).collect()
    }

    /// Links that wait, and scratch.
    fn scratch(&self, folder: &Folder) -> Result<Vec<Child>> {
        let links = self.links.of(folder);
        let mut found: Vec<_> =
            links.into_iter().map(|it| Child::pending(it.id, it.name.to_string())).collect();
        let scratch = self.library.scratch.list(folder)?;
        found.extend(scratch.iter().map(Child::scratch));
        Ok(found)
    }
}

fn draft(open: &OpenDraft, place: u64) -> Child {
    let (node, name) = (Node::Draft(open.id), open.draft.target().written.to_string());
    Child { node, name, place, entry: Some(Entry::fleeting(open.attr())) }
}
