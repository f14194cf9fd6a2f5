//! Listing directories.
//! Does not render and does not decide by who asks: what a directory lists is the same for everybody.

use std::sync::Mutex;

use crate::attachment::{AttachmentId, RowId, TableId};
use crate::catalog::{Folder, RowRecord};
use crate::library::Table;
use crate::tree::attr::{Kind, Listed};
use crate::tree::handles::{Handle, Listing};
use crate::tree::name;
use crate::tree::node::Node;
use crate::tree::{Caller, Error, Fh, Ino, Result, Tree, node};

/// Rows that one query reads.
const PAGE: usize = 512;
/// Offsets of a table's rows begin after `.` and `..`: the offset of a row is its number plus this.
const DOTS: u64 = 2;

impl Tree {
    pub fn opendir(&self, _: Caller, ino: Ino) -> Result<Fh> {
        let node = node(ino)?;
        if !node.is_directory() {
            return Err(Error::NotDirectory);
        }
        let listing = match node {
            Node::Table(_) | Node::ThumbTable(_) => Listing::Rows { source: ino },
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
            Listing::Rows { source } => self.list_rows(*source, offset),
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

    fn list_rows(&self, source: Ino, offset: u64) -> Result<Vec<Listed>> {
        let (table, make): (_, fn(TableId, RowId) -> Node) = match node(source)? {
            Node::Table(table) => (table, Node::Row),
            Node::ThumbTable(table) => (table, Node::ThumbRow),
            _ => return Err(Error::NotDirectory),
        };
        let mut listed = if offset < DOTS { dots(source) } else { Vec::new() };
        listed.drain(..usize::try_from(offset).unwrap_or(0).min(listed.len()));
        let after = RowId(offset.saturating_sub(DOTS));
        let rows = self.library.rows(table, after, PAGE)?;
        listed.extend(rows.into_iter().map(|row: RowRecord| Listed {
            ino: make(table, row.id).ino(),
            kind: Kind::Directory,
            name: row.name.as_str().into(),
            next: row.id.0 + DOTS,
        }));
        Ok(listed)
    }

    /// A whole directory, numbered from 1.
    fn list(&self, source: Ino) -> Result<Vec<Listed>> {
        let found = match node(source)? {
            Node::Root => vec![
                (Node::Models, "models".to_owned()),
                (Node::Thumbs, "thumbs".to_owned()),
                (Node::Control, ".mediafs".to_owned()),
            ],
            Node::Models => self.list_tables(|table| Node::Table(table.id)),
            Node::Thumbs => self.list_tables(|table| Node::ThumbTable(table.id)),
            Node::Row(_, row) => self.list_row(row)?,
            Node::ThumbRow(_, row) => self.list_thumb_row(row)?,
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

    fn list_tables(&self, node: impl Fn(&Table) -> Node) -> Vec<(Node, String)> {
        self.library.tables().iter().map(|table| (node(table), table.name.to_string())).collect()
    }

    /// Fields by name, first drafts and placeholders, then scratch.
    fn list_row(&self, row: RowId) -> Result<Vec<(Node, String)>> {
        let links = self.library.links(row)?;
        let mut found: Vec<_> = links
            .iter()
            .map(|link| (Node::Attachment(link.attachment.id), name::listed(link).to_string()))
            .collect();
        for open in self.drafts.all() {
            let place = open.place();
            let free = place.row == row && !links.iter().any(|link| link.place == *place);
            // Of several drafts the first has the name.
            let first = || self.drafts.of(place).into_iter().find(|open| open.is_shown());
            if free && first().is_some_and(|first| first.id == open.id) {
                found.push((Node::Draft(open.id), open.draft.target().written.to_string()));
            }
        }
        found.sort_by(|(_, one), (_, other)| one.cmp(other));
        let scratch = self.library.scratches(&Folder::row(row))?;
        found.extend(scratch.into_iter().map(|it| (Node::Scratch(it.id), it.name.to_string())));
        Ok(found)
    }

    fn list_thumb_row(&self, row: RowId) -> Result<Vec<(Node, String)>> {
        let links = self.library.links(row)?;
        let images =
            links.into_iter().filter(|link| name::preset_format(&link.attachment).is_some());
        Ok(images
            .map(|link| (Node::ThumbField(link.attachment.id), link.place.field.to_string()))
            .collect())
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

fn dots(source: Ino) -> Vec<Listed> {
    let dot =
        |name: &str, next| Listed { ino: source, kind: Kind::Directory, name: name.into(), next };
    vec![dot(".", 1), dot("..", 2)]
}

fn entry(node: Node, name: &str) -> Listed {
    let kind = if node.is_directory() { Kind::Directory } else { Kind::File };
    Listed { ino: node.ino(), kind, name: name.into(), next: 0 }
}
