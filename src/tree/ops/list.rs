//! Listing directories.
//! Does not render and does not decide by who asks: what a directory lists is the same for everybody.

use std::collections::HashMap;

use crate::library::lookup::table::Table;
use crate::tree::attr::{Attr, Entry, Kind, Lifetime, Listed};
use crate::tree::directory::Directory;
use crate::tree::drafts::OpenDraft;
use crate::tree::listing::Page;
use crate::tree::mark::Mark;
use crate::tree::node::Node;
use crate::tree::ops::stat::{draft_attr, fleeting, lasting, variant_attr};
use crate::tree::side::Side;
use crate::tree::{Caller, Error, Ino, Result, Tree, name, node};
use words::attachment::{Access, Attachment, AttachmentId, FieldId, RowId, TableId, Times};
use words::link::Link;
use words::place::Place;
use words::row::RowRecord;
use words::schema::{Collection, Field};
use words::timestamp::Timestamp;

/// Entries that one query reads. The kernel's buffer takes some 170 with their attributes.
const PAGE: usize = 512;
/// Places begin after those of `.` and `..`: the place of a row is its number plus this.
const DOTS: u64 = 2;
/// The upper bits of a place say what is there, in the order in which a directory lists them: fields and items, then first
/// drafts of items, links that wait, scratch, rendered variants.
const CLASS_SHIFT: u32 = 60;
const DRAFT: u64 = 1 << CLASS_SHIFT;
const LINK: u64 = 2 << CLASS_SHIFT;
const SCRATCH: u64 = 3 << CLASS_SHIFT;
const VARIANT: u64 = 4 << CLASS_SHIFT;
/// Items may be at one position, which then has this many places.
const SAME_POSITION_BITS: u32 = 8;
const SAME_POSITION: u64 = (1 << SAME_POSITION_BITS) - 1;

/// What a directory lists under one name.
struct Child {
    node: Node,
    name: String,
    /// Where it is in its directory.
    place: u64,
    entry: Option<Entry>,
}

impl Tree {
    /// Entries that follow a place; reading begins at 0. A table of any size is read page by page.
    pub fn readdir(&self, ino: Ino, after: u64) -> Result<Page> {
        match node(ino)? {
            Node::Table(_)
            | Node::OriginalTable(_)
            | Node::ThumbTable(_)
            | Node::Trash
            | Node::TrashDay(_) => self.list_page(ino, after),
            other if !other.is_directory() => Err(Error::NotDirectory),
            _ => self.list_whole(ino, after),
        }
    }

    /// What a lookup of a listed name would answer. What is not known without asking further may not be kept.
    pub fn entry_listed(&self, who: Caller, listed: &Listed, page: &Page) -> Entry {
        if let Some(entry) = listed.entry {
            let none = Entry { name: Lifetime::None, attributes: Lifetime::None, ..entry };
            return if page.is_fresh { entry } else { none };
        }
        let shown = self.getattr(who, listed.ino, None);
        let unknown = |_| unknown(listed.ino, listed.kind);
        let entry = fleeting(shown.map_or_else(unknown, |shown| shown.attr));
        Entry { generation: self.generation_of(&entry.attr), ..entry }
    }

    /// A whole directory. Reading from the start again (`rewinddir`) sees what there is now.
    fn list_whole(&self, directory: Ino, after: u64) -> Result<Page> {
        if after > 0
            && let Some(rest) = self.listings.after(directory, after)
        {
            return Ok(rest);
        }
        let changes = self.listings.changes();
        let entries = self.list(directory)?;
        Ok(self.listings.keep(directory, entries, changes).from(after))
    }

    /// A page begins with the dots if it is the first.
    fn list_page(&self, source: Ino, offset: u64) -> Result<Page> {
        let mut listed = if offset < DOTS { dots(source) } else { Vec::new() };
        listed.drain(..usize::try_from(offset).unwrap_or(0).min(listed.len()));
        let after = offset.saturating_sub(DOTS);
        let page = match node(source)? {
            Node::Table(table) => self.list_rows(table, after, Node::Row)?,
            Node::OriginalTable(table) => self.list_rows(table, after, Node::OriginalRow)?,
            Node::ThumbTable(table) => self.list_rows(table, after, Node::ThumbRow)?,
            Node::Trash => numbered(self.list_trash_days(after)?),
            Node::TrashDay(day) => trashed(self.list_trashed(day, after)?),
            _ => return Err(Error::NotDirectory),
        };
        listed.extend(page.into_iter().map(|child| self.listed(child)));
        Ok(Page::part(listed))
    }
    fn list_rows(
        &self,
        table: TableId,
        after: u64,
        make: fn(TableId, RowId) -> Node,
    ) -> Result<Vec<Child>> {
        let rows = self.library.lookup.rows(table, RowId(after), PAGE)?;
        let listed = |row: RowRecord| {
            let node = make(table, row.id);
            let entry = match node {
                Node::ThumbRow(..) => lasting(self.thumb_view(node, &row, row.times)),
                _ => Side::of(node).directory(node, self.row_attr(&row)),
            };
            let (name, place) = (row.name.to_string(), row.id.0 + DOTS);
            Child { node, name, place, entry: Some(entry) }
        };
        Ok(rows.into_iter().map(listed).collect())
    }
    fn list(&self, source: Ino) -> Result<Vec<Listed>> {
        let found = match node(source)? {
            Node::Root => fixed(self.list_root()),
            Node::Originals => fixed(
                self.original_tables()
                    .map(|table| (Node::OriginalTable(table.id), table.name.to_string())),
            ),
            Node::Drop => fixed(self.list_boxes()),
            Node::DropBox(row) => self.list_box(row)?,
            Node::Models => fixed(self.list_tables(Node::Table)),
            Node::Thumbs => fixed(self.list_tables(Node::ThumbTable)),
            Node::Row(..) | Node::OriginalRow(..) => self.list_row(&self.directory(source)?)?,
            Node::Collection(..) | Node::OriginalCollection(..) => {
                self.list_collection(&self.directory(source)?)?
            }
            Node::ThumbRow(table, row) => self.list_thumb_row(self.table(table)?, row)?,
            Node::ThumbCollection(field, row) => self.list_thumb_collection(field, row)?,
            node @ (Node::ThumbField(id, _) | Node::GuardedThumbs(id, _)) => {
                self.list_thumbs(node, id)?
            }
            other => fixed(self.list_control(other)?),
        };
        let mut all = dots(source);
        let shown = found.into_iter().filter(|child| self.shows(child.node));
        all.extend(shown.map(|child| self.listed(child)));
        Ok(all)
    }
    fn listed(&self, child: Child) -> Listed {
        let Child { node, name, place, entry } = child;
        let kind = match node {
            Node::Link(_) => Kind::Symlink,
            _ if node.is_directory() => Kind::Directory,
            _ => Kind::File,
        };
        let entry = entry.map(|it| Entry { generation: self.generation_of(&it.attr), ..it });
        Listed { ino: node.ino(), kind, name: name.into(), next: place, entry }
    }
    fn list_root(&self) -> Vec<(Node, String)> {
        let boxes = (!self.library.lookup.boxes().is_empty()).then_some((Node::Drop, "drop"));
        let always = [
            (Node::Models, "models"),
            (Node::Thumbs, "thumbs"),
            (Node::Trash, "trash"),
            (Node::Control, ".mediafs"),
        ];
        let originals = self.keeps_originals().then_some((Node::Originals, "originals"));
        let all = always.into_iter().chain(boxes).chain(originals);
        all.map(|(node, name)| (node, name.to_owned())).collect()
    }

    fn list_tables(&self, node: fn(TableId) -> Node) -> Vec<(Node, String)> {
        let tables = self.library.lookup.tables().iter();
        tables.map(|table| (node(table.id), table.name.to_string())).collect()
    }

    /// Fields and collections by name, first drafts and placeholders among them, then scratch. One query for all fields.
    fn list_row(&self, row: &Directory<'_>) -> Result<Vec<Child>> {
        let side = row.side();
        let mut links = self.singles(row.row)?;
        let is_there = |field: &Field| side.has(field);
        let has_collections = row.table.collections().any(|(_, field)| is_there(field));
        let record = if has_collections { self.library.lookup.row_by_id(row.row)? } else { None };
        let mut found = Vec::new();
        for (place, number, field) in by_name(row.table).filter(|(_, _, field)| is_there(field)) {
            if field.collection != Collection::One {
                let (node, name) = (side.collection(number, row.row), field.name.to_string());
                let shown = |row| side.directory(node, self.collection_attr(number, row));
                found.push(Child { node, name, place, entry: record.as_ref().map(shown) });
            } else if let Some(link) = links.remove(field.name.as_str()) {
                found.push(self.linked(side, link, field, place));
            } else if let Some(open) = self.first_shown(&row.one(&field.name)) {
                found.push(drafted(&open, place));
            }
        }
        self.list_scratch(row, found)
    }

    fn linked(&self, side: Side, link: Link, field: &Field, place: u64) -> Child {
        let shown = side.show(link);
        let name = name::listed(&shown, field.collection);
        let entry = Some(self.entry_in_list(side, &shown, field, &name));
        Child { node: side.file(&shown.attachment), name: name.to_string(), place, entry }
    }

    fn singles(&self, row: RowId) -> Result<HashMap<String, Link>> {
        let links = self.library.lookup.singles(row)?;
        Ok(links.into_iter().map(|link| (link.place.field.to_string(), link)).collect())
    }

    /// Of several drafts the first has the name.
    fn first_shown(&self, place: &Place) -> Option<std::sync::Arc<OpenDraft>> {
        self.drafts.of(place).into_iter().find(|open| open.is_shown())
    }

    /// Items in their order, first drafts and placeholders, then scratch.
    fn list_collection(&self, collection: &Directory<'_>) -> Result<Vec<Child>> {
        let field = collection.field.ok_or(Error::NotDirectory)?;
        let items = self.library.lookup.items(collection.row, &field.name)?;
        let places = places(&items);
        let drafts = self.drafts_beside(collection, &items);
        let side = collection.side();
        let items = items.into_iter().zip(places);
        let mut found: Vec<_> =
            items.map(|(link, place)| self.linked(side, link, field, place)).collect();
        found.extend(drafts);
        self.list_scratch(collection, found)
    }

    /// What the free slots of a collection show.
    fn drafts_beside(&self, collection: &Directory<'_>, items: &[Link]) -> Vec<Child> {
        if self.drafts.is_empty() {
            return Vec::new();
        }
        let taken: std::collections::HashSet<_> = items.iter().map(|link| &link.place).collect();
        let shown = |open: &std::sync::Arc<OpenDraft>| {
            let place = open.place();
            collection.lists(place)
                && !taken.contains(place)
                && self.first_shown(place).is_some_and(|first| first.id == open.id)
        };
        let drafts = self.drafts.all().into_iter().filter(shown);
        drafts.map(|open| drafted(&open, DRAFT | open.id)).collect()
    }

    fn list_scratch(&self, directory: &Directory<'_>, mut found: Vec<Child>) -> Result<Vec<Child>> {
        let links = self.links.of(&directory.folder());
        found.extend(
            links.into_iter().map(|it| child(Node::Link(it.id), it.name.to_string(), LINK | it.id)),
        );
        let scratch = self.library.scratch.list(&directory.folder())?;
        found.extend(
            scratch
                .into_iter()
                .map(|it| child(Node::Scratch(it.id), it.name.to_string(), SCRATCH | it.id.0)),
        );
        Ok(found)
    }

    fn list_box(&self, id: RowId) -> Result<Vec<Child>> {
        let files = self.library.scratch.list(&words::place::Folder::row(id))?;
        let child = |it: words::scratch::ScratchRecord| {
            child(Node::Scratch(it.id), it.name.to_string(), SCRATCH | it.id.0)
        };
        Ok(files.into_iter().map(child).collect())
    }

    fn list_thumb_row(&self, table: &Table, row: RowId) -> Result<Vec<Child>> {
        let record = self.library.lookup.row_by_id(row)?.ok_or(Error::Stale)?;
        let mut links = self.singles(row)?;
        let mut found = Vec::new();
        for (place, number, field) in by_name(table) {
            if field.collection != Collection::One {
                let (node, name) = (Node::ThumbCollection(number, row), field.name.to_string());
                let entry = Some(lasting(self.thumb_view(node, &record, record.times)));
                found.push(Child { node, name, place, entry });
            } else if let Some(link) = links.remove(field.name.as_str()) {
                found.extend(self.thumbs(&link, &record, place));
            }
        }
        Ok(found)
    }

    fn list_thumb_collection(&self, field: FieldId, row: RowId) -> Result<Vec<Child>> {
        let (_, field) = self.library.lookup.field(field).ok_or(Error::Stale)?;
        let record = self.library.lookup.row_by_id(row)?.ok_or(Error::Stale)?;
        let items = self.library.lookup.items(row, &field.name)?;
        let places = places(&items);
        let thumbs = items.iter().zip(places);
        Ok(thumbs.filter_map(|(link, place)| self.thumbs(link, &record, place)).collect())
    }

    /// The directory of an image's variants.
    fn thumbs(&self, link: &Link, row: &RowRecord, place: u64) -> Option<Child> {
        name::preset_format(&link.attachment)?;
        let node = Node::thumbs_of(&link.attachment, Mark::among(link));
        let entry = self.thumbs_entry(node, &link.attachment, row);
        Some(Child { node, name: link.place.name().to_string(), place, entry: Some(entry) })
    }

    /// The variants that were rendered, as far as this field lets them be asked for: others may have the same picture.
    pub(in crate::tree) fn rendered(
        &self,
        attachment: &Attachment,
        field: &Field,
    ) -> Result<Vec<words::rendition::VariantRecord>> {
        let mut rendered = self.library.variants.list(attachment.blob)?;
        let size = attachment.content.dimensions;
        rendered.retain(|it| size.is_some_and(|size| field.allows(it.variant, size)));
        Ok(rendered)
    }

    /// Presets, rendered or not, and what else was rendered.
    fn list_thumbs(&self, node: Node, id: AttachmentId) -> Result<Vec<Child>> {
        for over in self.galleries.list(node.ino(), Timestamp::now()) {
            if let Some(over) = Node::of(over) {
                self.forget_attributes(over);
            }
        }
        let attachment = self.thumbed(node, id)?;
        let field = self.field_at(&self.place_known(node)?.ok_or(Error::Stale)?)?;
        let format = name::preset_format(&attachment).ok_or(Error::NotFound)?;
        let mut rendered = self.rendered(&attachment, &field)?;
        rendered.sort_by_key(|record| record.id.0);
        let is_rendered =
            |name: &String| rendered.iter().any(|record| record.variant.to_string() == *name);
        let presets = field.presets(format).map(|variant| variant.to_string()).zip(DOTS + 1..);
        let mut found: Vec<_> = presets
            .filter(|(name, _)| !is_rendered(name))
            .map(|(name, place)| child(Node::Unrendered, name, place))
            .collect();
        let kept = if matches!(node, Node::ThumbField(..)) { lasting } else { fleeting };
        found.extend(rendered.into_iter().map(|record| {
            let (node, name) = (Node::Variant(record.id), record.variant.to_string());
            let entry = Some(kept(variant_attr(&record)));
            Child { node, name, place: VARIANT | record.id.0, entry }
        }));
        Ok(found)
    }
}

fn child(node: Node, name: String, place: u64) -> Child {
    Child { node, name, place, entry: None }
}

/// A directory that stays as it is: its entries are numbered.
fn fixed(found: impl IntoIterator<Item = (Node, String)>) -> Vec<Child> {
    let numbered = found.into_iter().zip(DOTS + 1..);
    numbered.map(|((node, name), place)| child(node, name, place)).collect()
}

fn numbered(found: Vec<(Node, String, u64)>) -> Vec<Child> {
    found.into_iter().map(|(node, name, next)| child(node, name, next + DOTS)).collect()
}

fn trashed(found: Vec<(Entry, String, u64)>) -> Vec<Child> {
    let child = |(entry, name, next): (Entry, String, u64)| {
        let node = Node::of(entry.attr.ino)?;
        Some(Child { node, name, place: next + DOTS, entry: Some(entry) })
    };
    found.into_iter().filter_map(child).collect()
}

/// The fields of a table by name, with their places in a row and their numbers.
fn by_name(table: &Table) -> impl Iterator<Item = (u64, FieldId, &Field)> {
    let numbered = table.numbers.iter().copied().zip(&table.fields);
    let mut fields: Vec<_> = numbered.map(|(number, field)| (number, &**field)).collect();
    fields.sort_by(|(_, one), (_, other)| one.name.cmp(&other.name));
    fields.into_iter().zip(DOTS + 1..).map(|((number, field), place)| (place, number, field))
}

/// The places of items that are in their order.
fn places(items: &[Link]) -> Vec<u64> {
    let (mut last, mut same) = (None, 0);
    let place = |link: &Link| {
        same = if last == Some(link.position) { (same + 1).min(SAME_POSITION) } else { 0 };
        last = Some(link.position);
        ((link.position << SAME_POSITION_BITS) | same) + DOTS + 1
    };
    items.iter().map(place).collect()
}

fn drafted(open: &OpenDraft, place: u64) -> Child {
    let (node, name) = (Node::Draft(open.id), open.draft.target().written.to_string());
    Child { node, name, place, entry: Some(fleeting(draft_attr(open))) }
}

/// The kernel takes the number and the kind of these, and passes over their attributes: nobody need be asked for them.
fn dots(source: Ino) -> Vec<Listed> {
    let kind = Kind::Directory;
    let entry = Some(fleeting(unknown(source, kind)));
    let dot = |name: &str, next| Listed { ino: source, kind, name: name.into(), next, entry };
    vec![dot(".", 1), dot("..", DOTS)]
}

/// Attributes that nobody looks at, or that could not be found.
fn unknown(ino: Ino, kind: Kind) -> Attr {
    let access = Access { uid: 0, gid: 0, mode: 0 };
    Attr { ino, kind, size: 0, links: 1, access, times: Times::all(Timestamp(0)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_of_places_follow_one_another_within_the_kernels_offsets() {
        let classes = [SAME_POSITION + DOTS, DRAFT, LINK, SCRATCH, VARIANT | u64::from(u32::MAX)];
        assert!(classes.is_sorted_by(|one, next| one < next));
        assert!(classes.iter().all(|place| i64::try_from(*place).is_ok()));
    }
}
