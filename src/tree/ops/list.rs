//! Listing directories.
//! Does not render and does not decide by who asks: what a directory lists is the same for everybody.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use crate::attachment::{AttachmentId, FieldId, RowId, TableId};
use crate::catalog::{Link, Place, RowRecord};
use crate::library::Table;
use crate::schema::Collection;
use crate::tree::attr::{Kind, Listed};
use crate::tree::directory::Directory;
use crate::tree::drafts::OpenDraft;
use crate::tree::handles::{Handle, Listing};
use crate::tree::name;
use crate::tree::node::Node;
use crate::tree::{Caller, Error, Fh, Ino, Result, Tree, node};

/// Entries that one query reads.
const PAGE: usize = 512;
/// Offsets of a page's entries begin after `.` and `..`: the offset of a row is its number plus this.
const DOTS: u64 = 2;

impl Tree {
    pub fn opendir(&self, _: Caller, ino: Ino) -> Result<Fh> {
        let node = node(ino)?;
        if !node.is_directory() {
            return Err(Error::NotDirectory);
        }
        let listing = match node {
            Node::Table(_)
            | Node::OriginalTable(_)
            | Node::ThumbTable(_)
            | Node::Trash
            | Node::TrashDay(_) => Listing::Pages { source: ino },
            _ => Listing::Whole { source: ino, entries: None },
        };
        Ok(self.handles.add(Handle::Directory(Mutex::new(listing))))
    }

    /// Entries that follow `offset`; none at the end. A table of any size is read page by page.
    pub fn readdir(&self, fh: Fh, offset: u64) -> Result<Vec<Listed>> {
        let handle = self.handles.find(fh)?;
        let Handle::Directory(listing) = &*handle else { return Err(Error::NotDirectory) };
        let mut listing = listing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match &mut *listing {
            Listing::Pages { source } => self.list_page(*source, offset),
            Listing::Whole { source, entries } => {
                // Reading from the start again (`rewinddir`) sees what there is now.
                if offset == 0 || entries.is_none() {
                    *entries = Some(self.list(*source)?);
                }
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let rest = entries.as_deref().and_then(|entries| entries.get(start..));
                Ok(rest.unwrap_or_default().to_vec())
            }
        }
    }

    pub fn releasedir(&self, fh: Fh) {
        self.handles.remove(fh);
    }

    /// A page begins with the dots if it is the first.
    fn list_page(&self, source: Ino, offset: u64) -> Result<Vec<Listed>> {
        let mut listed = if offset < DOTS { dots(source) } else { Vec::new() };
        listed.drain(..usize::try_from(offset).unwrap_or(0).min(listed.len()));
        let after = offset.saturating_sub(DOTS);
        let page = match node(source)? {
            Node::Table(table) => self.list_rows(table, after, Node::Row)?,
            Node::OriginalTable(table) => self.list_rows(table, after, Node::OriginalRow)?,
            Node::ThumbTable(table) => self.list_rows(table, after, Node::ThumbRow)?,
            Node::Trash => self.list_trash_days(after)?,
            Node::TrashDay(day) => self.list_trashed(day, after)?,
            _ => return Err(Error::NotDirectory),
        };
        listed.extend(
            page.into_iter()
                .map(|(node, name, next)| Listed { next: next + DOTS, ..entry(node, &name) }),
        );
        Ok(listed)
    }

    fn list_rows(
        &self,
        table: TableId,
        after: u64,
        make: fn(TableId, RowId) -> Node,
    ) -> Result<Vec<(Node, String, u64)>> {
        let rows = self.library.rows(table, RowId(after), PAGE)?;
        let listed = |row: RowRecord| (make(table, row.id), row.name.to_string(), row.id.0);
        Ok(rows.into_iter().map(listed).collect())
    }

    /// A whole directory, numbered from 1.
    fn list(&self, source: Ino) -> Result<Vec<Listed>> {
        let found = match node(source)? {
            Node::Root => self.list_root(),
            Node::Originals => self
                .original_tables()
                .map(|table| (Node::OriginalTable(table.id), table.name.to_string()))
                .collect(),
            Node::Drop => self.list_boxes(),
            Node::DropBox(row) => self.list_box(row)?,
            Node::Models => self.list_tables(|table| Node::Table(table.id)),
            Node::Thumbs => self.list_tables(|table| Node::ThumbTable(table.id)),
            Node::Row(..) | Node::OriginalRow(..) => self.list_row(&self.directory(source)?)?,
            Node::Collection(..) | Node::OriginalCollection(..) => {
                self.list_collection(&self.directory(source)?)?
            }
            Node::ThumbRow(table, row) => self.list_thumb_row(self.table(table)?, row)?,
            Node::ThumbCollection(field, row) => self.list_thumb_collection(field, row)?,
            Node::ThumbField(id) => self.list_thumbs(id)?,
            other => self.list_control(other)?,
        };
        let entries = found.into_iter().map(|(node, name)| entry(node, &name));
        let mut all = dots(source);
        all.extend(entries);
        for (entry, next) in all.iter_mut().zip(1..) {
            entry.next = next;
        }
        Ok(all)
    }

    fn list_root(&self) -> Vec<(Node, String)> {
        let boxes = (!self.library.boxes().is_empty()).then_some((Node::Drop, "drop"));
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

    fn list_tables(&self, node: impl Fn(&Table) -> Node) -> Vec<(Node, String)> {
        self.library.tables().iter().map(|table| (node(table), table.name.to_string())).collect()
    }

    /// Fields and collections by name, first drafts and placeholders among them, then scratch.
    fn list_row(&self, row: &Directory<'_>) -> Result<Vec<(Node, String)>> {
        let mut taken = HashSet::new();
        let mut found = Vec::new();
        let side = row.side();
        let fields = row.table.fields.iter().filter(|field| side.has(field));
        for field in fields.filter(|field| field.collection == Collection::One) {
            if let Some(link) = self.library.find(&row.one(&field.name))? {
                taken.insert(link.place.clone());
                found.push(side.listed(link, field));
            }
        }
        let collections = row.table.collections().filter(|(_, field)| side.has(field));
        found.extend(
            collections
                .map(|(number, field)| (side.collection(number, row.row), field.name.to_string())),
        );
        found.extend(self.list_drafts(row, &taken));
        found.sort_by(|(_, one), (_, other)| one.cmp(other));
        self.list_scratch(row, found)
    }

    /// Items in their order, first drafts and placeholders, then scratch.
    fn list_collection(&self, collection: &Directory<'_>) -> Result<Vec<(Node, String)>> {
        let field = collection.field.ok_or(Error::NotDirectory)?;
        let items = self.library.items(collection.row, &field.name)?;
        let taken = items.iter().map(|link| link.place.clone()).collect();
        let side = collection.side();
        let mut found: Vec<_> = items.into_iter().map(|link| side.listed(link, field)).collect();
        found.extend(self.list_drafts(collection, &taken));
        self.list_scratch(collection, found)
    }

    /// What free slots show.
    fn list_drafts(
        &self,
        directory: &Directory<'_>,
        taken: &HashSet<Place>,
    ) -> Vec<(Node, String)> {
        let shown = |open: &Arc<OpenDraft>| {
            let place = open.place();
            // Of several drafts the first has the name.
            let first = || self.drafts.of(place).into_iter().find(|open| open.is_shown());
            directory.lists(place)
                && !taken.contains(place)
                && first().is_some_and(|first| first.id == open.id)
        };
        let drafts = self.drafts.all().into_iter().filter(shown);
        drafts.map(|it| (Node::Draft(it.id), it.draft.target().written.to_string())).collect()
    }

    fn list_scratch(
        &self,
        directory: &Directory<'_>,
        mut found: Vec<(Node, String)>,
    ) -> Result<Vec<(Node, String)>> {
        let scratch = self.library.scratches(&directory.folder())?;
        found.extend(scratch.into_iter().map(|it| (Node::Scratch(it.id), it.name.to_string())));
        Ok(found)
    }

    fn list_thumb_row(&self, table: &Table, row: RowId) -> Result<Vec<(Node, String)>> {
        let mut found = Vec::new();
        for (field, number) in table.fields.iter().zip(&table.numbers) {
            if field.collection != Collection::One {
                found.push((Node::ThumbCollection(*number, row), field.name.to_string()));
                continue;
            }
            let link = self.library.find(&Place::one(row, field.name.clone()))?;
            found.extend(link.as_ref().and_then(thumbs));
        }
        Ok(found)
    }

    fn list_thumb_collection(&self, field: FieldId, row: RowId) -> Result<Vec<(Node, String)>> {
        let (_, field) = self.library.field(field).ok_or(Error::Stale)?;
        Ok(self.library.items(row, &field.name)?.iter().filter_map(thumbs).collect())
    }

    /// Presets, rendered or not, and what else was rendered.
    fn list_thumbs(&self, id: AttachmentId) -> Result<Vec<(Node, String)>> {
        let attachment = self.library.attachment(id)?.ok_or(Error::Stale)?;
        let field = self.field_of(id)?;
        let format = name::preset_format(&attachment).ok_or(Error::NotFound)?;
        let mut found: Vec<_> =
            field.presets(format).map(|variant| (Node::Unrendered, variant.to_string())).collect();
        for record in self.library.variants(attachment.blob)? {
            let name = record.variant.to_string();
            found.retain(|(_, preset)| *preset != name);
            found.push((Node::Variant(record.id), name));
        }
        Ok(found)
    }
}

/// The directory of an image's variants.
fn thumbs(link: &Link) -> Option<(Node, String)> {
    name::preset_format(&link.attachment)?;
    Some((Node::ThumbField(link.attachment.id), link.place.name().to_string()))
}

fn dots(source: Ino) -> Vec<Listed> {
    let dot =
        |name: &str, next| Listed { ino: source, kind: Kind::Directory, name: name.into(), next };
    vec![dot(".", 1), dot("..", 2)]
}

fn entry(node: Node, name: &str) -> Listed {
    let kind = if node.is_directory() { Kind::Directory } else { Kind::File };
    Listed { ino: node.ino(), kind, name: name.into(), next: 0 }
}
