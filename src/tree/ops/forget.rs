//! What the kernel must forget when something changes, where it does not know that by itself.
//! Does not change anything.

use std::time::Duration;

use crate::library::lookup::table::Table;
use crate::tree::directory::Directory;
use crate::tree::mark::Mark;
use crate::tree::node::Node;
use crate::tree::side::Side;
use crate::tree::{Ino, Result, Tree, name};
use words::attachment::{Attachment, AttachmentId, RowId, TableId};
use words::link::Link;
use words::place::{Folder, Place};
use words::row::RowRecord;
use words::schema::Field;
use words::slot::Name;
use words::timestamp::Timestamp;

/// A reply is held up by a stale name for this long at most, while the kernel or a render has its directory locked.
pub(in crate::tree) const PATIENCE: Duration = Duration::from_millis(50);

impl Tree {
    pub(in crate::tree) fn forget_attributes(&self, node: Node) {
        self.listings.changed();
        if let Some(kernel) = self.kernel.get() {
            kernel.forget_attributes(node.ino());
        }
    }

    fn forget_listing(&self, node: Node) {
        self.listings.changed();
        if let Some(kernel) = self.kernel.get() {
            kernel.forget_listing(node.ino());
        }
    }

    fn forget_name(&self, parent: Node, name: &Name, patience: Duration) {
        self.listings.changed();
        if let Some(kernel) = self.kernel.get() {
            kernel.forget_name(parent.ino(), name, patience);
        }
    }

    /// The name under which the kernel may know a link.
    pub(in crate::tree) fn forget_name_of(&self, link: &Link, patience: Duration) {
        if let Ok(home) = self.home_of(&link.place)
            && let Ok(field) = self.field_at(&link.place)
        {
            self.forget_name(home, &name::listed(link, field.collection), patience);
        }
    }

    /// A link that is asked for by an alias goes or moves: the kernel drops the alias alone, and holds the directory's lock
    /// until it is answered.
    pub(in crate::tree) fn forget_listed(&self, link: &Link, field: &Field, asked: &Name) {
        if name::listed(link, field.collection) != *asked {
            self.forget_name_of(link, Duration::ZERO);
        }
    }

    /// An attachment stayed where it is, and its owner, mode or times are others.
    pub(in crate::tree) fn forget_attachment(&self, id: AttachmentId) {
        self.forget_attributes(Node::Attachment(id, Mark::SOLE));
        self.forget_attributes(Node::ThumbField(id, Mark::SOLE));
    }

    /// What was done to a name of `/originals` was done to a link, which the kernel may know by its name in `/models`.
    pub(in crate::tree) fn forget_link(&self, link: &Link) {
        self.forget_attachment(link.attachment.id);
        self.forget_name_of(link, PATIENCE);
    }

    /// An attachment has lost the name of this place otherwise than by the kernel's own doing. The name must go before the
    /// reply: while the attachment lives on, under another name or in an open handle, its attributes are answered, and an
    /// `O_PATH` open (Samba) of one that is dead asks nobody and is not told to look again.
    pub(in crate::tree) fn displaced(
        &self,
        place: &Place,
        displaced: &Attachment,
        before: Option<&Link>,
    ) {
        self.displaced_within(place, displaced, before, PATIENCE);
    }

    /// What a rename or a link displaces, the kernel asks for with the directory locked: waiting would be in vain.
    pub(in crate::tree) fn displaced_by_name(
        &self,
        place: &Place,
        displaced: &Attachment,
        before: Option<&Link>,
    ) {
        self.displaced_within(place, displaced, before, Duration::ZERO);
    }

    fn displaced_within(
        &self,
        place: &Place,
        displaced: &Attachment,
        before: Option<&Link>,
        patience: Duration,
    ) {
        self.forget_attachment(displaced.id);
        if displaced.links > 0 {
            self.forget_thumbs(place);
        }
        if let Some(link) = before {
            self.forget_name_of(link, patience);
        }
    }

    /// The name under which `/thumbs` shows what hung from a place, where that lives on under another.
    pub(in crate::tree) fn forget_thumbs(&self, place: &Place) {
        let home = match self.home_of(place) {
            Ok(Node::Row(table, row)) => Node::ThumbRow(table, row),
            Ok(Node::Collection(field, row)) => Node::ThumbCollection(field, row),
            _ => return,
        };
        self.forget_name(home, place.name(), PATIENCE);
    }

    /// A row was made, renamed or removed: its table's time moves.
    pub fn table_changed(&self, table: TableId) {
        self.set_table_time(table, Timestamp::now());
    }

    pub(in crate::tree) fn set_table_time(&self, table: TableId, at: Timestamp) {
        self.note_table_time(table, at);
        for node in [Node::Table(table), Node::ThumbTable(table), Node::OriginalTable(table)] {
            self.forget_listing(node);
        }
    }

    /// A row has got another name, or none, or had none: what the kernel knows of the old name beyond the directory that it
    /// asked about.
    pub(in crate::tree) fn row_renamed(&self, table: TableId, row: RowId, names: &[&Name]) {
        self.forget_attributes(Node::ThumbRow(table, row));
        for name in names {
            self.forget_name(Node::ThumbTable(table), name, PATIENCE);
        }
    }

    /// The same, of what was done to it in `/originals`.
    pub(in crate::tree) fn forget_row(&self, table: TableId, row: RowId, name: &Name) {
        self.forget_attributes(Node::Row(table, row));
        self.forget_name(Node::Table(table), name, PATIENCE);
    }

    /// The row's times have moved, and with them its collections'.
    pub(in crate::tree) fn row_changed(&self, place: &Place) {
        self.names_changed(place.row);
    }

    /// The names in a row or in its collections have changed, and its times in the catalogue with them.
    pub(in crate::tree) fn names_changed(&self, row: RowId) {
        if let Ok(Some(row)) = self.library.lookup.row_by_id(row) {
            self.stamps.settle(row.id, row.times.modified);
            self.forget_directories(&row, None);
        }
    }

    /// The names in a directory have changed, of which the catalogue knows nothing: drafts, placeholders, links that wait.
    pub(in crate::tree) fn relist(&self, folder: Folder) {
        let row = folder.row;
        self.stamps.note(folder, Timestamp::now());
        self.names_changed(row);
    }

    /// Like `relist`, for changes that the kernel made itself: needed only if `/originals` shows the row too.
    pub(in crate::tree) fn relist_beyond(&self, folder: Folder) {
        if self.keeps_originals() {
            self.relist(folder);
        } else {
            self.stamps.note(folder, Timestamp::now());
        }
    }

    /// Scratch in a directory has come, gone or got another name: what was done to it in `/originals` shows in `/models`.
    pub(in crate::tree) fn scratch_changed(&self, directory: &Directory<'_>) {
        if directory.side() == Side::Originals {
            self.names_changed(directory.row);
        }
    }

    /// The attributes of a row and its collections, which are the same, and what they list, but for the one that is about to
    /// be answered.
    pub(in crate::tree) fn forget_directories(&self, row: &RowRecord, except: Option<Ino>) {
        let Ok(table) = self.table(row.table) else { return };
        for node in directories(table, row.id) {
            if Some(node.ino()) != except {
                self.forget_listing(node);
            }
        }
    }

    /// Owner or mode of a row are others: those of the directories of its variants are, too.
    pub(in crate::tree) fn forget_thumb_directories(&self, row: RowId) -> Result<()> {
        for link in self.library.lookup.links(row)? {
            self.forget_attributes(Node::ThumbField(link.attachment.id, Mark::SOLE));
        }
        Ok(())
    }

    /// A variant came or went: the directories that may list it, as far as the kernel has asked for them.
    pub fn variants_changed(&self) {
        for ino in self.galleries.changed(Timestamp::now()) {
            if let Some(node) = Node::of(ino) {
                self.forget_listing(node);
            }
        }
    }
}

/// The directories that show a row: itself and its collections, on either side and among the variants.
fn directories(table: &Table, row: RowId) -> impl Iterator<Item = Node> {
    let keeps = table.fields.iter().any(|field| field.keep_original);
    let sides = [Some(Side::Models), keeps.then_some(Side::Originals)];
    let shown = sides.into_iter().flatten().flat_map(move |side| {
        let collections = table.collections().map(move |(number, _)| side.collection(number, row));
        collections.chain([side.row(table.id, row)])
    });
    let thumbs = table.collections().map(move |(number, _)| Node::ThumbCollection(number, row));
    shown.chain(thumbs).chain([Node::ThumbRow(table.id, row)])
}
