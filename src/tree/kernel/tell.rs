//! Telling the kernel what it must forget after each change.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::library::Library;
use crate::library::lookup::table::Table;
use crate::tree::kernel::change::{Change, Displaced, Lock, Maker};
use crate::tree::kernel::change_times::{Generations, RowTimes, TableTimes, VariantDirectories};
use crate::tree::kernel::{Delivery, Kernel};
use crate::tree::node::mark::Mark;
use crate::tree::node::places::Places;
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node, meaning};
use words::attachment::{Attachment, AttachmentId, RowId, TableId};
use words::link::Link;
use words::place::{Folder, Place};
use words::row::RowRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

/// The longest wait of a reply for the kernel to forget a name, while the kernel or a render has the directory locked.
const PATIENCE: Duration = Duration::from_millis(50);

/// The connection to the kernel, and the times and generations that directories show so that the kernel asks again.
pub struct Knowledge {
    library: Arc<Library>,
    places: Arc<Places>,
    /// Set before the first request; a tree without a kernel tells nobody.
    kernel: OnceLock<Box<dyn Kernel>>,
    /// The number of invalidations.
    changes: AtomicU64,
    /// Times and generations of directories. [`Knowledge::tell`] alone changes them.
    pub rows: RowTimes,
    pub tables: TableTimes,
    pub variants: VariantDirectories,
    pub generations: Generations,
}

impl Knowledge {
    pub fn new(library: &Arc<Library>, places: &Arc<Places>, started: Timestamp) -> Self {
        Self {
            library: Arc::clone(library),
            places: Arc::clone(places),
            kernel: OnceLock::new(),
            changes: AtomicU64::new(0),
            rows: RowTimes::default(),
            tables: TableTimes::starting(started),
            variants: VariantDirectories::default(),
            generations: Generations::default(),
        }
    }

    pub fn connect(&self, kernel: Box<dyn Kernel>) {
        // A tree has one session: a second kernel is ignored.
        let _ = self.kernel.set(kernel);
    }

    /// How the bytes of large files reach their readers; none without a kernel.
    pub fn delivery(&self) -> Option<Delivery> {
        self.kernel.get().map(|kernel| kernel.delivery())
    }

    /// The number of changes so far, other daemons' included. A result that was read while it grew may be stale.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// Counts a change that the kernel need not be told of.
    pub fn count_change(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// Makes the kernel forget whatever a change has made untrue. Called after the change and before the reply, so that the next
    /// lookup finds what `close` has acknowledged.
    pub fn tell(&self, change: &Change<'_>) {
        match change {
            Change::Attached { place, id, displaced } => {
                self.names(place.row);
                match displaced {
                    Some(_) => self.displaced(place, displaced.as_ref()),
                    None => self.attachment(*id),
                }
            }
            Change::Linked { place, id, displaced } => {
                self.names(place.row);
                self.attachment(*id);
                self.displaced(place, displaced.as_ref());
            }
            Change::Moved { id, from, to, displaced } => {
                self.moved(*id, from, to, displaced.as_ref());
            }
            Change::Detached { place, lost } => {
                self.displaced(place, Some(&Displaced::by_handle(lost, None)));
                self.names(place.row);
            }
            Change::Alias { link, field, asked } => {
                if meaning::listed(link, field.collection) != **asked {
                    self.name_of(link, Lock::Held);
                }
            }
            Change::Form { parent, name } => self.name(*parent, name, Lock::Held),
            Change::ByOriginal(link) => {
                self.attachment(link.attachment.id);
                self.name_of(link, Lock::Free);
            }
            Change::Amended { id, side: Side::Originals } => self.attachment(*id),
            // The kernel has the attributes from the answer. But whether it may keep the names of variants depends on the mode.
            Change::Amended { id, side: Side::Models } => self.variants_of(*id),
            Change::Patched { row, detached, changed } => self.patched(row, detached, changed),
            Change::Names(row) => self.names(*row),
            Change::Unstored { folder, by } => self.unstored(folder, *by),
            // The kernel knows of the change in `/models`, where it asked for it.
            Change::Scratch(directory) if directory.side() == Side::Models => {}
            Change::Scratch(directory) => self.names(directory.row),
            Change::RowAmended { row, amendment, links, asked } => {
                if amendment.modified.is_some() {
                    self.rows.forget(row.id);
                }
                links.iter().for_each(|link| self.variants_of(link.attachment.id));
                self.directories(row, Some(*asked));
            }
            Change::RowRenamed { table, row, from, to } => {
                self.table(*table, Timestamp::now());
                self.attributes(Node::ThumbRow(*table, *row));
                for name in [from, to] {
                    self.name(Node::ThumbTable(*table), name, Lock::Free);
                }
            }
            Change::RowRemoved { table, row } => self.row_removed(*table, *row),
            Change::RowByOriginal { table, row, name } => {
                self.attributes(Node::Row(*table, *row));
                self.name(Node::Table(*table), name, Lock::Free);
            }
            Change::Table { table, at } => self.table(*table, *at),
            Change::Variants => self.variants_changed(),
            Change::Cleared { directory, folder } => self.cleared(*directory, folder.as_ref()),
        }
    }

    /// A directory of variants is about to be listed: the kernel is told of each variant that is rendered or removed from now on.
    pub fn list_variants(&self, directory: Node) {
        let over = self.variants.list(directory.ino(), Timestamp::now());
        over.into_iter().filter_map(Node::of).for_each(|node| self.attributes(node));
    }

    fn moved(&self, id: AttachmentId, from: &Place, to: &Place, displaced: Option<&Displaced<'_>>) {
        // The kernel keeps the inode, and another table may have fixed other bits of its mode.
        self.attributes(Node::Attachment(id, Mark::SOLE));
        self.names(from.row);
        self.names(to.row);
        self.thumbs_name(from);
        self.thumbs_name(to);
        self.displaced(to, displaced);
    }

    /// An attachment has lost the name of a place without a request of the kernel. The kernel must forget the name before the
    /// reply: while another name or an open handle keeps the attachment alive its attributes are answered, and an `O_PATH` open
    /// (Samba) of a cached name sends no request at all.
    fn displaced(&self, place: &Place, displaced: Option<&Displaced<'_>>) {
        let Some(displaced) = displaced else { return };
        self.attachment(displaced.attachment.id);
        if displaced.attachment.links > 0 {
            self.thumbs_name(place);
        }
        if let Some(link) = displaced.known {
            self.name_of(link, displaced.lock);
        }
    }

    fn patched(&self, row: &RowRecord, detached: &[(Link, Attachment)], changed: &[Link]) {
        for (link, lost) in detached {
            self.displaced(&link.place, Some(&Displaced::by_handle(lost, Some(link))));
            self.names(link.place.row);
        }
        for link in changed {
            self.attachment(link.attachment.id);
        }
        self.directories(row, None);
    }

    /// Names in a row or in its collections have changed, and so have its times in the catalogue.
    fn names(&self, row: RowId) {
        if let Ok(Some(row)) = self.library.lookup.row_by_id(row) {
            self.rows.overtake(row.id, row.times.modified);
            self.directories(&row, None);
        }
    }

    fn unstored(&self, folder: &Folder, by: Maker) {
        self.rows.note(folder.clone(), Timestamp::now());
        if by == Maker::Daemon || self.places.keeps_originals() {
            self.names(folder.row);
        }
    }

    fn row_removed(&self, table: TableId, row: RowId) {
        self.attributes(Node::ThumbRow(table, row));
        self.generations.forget(Node::ThumbRow(table, row).ino());
        for (number, _) in self.library.lookup.table(table).into_iter().flat_map(Table::collections)
        {
            for side in [Side::Models, Side::Originals] {
                self.generations.forget(side.collection(number, row).ino());
            }
            self.generations.forget(Node::ThumbCollection(number, row).ino());
        }
        self.table(table, Timestamp::now());
    }

    fn table(&self, table: TableId, at: Timestamp) {
        self.tables.set(table, at);
        for node in [Node::Table(table), Node::ThumbTable(table), Node::OriginalTable(table)] {
            self.listing(node);
        }
    }

    /// The directories that may list a variant and that the kernel has read.
    fn variants_changed(&self) {
        let listed = self.variants.changed(Timestamp::now());
        listed.into_iter().filter_map(Node::of).for_each(|node| self.listing(node));
    }

    fn cleared(&self, directory: Node, folder: Option<&Folder>) {
        self.generations.renew(directory.ino());
        match folder {
            Some(folder) => self.unstored(folder, Maker::Kernel),
            None => self.count_change(),
        }
    }

    /// The attributes of an attachment have changed, and with them those of the directory of its variants.
    fn attachment(&self, id: AttachmentId) {
        self.attributes(Node::Attachment(id, Mark::SOLE));
        self.variants_of(id);
    }

    /// The attributes of the directory of an attachment's variants have changed.
    fn variants_of(&self, id: AttachmentId) {
        self.attributes(Node::ThumbField(id, Mark::SOLE));
    }

    /// The name by which the kernel may know a link.
    fn name_of(&self, link: &Link, lock: Lock) {
        if let Ok(home) = self.places.home_of(&link.place)
            && let Ok(field) = self.places.field_at(&link.place)
        {
            self.name(home, &meaning::listed(link, field.collection), lock);
        }
    }

    /// The name under which `/thumbs` shows the attachment of a place, if the attachment has other names too.
    fn thumbs_name(&self, place: &Place) {
        let home = match self.places.home_of(place) {
            Ok(Node::Row(table, row)) => Node::ThumbRow(table, row),
            Ok(Node::Collection(field, row)) => Node::ThumbCollection(field, row),
            _ => return,
        };
        self.name(home, place.name(), Lock::Free);
    }

    /// The attributes and listings of a row and its collections, except those of the inode that the reply is for.
    fn directories(&self, row: &RowRecord, except: Option<Ino>) {
        let Some(table) = self.library.lookup.table(row.table) else { return };
        for node in directories(table, row.id) {
            if Some(node.ino()) != except {
                self.listing(node);
            }
        }
    }

    fn attributes(&self, node: Node) {
        self.ask(|kernel| kernel.forget_attributes(node.ino()));
    }

    fn listing(&self, node: Node) {
        self.ask(|kernel| kernel.forget_listing(node.ino()));
    }

    /// The kernel needs the directory's lock to forget a name. If the request holds that, waiting would last the whole patience.
    fn name(&self, parent: Node, name: &Name, lock: Lock) {
        let patience = match lock {
            Lock::Held => Duration::ZERO,
            Lock::Free => PATIENCE,
        };
        self.ask(|kernel| kernel.forget_name(parent.ino(), name, patience));
    }

    fn ask(&self, forget: impl FnOnce(&dyn Kernel)) {
        self.count_change();
        if let Some(kernel) = self.kernel.get() {
            forget(&**kernel);
        }
    }
}

/// The directories that show a row: itself and its collections, on either side and among the variants.
fn directories(table: &Table, row: RowId) -> impl Iterator<Item = Node> {
    let sides = [Side::Models, Side::Originals].into_iter().filter(|side| side.has_table(table));
    let shown = sides.flat_map(move |side| {
        let collections = table.collections().map(move |(number, _)| side.collection(number, row));
        collections.chain([side.row(table.id, row)])
    });
    let thumbs = table.collections().map(move |(number, _)| Node::ThumbCollection(number, row));
    shown.chain(thumbs).chain([Node::ThumbRow(table.id, row)])
}

#[cfg(test)]
mod tests;
