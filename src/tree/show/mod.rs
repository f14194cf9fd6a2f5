//! Attributes, the answers to lookups, and listings.

pub mod attr;
pub mod listing;

use std::sync::Arc;

use crate::library::Library;
use crate::library::scratch::ScratchStat;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::mark::Mark;
use crate::tree::node::meaning::Directory;
use crate::tree::node::places::Places;
use crate::tree::node::side::Side;
use crate::tree::node::{Kind, Node};
use crate::tree::show::attr::{Attr, Entry};
use crate::tree::show::listing::Listed;
use words::access::{Fixed, Policy};
use words::attachment::{Access, Attachment, RowId, ScratchId, Times};
use words::link::Link;
use words::row::RowRecord;
use words::schema::Field;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

/// Makes attributes of the catalogue's records, with the times and generations that the kernel must see.
pub struct Show {
    pub(super) library: Arc<Library>,
    pub(super) places: Arc<Places>,
    pub(super) kernel: Arc<Knowledge>,
    /// When the daemon was started.
    pub started: Timestamp,
}

impl Show {
    /// The answer to a lookup of a name that led to a link. An attachment with several names is looked up every time, so that
    /// each request comes with the inode of the name that was used.
    pub fn link(&self, side: Side, shown: &Link, field: &Field, asked: &Name) -> Entry {
        match self.places.mark(shown) {
            Mark::SOLE => Entry::link(side, shown, field, asked),
            mark => {
                let ino = side.file(&shown.attachment).under(mark).ino();
                Entry::fleeting(Attr { ino, ..Attr::attachment(side, &shown.attachment) })
            }
        }
    }

    /// The entry of a link in a listing. It has the number that `stat` shows; a lookup replaces it before the inode is used.
    pub fn link_in_list(&self, side: Side, shown: &Link, field: &Field, name: &Name) -> Entry {
        match self.places.mark(shown) {
            Mark::SOLE => Entry::link(side, shown, field, name),
            _ => Entry::fleeting(Attr::attachment(side, &shown.attachment)),
        }
    }

    /// The entry of a row or of a collection in it, on either side or in `/thumbs`. The kernel keeps none of `/originals`.
    pub fn row(&self, node: Node, row: &RowRecord) -> Entry {
        let attr = match node.as_model() {
            Node::Row(..) => {
                let table = self.library.lookup.table(row.table);
                let collections = table.map_or(0, |it| it.collections().count());
                // Like any directory: `.`, its name, and `..` of each directory in it.
                let links = 2 + u32::try_from(collections).unwrap_or(u32::MAX - 2);
                let times = self.kernel.rows.shown(row.id, None, row.times);
                Attr { links, ..Attr::directory(node, row.access, times) }
            }
            // A collection has its row's owner, mode and times, and those of the first drafts in it.
            Node::Collection(field, _) => {
                let name = self.library.lookup.field(field).map(|(_, field)| &field.name);
                let times = self.kernel.rows.shown(row.id, name, row.times);
                Attr::directory(node, row.access, times)
            }
            // In `/thumbs`, with the row's access: entering the row and seeing its variants is one permission.
            _ => Attr::directory(node, row.access, row.times),
        };
        match Side::of(node) {
            Side::Models => Entry::lasting(attr),
            Side::Originals => Entry::fleeting(attr),
        }
    }

    /// A drop box has the owner and mode of the table whose rows its files become.
    pub fn drop_box(&self, id: RowId) -> Result<Attr> {
        let row = self.places.row(id)?;
        let rule = self.library.lookup.drop_box(id).map(|drop_box| &drop_box.rule);
        let table = rule.and_then(|rule| self.library.lookup.table_named(rule.table.as_str()));
        let access = table.ok_or(Error::NotFound)?.directory(self.daemon());
        Ok(Attr::directory(Node::DropBox(id), access, row.times))
    }

    /// The access of a directory that takes files.
    pub fn directory(&self, directory: &Directory<'_>) -> Result<Access> {
        match directory.node {
            Node::DropBox(id) => Ok(self.drop_box(id)?.access),
            _ => Ok(self.places.row(directory.row)?.access),
        }
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

    /// The directory of an image's variants.
    pub fn variants(&self, node: Node, attachment: &Attachment, row: &RowRecord) -> Entry {
        let times = self.kernel.variants.shown(Times::all(attachment.committed));
        let attr = Attr::directory(node, row.access, times);
        let is_kept = matches!(node, Node::ThumbField(_, Mark::SOLE));
        if is_kept { Entry::lasting(attr) } else { Entry::fleeting(attr) }
    }

    /// A read-only directory of the daemon's.
    pub fn view(&self, node: Node, times: Times) -> Attr {
        Attr::directory(node, Access { mode: 0o555, ..self.daemon() }, times)
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

    /// The entry with its generation.
    pub fn with_generation(&self, entry: Entry) -> Entry {
        let Attr { ino, kind, .. } = entry.attr;
        match kind {
            Kind::Directory => Entry { generation: self.kernel.generations.of(ino), ..entry },
            Kind::File | Kind::Symlink => entry,
        }
    }

    pub fn listed(&self, child: Listed) -> Listed {
        Listed { entry: child.entry.map(|entry| self.with_generation(entry)), ..child }
    }
}

/// A scratch file, which has lost its name if `links` is 0.
pub fn scratch(id: ScratchId, access: Access, links: u32, stat: ScratchStat) -> Attr {
    Attr { links, ..Attr::file(Node::Scratch(id), stat.size, access, stat.times) }
}
