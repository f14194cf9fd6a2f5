//! The attributes of inodes and of listed names.

use crate::tree::error::{Error, Result};
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use crate::tree::open::handles::Handle;
use crate::tree::open::opened::Fh;
use crate::tree::ops::Tree;
use crate::tree::request::Caller;
use crate::tree::show::attr::{Attr, Entry, Lifetime, Shown};
use crate::tree::show::child::unknown;
use crate::tree::show::listing::{Listed, Page};
use crate::tree::show::stored;
use words::attachment::{Attachment, AttachmentId, VariantId};

impl Tree {
    /// The attributes of an inode. One that has lost its name is [`Error::Stale`] unless a handle is open on it.
    pub fn getattr(&self, who: Caller, ino: Ino, fh: Option<Fh>) -> Result<Shown> {
        if let Some(fh) = fh
            && let Some(shown) = self.stat_handle(fh)?
        {
            return Ok(shown);
        }
        match Node::at(ino)? {
            node @ Node::Attachment(id, _) => {
                Ok(stored::inode(node, self.stat_attachment(who, node, id)?))
            }
            Node::Variant(id) => self.stat_variant(id),
            Node::Draft(id) => {
                let found = self.open.drafts.find(id);
                let open = found.or_else(|| self.open.handles.open_nothing(id));
                open.ok_or(Error::Stale)?.shown(&self.library)
            }
            Node::Row(_, id) => Ok(Shown::lasting(self.show.row(&self.places.row_of_inode(id)?))),
            Node::OriginalRow(_, id) => {
                let row = self.places.row_of_inode(id)?;
                Ok(Shown::fleeting(Attr { ino, ..self.show.row(&row) }))
            }
            Node::Collection(field, id) => {
                let row = self.places.row_of_inode(id)?;
                self.places.directory(ino)?;
                Ok(Shown::lasting(self.show.collection(field, &row)))
            }
            Node::OriginalCollection(field, id) => {
                let row = self.places.row_of_inode(id)?;
                self.places.directory(ino)?;
                Ok(Shown::fleeting(Attr { ino, ..self.show.collection(field, &row) }))
            }
            other => self.stat_view(who, other),
        }
    }

    /// The answer to a lookup of a listed name. What is not known without asking further may not be kept.
    pub fn entry_listed(&self, who: Caller, listed: &Listed, page: &Page) -> Entry {
        if let Some(entry) = listed.entry {
            let none = Entry { name: Lifetime::None, attributes: Lifetime::None, ..entry };
            return if page.is_fresh { entry } else { none };
        }
        let shown = self.getattr(who, listed.ino, None);
        let unknown = |_| unknown(listed.ino, listed.kind);
        let entry = Entry::fleeting(shown.map_or_else(unknown, |shown| shown.attr));
        Entry { generation: self.show.generation(&entry.attr), ..entry }
    }

    /// The attributes of a draft, a promoted scratch file or a document: the handle has them, also when the name is gone.
    fn stat_handle(&self, fh: Fh) -> Result<Option<Shown>> {
        match &*self.open.handles.find(fh)? {
            Handle::Draft { open, .. } | Handle::Nothing(open) => {
                open.shown(&self.library).map(Some)
            }
            Handle::Scratch(scratch) => {
                scratch.became.get().map(|open| open.shown(&self.library)).transpose()
            }
            Handle::Document(document) => self.view.verdicts.shown(document).map(Some),
            Handle::Blob { .. } | Handle::Text(_) => Ok(None),
        }
    }

    /// While a handle is open on it this may be an `fstat`: the attributes are answered though the name is lost.
    fn stat_attachment(&self, who: Caller, node: Node, id: AttachmentId) -> Result<Attr> {
        let attachment = match self.open.handles.open_attachment(id) {
            Some(open) => {
                let lost = Attachment { links: 0, ..open };
                self.library.lookup.attachment(id)?.unwrap_or(lost)
            }
            None => self.open.paths.living(who, node, id)?,
        };
        Ok(stored::attachment(Side::Models, &attachment))
    }

    /// A variant that was purged or trimmed shows what its open handles have.
    fn stat_variant(&self, id: VariantId) -> Result<Shown> {
        let found = self.library.variants.by_id(id)?;
        let links = u32::from(found.is_some());
        let record = found.or_else(|| self.open.handles.open_variant(id)).ok_or(Error::Stale)?;
        Ok(Shown::lasting(Attr { links, ..stored::variant(&record) }))
    }

    fn stat_view(&self, who: Caller, node: Node) -> Result<Shown> {
        let view = &self.view;
        let attr = match node {
            Node::Table(_)
            | Node::OriginalTable(_)
            | Node::ThumbTable(_)
            | Node::Root
            | Node::Models
            | Node::Originals
            | Node::Thumbs
            | Node::Drop => return Ok(Shown::lasting(self.show.fixed(node))),
            Node::ThumbRow(..)
            | Node::ThumbCollection(..)
            | Node::ThumbField(..)
            | Node::GuardedThumbs(..) => return view.thumbs.stat(who, node),
            Node::Original(id, edition) => view.originals.stat(who, id, edition)?,
            Node::Scratch(id) => self.open.scratch.stat(id)?,
            Node::Url(id) => view.urls.files.stat(id)?,
            Node::Link(id) => view.urls.links.stat(id)?,
            Node::RowJson(table, id) => view.rows.stat(table, id)?,
            Node::DropBox(id) => self.show.drop_box(id)?,
            Node::Trash => view.trash.stat_trash(),
            Node::TrashDay(day) => view.trash.stat_day(day),
            Node::Trashed(id) => view.trash.stat(id)?,
            _ => view.control.stat(who, node)?,
        };
        Ok(Shown::fleeting(attr))
    }
}
