//! The attributes of inodes and of listed names.

use crate::tree::error::{Error, Result};
use crate::tree::node::mark::Edition;
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use crate::tree::open::handles::{Fh, Handle};
use crate::tree::ops::Tree;
use crate::tree::request::Caller;
use crate::tree::show::attr::{Attr, Entry, Lifetime};
use crate::tree::show::listing::{Listed, Page, unknown};
use words::attachment::{Attachment, AttachmentId, VariantId};
use words::space::Space;

impl Tree {
    /// The attributes of an inode. One that has lost its name is [`Error::Stale`] unless a handle is open on it.
    pub fn getattr(&self, who: Caller, ino: Ino, fh: Option<Fh>) -> Result<Entry> {
        if let Some(fh) = fh
            && let Some(shown) = self.stat_handle(fh)?
        {
            return Ok(shown);
        }
        let view = &self.view;
        let node = Node::at(ino)?;
        let attr = match node {
            Node::Attachment(id, _) => return self.stat_attachment(who, node, id),
            Node::Variant(id) => return self.stat_variant(id),
            Node::Draft(id) => {
                let found = self.open.drafts.find(id);
                let nothing = |stale| self.open.handles.open_nothing(id).ok_or(stale);
                return found.or_else(nothing)?.shown(&self.library);
            }
            Node::Row(_, id)
            | Node::OriginalRow(_, id)
            | Node::ThumbRow(_, id)
            | Node::ThumbCollection(_, id) => {
                return Ok(self.show.row(node, &self.places.row_of_inode(id)?));
            }
            Node::Collection(_, id) | Node::OriginalCollection(_, id) => {
                let row = self.places.row_of_inode(id)?;
                self.places.directory(ino)?;
                return Ok(self.show.row(node, &row));
            }
            Node::Table(_)
            | Node::OriginalTable(_)
            | Node::ThumbTable(_)
            | Node::Root
            | Node::Models
            | Node::Originals
            | Node::Thumbs
            | Node::Drop => return Ok(Entry::lasting(self.show.fixed(node))),
            Node::ThumbField(id, _) | Node::GuardedThumbs(id, _) => {
                return view.thumbs.stat(who, node, id);
            }
            Node::Original(id, edition) => self.stat_original(who, id, edition)?,
            Node::Scratch(id) => self.open.scratch.stat(id)?,
            Node::Url(id) => view.url_files.stat(id)?,
            Node::Link(id) => view.url_links.stat(id)?,
            Node::RowJson(table, id) => view.rows.stat(table, id)?,
            Node::DropBox(id) => self.show.drop_box(id)?,
            Node::Trash => view.trash.stat_trash(),
            Node::TrashDay(day) => view.trash.stat_day(day),
            Node::Trashed(id) => view.trash.stat(id)?,
            _ => view.control.stat(who, node)?,
        };
        Ok(Entry::fleeting(attr))
    }

    /// The answer to a lookup of a listed name. The kernel may keep it only if it is in the listing and fresh. Errors: only
    /// [`Error::Elsewhere`].
    pub fn entry_listed(&self, who: Caller, listed: &Listed, page: &Page) -> Result<Entry> {
        if let Some(entry) = listed.entry {
            let none = Entry { name: Lifetime::None, attributes: Lifetime::None, ..entry };
            return Ok(if page.is_fresh { entry } else { none });
        }
        let attr = match self.getattr(who, listed.ino, None) {
            Ok(shown) => shown.attr,
            Err(elsewhere @ Error::Elsewhere(_)) => return Err(elsewhere),
            Err(_) => unknown(listed.ino, listed.kind),
        };
        Ok(self.show.with_generation(Entry::fleeting(attr)))
    }

    /// The size of the disk that the library is on.
    pub fn statfs(&self) -> Result<Space> {
        Ok(self.library.blobs.space()?)
    }

    /// The attributes of an open draft, promoted scratch file or document. The handle has them even if the name is gone.
    fn stat_handle(&self, fh: Fh) -> Result<Option<Entry>> {
        match &*self.open.handles.find(fh)? {
            Handle::Draft { open, .. } | Handle::Nothing(open) => {
                open.shown(&self.library).map(Some)
            }
            Handle::Scratch(scratch) => {
                scratch.became.get().map(|open| open.shown(&self.library)).transpose()
            }
            Handle::Document(document) => self.stat_document(document).map(Some),
            Handle::Blob { .. } | Handle::Text(_) => Ok(None),
        }
    }

    /// An attachment. An open handle may ask by `fstat`: it is answered even if the name is gone.
    fn stat_attachment(&self, who: Caller, node: Node, id: AttachmentId) -> Result<Entry> {
        let attachment = match self.open.handles.open_attachment(id) {
            Some(open) => {
                let lost = Attachment { links: 0, ..open };
                self.library.lookup.attachment(id)?.unwrap_or(lost)
            }
            None => self.open.paths.living(who, node, id)?,
        };
        Ok(Entry::attachment(Side::Models, node, &attachment))
    }

    /// An original. An open handle may ask by `fstat`, as of an attachment.
    fn stat_original(&self, who: Caller, id: AttachmentId, edition: Edition) -> Result<Attr> {
        let (side, paths) = (Side::Originals, &self.open.paths);
        let Some(open) = self.open.handles.open_attachment(id) else {
            let living = paths.original(who, id, edition)?;
            return Ok(Attr::attachment(side, &side.face(living)));
        };
        let now = self.library.lookup.attachment(id)?.map(|now| side.face(now));
        if let Some(now) = &now
            && paths.is_edition(now, edition)?
        {
            return Ok(Attr::attachment(side, now));
        }
        let lost = Attachment { links: 0, ..side.face(open) };
        let ino = Node::Original(id, edition).ino();
        Ok(Attr { ino, ..Attr::attachment(side, &lost) })
    }

    /// A variant. After its removal the open handles have the attributes.
    fn stat_variant(&self, id: VariantId) -> Result<Entry> {
        let found = self.library.variants.by_id(id)?;
        let links = u32::from(found.is_some());
        let record = found.or_else(|| self.open.handles.open_variant(id)).ok_or(Error::Stale)?;
        Ok(Entry::lasting(Attr { links, ..Attr::variant(&record) }))
    }
}
