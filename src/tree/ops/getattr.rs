//! The attributes of inodes and of listed names.

use crate::tree::error::{Error, Result};
use crate::tree::node::mark::Edition;
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use crate::tree::open::Open;
use crate::tree::open::handles::{Fh, Handle};
use crate::tree::open::redirect::{PlaceInode, Seeks};
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
            && let Some(shown) = self.stat_handle(who, fh)?
        {
            return Ok(shown);
        }
        let view = &self.view;
        let node = Node::at(ino)?;
        let attr = match node {
            Node::Attachment(id, _) => return self.stat_attachment(who, node, id),
            Node::Variant(id) => return self.stat_variant(id),
            Node::Draft(id) => return self.stat_draft(who, id),
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
            Node::Litter(id) => self.litter(id)?.attr(),
            Node::Delayed(..) | Node::DelayedItems(..) | Node::DelayedRows(_) => {
                return self.show_delayed(node);
            }
            Node::RowJson(table, id) => view.rows.stat(who, table, id)?,
            Node::RowError(table, id) => view.rows.stat_error(table, id)?,
            Node::DesktopTrash(_)
            | Node::DesktopTrashFiles(_)
            | Node::DesktopTrashInfo(_)
            | Node::DesktopTrashNote(_) => view.desktop_trash.stat(node)?,
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
        if let Some(node @ (Node::Collection(..) | Node::OriginalCollection(..))) =
            Node::of(listed.ino)
        {
            self.open.unseen.listed(who, node);
        }
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
    fn stat_handle(&self, who: Caller, fh: Fh) -> Result<Option<Entry>> {
        match &*self.open.handles.find(fh)? {
            Handle::Draft { open, .. } | Handle::Nothing(open) => {
                open.shown(&self.library).map(Some)
            }
            Handle::Scratch(scratch) => {
                scratch.became.get().map(|open| open.shown(&self.library)).transpose()
            }
            Handle::Document(document) => self.stat_document(who, document).map(Some),
            Handle::Litter(file) => Ok(Some(Entry::fleeting(file.attr()))),
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

    /// A draft, or the place that an inode without a draft stands for.
    fn stat_draft(&self, who: Caller, id: u64) -> Result<Entry> {
        let Open { drafts, handles, redirects, .. } = &*self.open;
        redirects.end(who.tid);
        if let Ok(open) = drafts.find(id) {
            return open.shown(&self.library);
        }
        let place = || handles.open_place(id).or_else(|| redirects.place_inode(id));
        match place() {
            Some(found) if found.is_new => self.stat_place(id, &found),
            found => match (handles.open_nothing(id), found) {
                (Some(nothing), _) => nothing.shown(&self.library),
                (None, Some(found)) => self.stat_place(id, &found),
                (None, None) => {
                    self.open.paths.redirect(who, Node::Draft(id), Seeks::Successor)?;
                    Err(Error::Stale)
                }
            },
        }
    }

    /// The attributes of the file that a lookup found at a place. A first draft that was there is an attachment by now.
    fn stat_place(&self, id: u64, found: &PlaceInode) -> Result<Entry> {
        let link = match &found.link {
            None => self.library.lookup.link(&found.spot.place)?,
            link => link.clone(),
        };
        let Some(link) = link else { return Ok(Entry::fleeting(found.attr)) };
        if found.link.is_none() {
            let link = Some(link.clone());
            self.open.redirects.note(id, PlaceInode { link, ..found.clone() });
        }
        let (side, seen) = (found.side, found.side.face(link.attachment));
        let now = self.library.lookup.attachment(seen.id)?.map(|now| side.face(now));
        let lost = || Attachment { links: 0, ..seen.clone() };
        let shown = now.filter(|now| now.blob == seen.blob).unwrap_or_else(lost);
        Ok(Entry::fleeting(Attr::attachment(side, &shown)))
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
