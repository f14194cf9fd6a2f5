//! The lookups that every part needs: rows, tables and directories by number, and the names of an inode.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::library::Library;
use crate::library::lookup::table::Table;
use crate::library::lookup::target::Target;
use crate::tree::bounded::BoundedMap;
use crate::tree::error::{Error, Result};
use crate::tree::node::mark::Mark;
use crate::tree::node::meaning::{Directory, Spot};
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use words::attachment::{AttachmentId, RowId, TableId};
use words::link::Link;
use words::place::Place;
use words::row::RowRecord;
use words::schema::Field;
use words::slot::Name;

/// The most attachments whose first name is kept.
const MAX: usize = 65_536;

/// How long a first name is kept: longer than the kernel caches a name.
const SPAN_SECS: u64 = 2 * 60 * 60;

/// The part of a library that a tree shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Everything,
    /// Stored files, to read: no scratch, no drafts, no trash, no views and no control files.
    Stored,
}

pub struct Places {
    library: Arc<Library>,
    scope: Scope,
    /// Guards the first name of each attachment that got a second: its old inode stands for that. Never held across I/O.
    first_names: Mutex<BoundedMap<AttachmentId, Place, MAX, SPAN_SECS>>,
}

impl Places {
    pub fn new(library: &Arc<Library>, scope: Scope) -> Self {
        Self { library: Arc::clone(library), scope, first_names: Mutex::default() }
    }

    pub fn table(&self, id: TableId) -> Result<&Table> {
        self.library.lookup.table(id).ok_or(Error::NotFound)
    }

    /// The row of a place. Errors: [`Error::NotFound`] if it is gone.
    pub fn row(&self, id: RowId) -> Result<RowRecord> {
        self.library.lookup.row_by_id(id)?.ok_or(Error::NotFound)
    }

    /// The row of an inode. Errors: [`Error::Stale`] if it is gone.
    pub fn row_of_inode(&self, id: RowId) -> Result<RowRecord> {
        self.library.lookup.row_by_id(id)?.ok_or(Error::Stale)
    }

    /// The directory of an inode, for operations on files in it.
    pub fn directory(&self, ino: Ino) -> Result<Directory<'_>> {
        let node = Node::at(ino)?;
        Directory::of(&self.library, node).ok_or(match node.as_model() {
            Node::Row(..) | Node::Collection(..) | Node::DropBox(_) => Error::Stale,
            // `/models` and its tables take nothing but rows; views are read-only.
            Node::Root | Node::Models | Node::Table(_) => Error::NotPermitted,
            _ => Error::ReadOnly,
        })
    }

    /// The directory of `/models` that lists a place.
    pub fn home_of(&self, place: &Place) -> Result<Node> {
        let row = self.row(place.row)?;
        if place.item.is_none() {
            return Ok(Node::Row(row.table, row.id));
        }
        let number = self.table(row.table)?.number(&place.field).ok_or(Error::NotFound)?;
        Ok(Node::Collection(number, row.id))
    }

    /// The field of a place, as it is configured.
    pub fn field_at(&self, place: &Place) -> Result<Arc<Field>> {
        let row = self.row(place.row)?;
        let field = self.table(row.table)?.field(place.field.as_str());
        field.cloned().ok_or(Error::NotFound)
    }

    /// The target of bytes that are sent to a place under a name.
    pub fn target(&self, spot: &Spot, written: &Name) -> Result<Target> {
        let Spot { place, field } = spot;
        let row = self.row(place.row)?;
        Ok(Target {
            slot: self.library.lookup.slot(&row, place).ok_or(Error::NotFound)?,
            place: place.clone(),
            field: Arc::clone(field),
            written: written.clone(),
            directory: row.access,
        })
    }

    pub fn is_read_only(&self) -> bool {
        self.scope == Scope::Stored
    }

    pub fn shows(&self, node: Node) -> bool {
        !self.is_read_only() || node.properties().is_stored
    }

    /// The mark of a link's inode. A read-only tree has one inode for all names of an attachment: no rules differ by name.
    pub fn mark(&self, link: &Link) -> Mark {
        if self.is_read_only() { Mark::SOLE } else { Mark::among(link) }
    }

    /// The names that an inode may stand for: several if the attachment got others later, or if two have the same mark.
    pub fn names_of(&self, node: Node) -> Result<Vec<Place>> {
        let (id, mark) = match node {
            Node::Attachment(id, mark)
            | Node::ThumbField(id, mark)
            | Node::GuardedThumbs(id, mark) => (id, mark),
            Node::Original(id, edition) => {
                let Some(found) = self.library.lookup.attachment(id)? else {
                    return Ok(Vec::new());
                };
                (id, edition.mark(&Side::Originals.face(found)))
            }
            _ => return Ok(Vec::new()),
        };
        let mut places = self.library.lookup.places(id)?;
        places.retain(|place| mark.is_of(place));
        Ok(places)
    }

    /// The name of an inode whose path the kernel will not look up again: none if it may be several, or is lost.
    pub fn name_of(&self, node: Node) -> Result<Option<Place>> {
        let mut places = self.names_of(node)?;
        if places.len() > 1 {
            let first = self.first_name(node);
            places.retain(|place| Some(place) == first.as_ref());
        }
        Ok(places.pop())
    }

    /// The name that an inode had when the attachment had no other.
    pub fn first_name(&self, node: Node) -> Option<Place> {
        match node {
            Node::Attachment(id, Mark::SOLE) => self.first_names.lock().get(&id).cloned(),
            _ => None,
        }
    }

    /// Notes the only name of an attachment that gets another.
    pub fn note_first_name(&self, id: AttachmentId, place: Place) {
        self.first_names.lock().insert(id, place);
    }

    /// Follows a rename of an attachment: the kernel takes its inode along to the new name.
    pub fn move_first_name(&self, id: AttachmentId, from: &Place, to: &Place) {
        let mut first_names = self.first_names.lock();
        if first_names.get(&id) == Some(from) {
            first_names.insert(id, to.clone());
        }
    }

    pub fn forget_first_name(&self, id: AttachmentId) {
        self.first_names.lock().remove(&id);
    }

    pub fn forget_old(&self, now: Instant) {
        self.first_names.lock().expire(now);
    }

    /// Whether any field keeps originals.
    pub fn keeps_originals(&self) -> bool {
        self.library.lookup.tables().iter().any(|table| Side::Originals.has_table(table))
    }
}
