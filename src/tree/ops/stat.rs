//! What `stat` shows of each node.
//! Does not look names up.

use std::mem::discriminant;

use crate::library::scratch::{ScratchStat, private};
use crate::tree::attr::{Attr, Entry, Kind, Lifetime, Shown};
use crate::tree::document::{Document, View};
use crate::tree::drafts::OpenDraft;
use crate::tree::handles::Handle;
use crate::tree::mark::Mark;
use crate::tree::node::Node;
use crate::tree::ops::url::writing_attr;
use crate::tree::{Caller, Error, Fh, Ino, Result, Tree, name, node};
use words::access::{Fixed, Policy};
use words::attachment::{Access, Attachment, AttachmentId, FieldId, ScratchId, Times};
use words::link::Link;
use words::rendition::VariantRecord;
use words::row::RowRecord;
use words::schema::Collection;
use words::scratch::ScratchRecord;
use words::timestamp::Timestamp;

impl Tree {
    /// The attributes of an inode. One that has lost its name is [`Error::Stale`] unless a handle is open on it.
    pub fn getattr(&self, who: Caller, ino: Ino, fh: Option<Fh>) -> Result<Shown> {
        if let Some(fh) = fh
            && let Some(shown) = self.stat_handle(fh)?
        {
            return Ok(shown);
        }
        match node(ino)? {
            node @ Node::Attachment(id, _) => {
                Ok(of_attachment(node, self.stat_attachment(who, (node, id))?))
            }
            Node::Original(id, edition) => Ok(brief(self.stat_original(who, (id, edition))?)),
            Node::Draft(id) => {
                let open = self.drafts.find(id).or_else(|| self.handles.open_nothing(id));
                self.draft_shown(&*open.ok_or(Error::Stale)?)
            }
            Node::Scratch(id) => Ok(brief(self.stat_scratch(id)?)),
            Node::Url(view) => Ok(brief(self.stat_url(view)?)),
            Node::Link(id) => Ok(brief(self.stat_link(id)?)),
            Node::Variant(id) => {
                // One that was purged or trimmed is what its open handles show.
                let found = self.library.variants.by_id(id)?;
                let links = u32::from(found.is_some());
                let record = found.or_else(|| self.handles.open_variant(id)).ok_or(Error::Stale)?;
                Ok(kept(Attr { links, ..variant_attr(&record) }))
            }
            Node::Row(_, id) => {
                let row = self.library.lookup.row_by_id(id)?.ok_or(Error::Stale)?;
                Ok(kept(self.row_attr(&row)))
            }
            Node::OriginalRow(_, id) => {
                let row = self.library.lookup.row_by_id(id)?.ok_or(Error::Stale)?;
                Ok(brief(Attr { ino, ..self.row_attr(&row) }))
            }
            Node::OriginalCollection(field, id) => {
                let row = self.library.lookup.row_by_id(id)?.ok_or(Error::Stale)?;
                self.directory(ino)?;
                Ok(brief(Attr { ino, ..self.collection_attr(field, &row) }))
            }
            Node::Collection(field, id) => {
                let row = self.library.lookup.row_by_id(id)?.ok_or(Error::Stale)?;
                self.directory(ino)?;
                Ok(kept(self.collection_attr(field, &row)))
            }
            other => self.stat_fixed(who, other),
        }
    }

    /// A handle knows its file whatever became of the name.
    fn stat_handle(&self, fh: Fh) -> Result<Option<Shown>> {
        Ok(match &*self.handles.find(fh)? {
            Handle::Draft { open, .. } | Handle::Nothing(open) => Some(self.draft_shown(open)?),
            Handle::Scratch(scratch) => {
                scratch.became.get().map(|open| self.draft_shown(open)).transpose()?
            }
            Handle::Document(document) => Some(self.document_shown(document)?),
            _ => None,
        })
    }

    /// What `fstat` shows of a draft: the inode number is that of the file it will replace, as `stat` by path shows it. vim
    /// writes to nothing else ('File changed while writing'). Without a name it has no links, as any open file.
    pub(in crate::tree) fn draft_shown(&self, open: &OpenDraft) -> Result<Shown> {
        let attr = draft_attr(open);
        let ino = open.over.map_or(attr.ino, |id| Node::Attachment(id, Mark::SOLE).ino());
        let names = open.draft.names(&self.library.lookup)?;
        let links = names.unwrap_or_else(|| u32::from(!open.is_unlinked()));
        Ok(brief(Attr { ino, links, ..attr }))
    }

    /// An open document has the size of its own text.
    pub(in crate::tree) fn document_shown(&self, document: &Document) -> Result<Shown> {
        let size = document.size();
        Ok(brief(match &document.view {
            View::Row(table, id) => Attr { size, ..self.row_json_attr(*table, *id)? },
            View::Url(writing) => writing_attr(writing, size),
        }))
    }

    /// While a handle is open on it this may be an `fstat`: the attributes are answered though the name is lost.
    fn stat_attachment(&self, who: Caller, (node, id): (Node, AttachmentId)) -> Result<Attr> {
        if let Some(open) = self.handles.open_attachment(id) {
            let lost = Attachment { links: 0, ..open };
            return Ok(attachment_attr(&self.library.lookup.attachment(id)?.unwrap_or(lost)));
        }
        Ok(attachment_attr(&self.living_at(who, node, id)?))
    }

    /// Scratch that has lost its name is still what its open handles show.
    pub(in crate::tree) fn stat_scratch(&self, id: ScratchId) -> Result<Attr> {
        if let Some(record) = self.library.scratch.by_id(id)? {
            return self.scratch_attr(&record);
        }
        let handles = self.handles.open_scratch(id);
        let open = handles.first().ok_or(Error::Stale)?;
        if let Some(draft) = open.became.get() {
            return Ok(self.draft_shown(draft)?.attr);
        }
        let stat = ScratchStat::of(&open.file).map_err(super::files::failed)?;
        Ok(scratch_attr(id, private(open.access), 0, stat))
    }

    fn stat_fixed(&self, who: Caller, node: Node) -> Result<Shown> {
        Ok(match node {
            Node::ThumbRow(_, id) | Node::ThumbCollection(_, id) => {
                let row = self.library.lookup.row_by_id(id)?.ok_or(Error::Stale)?;
                kept(self.thumb_view(node, &row, row.times))
            }
            Node::ThumbField(id, _) | Node::GuardedThumbs(id, _) => {
                let attachment = self.thumbed(node, id)?;
                let row = self.row(self.place_of(who, node)?.row)?;
                let Entry { attr, attributes, .. } = self.thumbs_entry(node, &attachment, &row);
                Shown { attr, attributes }
            }
            Node::Table(_)
            | Node::OriginalTable(_)
            | Node::ThumbTable(_)
            | Node::Root
            | Node::Models
            | Node::Originals
            | Node::Thumbs
            | Node::Drop => kept(self.fixed(node)),
            // Listed as long as its time of change stays: it never does.
            Node::Trash => {
                let attr = self.fixed(node);
                let times = Times { modified: Timestamp::now(), ..attr.times };
                brief(Attr { times, ..attr })
            }
            Node::RowJson(table, id) => brief(self.row_json_attr(table, id)?),
            Node::DropBox(id) => brief(self.box_attr(id)?),
            Node::TrashDay(day) => brief(self.trash_day_attr(day)),
            Node::Trashed(id) => brief(self.stat_trashed(id)?),
            _ => brief(self.stat_control(who, node)?),
        })
    }

    /// The attachment whose variants an inode shows: it hangs somewhere, and who may read it has not changed.
    pub(in crate::tree) fn thumbed(&self, node: Node, id: AttachmentId) -> Result<Attachment> {
        let found = self.library.lookup.attachment(id)?.filter(|found| found.links > 0);
        let same = |found: &Attachment| {
            discriminant(&Node::thumbs_of(found, Mark::SOLE)) == discriminant(&node)
        };
        found.filter(same).ok_or(Error::Stale)
    }

    /// The directory of an image's variants, in this row.
    pub(in crate::tree) fn thumbs_entry(
        &self,
        node: Node,
        attachment: &Attachment,
        row: &RowRecord,
    ) -> Entry {
        let times = self.galleries.shown(Times::all(attachment.committed));
        let attr = self.thumb_view(node, row, times);
        let is_kept = matches!(node, Node::ThumbField(_, Mark::SOLE));
        if is_kept { lasting(attr) } else { fleeting(attr) }
    }

    pub(in crate::tree) fn row_attr(&self, row: &RowRecord) -> Attr {
        let collections =
            self.library.lookup.table(row.table).map_or(0, |it| it.collections().count());
        // Like any directory: `.`, its name, and `..` of each directory in it.
        let links = 2 + u32::try_from(collections).unwrap_or(u32::MAX - 2);
        let times = self.stamps.shown(row.id, None, row.times);
        Attr { links, times, ..directory_attr(Node::Row(row.table, row.id), row) }
    }

    /// A collection has its row's owner, mode and times, and those of the first drafts in it.
    pub(in crate::tree) fn collection_attr(&self, field: FieldId, row: &RowRecord) -> Attr {
        let name = self.library.lookup.field(field).map(|(_, field)| &field.name);
        let times = self.stamps.shown(row.id, name, row.times);
        Attr { times, ..directory_attr(Node::Collection(field, row.id), row) }
    }

    /// Tells a directory from those that had its number before.
    pub(in crate::tree) fn generation_of(&self, attr: &Attr) -> u64 {
        if attr.kind == Kind::Directory { self.generations.of(attr.ino) } else { 0 }
    }

    /// A directory that the configuration makes.
    pub(in crate::tree) fn fixed(&self, node: Node) -> Attr {
        let mut attr = self.view(node, Times::all(self.started));
        if let Node::Table(table) | Node::ThumbTable(table) = node.as_model() {
            if let Some(table) = self.library.lookup.table(table) {
                attr.access = table.directory(self.daemon());
            }
            attr.times = Times::all(self.table_time(table));
        }
        attr
    }

    /// A directory of variants. Its owner and mode are the row's: who may not enter the row may not see what is made of it,
    /// and who may remove files in it may purge their variants.
    pub(in crate::tree) fn thumb_view(&self, node: Node, row: &RowRecord, times: Times) -> Attr {
        Attr { access: row.access, ..self.view(node, times) }
    }

    /// A directory that nobody writes to.
    pub(in crate::tree) fn view(&self, node: Node, times: Times) -> Attr {
        let access = Access { mode: 0o555, ..self.daemon() };
        Attr { ino: node.ino(), kind: Kind::Directory, size: 0, links: 2, access, times }
    }

    /// The owner of what belongs to nobody in particular.
    pub(in crate::tree) fn daemon(&self) -> Access {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        let own = Access { uid: uid.as_raw(), gid: gid.as_raw(), mode: 0o444 };
        let Policy { uid, gid, .. } = self.library.settings.access;
        Fixed { uid, gid, mode: None }.of(own)
    }

    pub(in crate::tree) fn scratch_attr(&self, record: &ScratchRecord) -> Result<Attr> {
        let stat = self.library.scratch.stat(record)?;
        Ok(scratch_attr(record.id, self.library.scratch.access(record), 1, stat))
    }
}

fn scratch_attr(id: ScratchId, access: Access, links: u32, stat: ScratchStat) -> Attr {
    let ScratchStat { size, times } = stat;
    Attr { ino: Node::Scratch(id).ino(), kind: Kind::File, size, links, access, times }
}

/// Attributes that the kernel may keep until it is told otherwise.
fn kept(attr: Attr) -> Shown {
    Shown { attr, attributes: Lifetime::Long }
}

/// The attributes of an attachment, for one of its inodes: the kernel knows them by one number, and is told of that alone.
pub(in crate::tree) fn of_attachment(node: Node, attr: Attr) -> Shown {
    if node.ino() == attr.ino { kept(attr) } else { brief(attr) }
}

/// Attributes that must be asked for every time.
pub(in crate::tree) fn brief(attr: Attr) -> Shown {
    Shown { attr, attributes: Lifetime::None }
}

pub(in crate::tree) fn attachment_attr(attachment: &Attachment) -> Attr {
    Attr {
        ino: Node::Attachment(attachment.id, Mark::SOLE).ino(),
        kind: Kind::File,
        size: attachment.content.length,
        links: attachment.links,
        access: attachment.access,
        times: attachment.times,
    }
}

/// Only the listed name may be kept: aliases would outlive it.
pub(in crate::tree) fn link_entry(
    link: &Link,
    collection: Collection,
    asked: &words::slot::Name,
) -> Entry {
    let listed = name::listed(link, collection) == *asked;
    Entry {
        attr: attachment_attr(&link.attachment),
        name: if listed { Lifetime::Long } else { Lifetime::None },
        attributes: Lifetime::Long,
        generation: 0,
    }
}

pub(in crate::tree) fn draft_attr(open: &OpenDraft) -> Attr {
    let (size, access, times) = open.draft.stat();
    Attr { ino: Node::Draft(open.id).ino(), kind: Kind::File, size, links: 1, access, times }
}

pub(in crate::tree) fn directory_attr(node: Node, row: &RowRecord) -> Attr {
    let RowRecord { access, times, .. } = *row;
    Attr { ino: node.ino(), kind: Kind::Directory, size: 0, links: 2, access, times }
}

pub(in crate::tree) fn variant_attr(record: &VariantRecord) -> Attr {
    let access = Access { uid: 0, gid: 0, mode: 0o444 };
    let VariantRecord { id, content, committed, .. } = record;
    let times = Times::all(Timestamp(committed.0));
    let ino = Node::Variant(*id).ino();
    Attr { ino, kind: Kind::File, size: content.length, links: 1, access, times }
}

/// An entry that the kernel may not keep.
pub(in crate::tree) fn fleeting(attr: Attr) -> Entry {
    Entry { attr, name: Lifetime::None, attributes: Lifetime::None, generation: 0 }
}

/// An entry that the kernel may keep.
pub(in crate::tree) fn lasting(attr: Attr) -> Entry {
    Entry { attr, name: Lifetime::Long, attributes: Lifetime::Long, generation: 0 }
}
