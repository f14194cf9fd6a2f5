//! The shown side of each node: attributes, the answers to lookups, and listings.

pub mod attr;
pub mod child;
pub mod listing;
pub mod stored;

use std::sync::Arc;

use crate::library::Library;
use crate::library::scratch::ScratchStat;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::mark::Mark;
use crate::tree::node::places::Places;
use crate::tree::node::side::Side;
use crate::tree::node::{Kind, Node};
use crate::tree::show::attr::{Attr, Entry};
use crate::tree::show::child::Child;
use crate::tree::show::listing::Listed;
use words::access::{Fixed, Policy};
use words::attachment::{Access, Attachment, FieldId, RowId, ScratchId, Times};
use words::link::Link;
use words::row::RowRecord;
use words::schema::Field;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

/// Shows what the catalogue says, with the times and generations that the kernel must see.
pub struct Show {
    library: Arc<Library>,
    places: Arc<Places>,
    kernel: Arc<Knowledge>,
    started: Timestamp,
}

impl Show {
    pub fn new(
        library: &Arc<Library>,
        places: &Arc<Places>,
        kernel: &Arc<Knowledge>,
        started: Timestamp,
    ) -> Self {
        let (library, places, kernel) =
            (Arc::clone(library), Arc::clone(places), Arc::clone(kernel));
        Self { library, places, kernel, started }
    }

    /// When the daemon was started.
    pub fn started(&self) -> Timestamp {
        self.started
    }

    /// The answer to a lookup of a name that led to a link. An attachment with several names is looked up every time, so that
    /// each request comes with the inode of the name that was used.
    pub fn link(&self, side: Side, shown: &Link, field: &Field, asked: &Name) -> Entry {
        match self.places.mark(shown) {
            Mark::SOLE => stored::link(side, shown, field, asked),
            mark => {
                let ino = side.file(&shown.attachment).under(mark).ino();
                Entry::fleeting(Attr { ino, ..stored::attachment(side, &shown.attachment) })
            }
        }
    }

    /// The entry of a link in a listing: it has the number that `stat` tells, which a lookup replaces before the inode is used.
    pub fn link_in_list(&self, side: Side, shown: &Link, field: &Field, name: &Name) -> Entry {
        match self.places.mark(shown) {
            Mark::SOLE => stored::link(side, shown, field, name),
            _ => Entry::fleeting(stored::attachment(side, &shown.attachment)),
        }
    }

    pub fn row(&self, row: &RowRecord) -> Attr {
        let collections =
            self.library.lookup.table(row.table).map_or(0, |it| it.collections().count());
        // Like any directory: `.`, its name, and `..` of each directory in it.
        let links = 2 + u32::try_from(collections).unwrap_or(u32::MAX - 2);
        let times = self.kernel.rows.shown(row.id, None, row.times);
        Attr { links, times, ..directory(Node::Row(row.table, row.id), row) }
    }

    /// A collection has its row's owner, mode and times, and those of the first drafts in it.
    pub fn collection(&self, field: FieldId, row: &RowRecord) -> Attr {
        let name = self.library.lookup.field(field).map(|(_, field)| &field.name);
        let times = self.kernel.rows.shown(row.id, name, row.times);
        Attr { times, ..directory(Node::Collection(field, row.id), row) }
    }

    /// A drop box has the owner and mode of the table whose rows its files become.
    pub fn drop_box(&self, id: RowId) -> Result<Attr> {
        let row = self.places.row(id)?;
        let rule = self.library.lookup.drop_box(id).map(|drop_box| &drop_box.rule);
        let table = rule.and_then(|rule| self.library.lookup.table_named(rule.table.as_str()));
        let access = table.ok_or(Error::NotFound)?.directory(self.daemon());
        Ok(Attr { access, ..directory(Node::DropBox(id), &row) })
    }

    /// A directory that the configuration makes.
    pub fn fixed(&self, node: Node) -> Attr {
        let mut attr = self.view(node, Times::all(self.started));
        if let Node::Table(table) | Node::ThumbTable(table) = node.as_model() {
            if let Some(table) = self.library.lookup.table(table) {
                attr.access = table.directory(self.daemon());
            }
            attr.times = Times::all(self.kernel.tables.of(table));
        }
        attr
    }

    /// The directory of an image's variants, among those of its row.
    pub fn variants(&self, node: Node, attachment: &Attachment, row: &RowRecord) -> Entry {
        let times = self.kernel.variants.shown(Times::all(attachment.committed));
        let attr = self.thumbs(node, row, times);
        let is_kept = matches!(node, Node::ThumbField(_, Mark::SOLE));
        if is_kept { Entry::lasting(attr) } else { Entry::fleeting(attr) }
    }

    /// A directory of `/thumbs` below a row. It has the row's owner and mode: a user who may not enter the row may not see its
    /// variants, and one who may remove files in the row may purge them.
    pub fn thumbs(&self, node: Node, row: &RowRecord, times: Times) -> Attr {
        Attr { access: row.access, ..self.view(node, times) }
    }

    /// A directory that nobody writes to.
    pub fn view(&self, node: Node, times: Times) -> Attr {
        let access = Access { mode: 0o555, ..self.daemon() };
        Attr { ino: node.ino(), kind: Kind::Directory, size: 0, links: 2, access, times }
    }

    /// The owner of files that belong to no user.
    pub fn daemon(&self) -> Access {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        let own = Access { uid: uid.as_raw(), gid: gid.as_raw(), mode: 0o444 };
        let Policy { uid, gid, .. } = self.library.settings.access;
        Fixed { uid, gid, mode: None }.of(own)
    }

    pub fn scratch(&self, record: &ScratchRecord) -> Result<Attr> {
        let stat = self.library.scratch.stat(record)?;
        Ok(scratch(record.id, self.library.scratch.access(record), 1, stat))
    }

    /// Tells a directory from earlier ones with its number.
    pub fn generation(&self, attr: &Attr) -> u64 {
        if attr.kind == Kind::Directory { self.kernel.generations.of(attr.ino) } else { 0 }
    }

    pub fn listed(&self, child: Child) -> Listed {
        let Child { node, name, place, entry } = child;
        let kind = node.properties().kind;
        let entry = entry.map(|it| Entry { generation: self.generation(&it.attr), ..it });
        Listed { ino: node.ino(), kind, name: name.into(), next: place, entry }
    }
}

/// The attributes of a directory with a row's owner, mode and times.
fn directory(node: Node, row: &RowRecord) -> Attr {
    let RowRecord { access, times, .. } = *row;
    Attr { ino: node.ino(), kind: Kind::Directory, size: 0, links: 2, access, times }
}

pub fn scratch(id: ScratchId, access: Access, links: u32, stat: ScratchStat) -> Attr {
    let ScratchStat { size, times } = stat;
    Attr { ino: Node::Scratch(id).ino(), kind: Kind::File, size, links, access, times }
}
