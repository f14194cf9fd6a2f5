//! The file that a request means by a name in a directory or by an inode. An attachment may have several names: where an inode
//! may be of more than one, `ESTALE` makes the kernel look the path up again.

use std::fs::File;
use std::sync::Arc;

use crate::library::Library;
use crate::tree::error::{Error, Result};
use crate::tree::node::mark::{Edition, Mark};
use crate::tree::node::meaning::{self, Directory, Meaning, Spot};
use crate::tree::node::places::Places;
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use crate::tree::open::drafts::Drafts;
use crate::tree::open::handles::Handles;
use crate::tree::open::redirect::{Redirects, Seeks, Step};
use crate::tree::request::Caller;
use words::attachment::{Attachment, AttachmentId, RowId};
use words::link::Link;
use words::place::{Folder, Place};
use words::slot::Name;

/// The kind of place that a rename or a link leads to.
#[derive(Debug)]
pub enum Goal {
    File(Spot),
    Scratch(Folder),
    /// `<field>.url`: a file that is moved there is read as a text with a URL.
    Url(Spot),
    /// `row.json`: a file that is moved there is a patch.
    Json(RowId),
}

pub struct Paths {
    pub(super) library: Arc<Library>,
    pub(super) places: Arc<Places>,
    pub(super) handles: Arc<Handles>,
    pub(super) drafts: Arc<Drafts>,
    pub(super) redirects: Arc<Redirects>,
}

impl Paths {
    /// The meaning of a name, given what is stored and what is being written. In a collection `front@w200.jpg` is a variant if there
    /// is an item `front`, and no item that is called so itself. The catalogue is asked only for names that look like one.
    pub fn meaning(&self, directory: &Directory<'_>, name: &Name) -> Result<Meaning> {
        let meaning = meaning::meaning(directory, name);
        let Meaning::File(spot) = &meaning else { return Ok(meaning) };
        let Some(found) = meaning::variant_in(directory, name) else { return Ok(meaning) };
        if self.library.lookup.link(&spot.place)?.is_some()
            || !self.drafts.found(&spot.place).is_empty()
        {
            return Ok(meaning);
        }
        match self.library.lookup.link(&found.item.place)? {
            Some(link) if meaning::resolves(&link, spot.field.collection, &found.base) => {
                Ok(Meaning::Variant(found.item, Some(found.variant)))
            }
            _ => Ok(meaning),
        }
    }

    /// The goal of a rename or a link to this name. Errors: for a name that neither can make.
    pub fn goal(&self, parent: &Directory<'_>, name: &Name) -> Result<Goal> {
        match self.meaning(parent, name)? {
            Meaning::File(spot) => Ok(Goal::File(spot)),
            Meaning::Scratch => Ok(Goal::Scratch(parent.folder())),
            Meaning::Variant(..) | Meaning::RowError => Err(Error::ReadOnly),
            Meaning::RowJson => Ok(Goal::Json(parent.row)),
            Meaning::Url(spot) => Ok(Goal::Url(spot)),
            Meaning::Collection(_) => Err(Error::IsDirectory),
            Meaning::Report | Meaning::Nothing => Err(Error::NotPermitted),
        }
    }

    /// Redirects an operation on an inode by `ESTALE`, unless it comes again without a path. The kernel opens the files of a
    /// read-only mount by itself, so that nothing would end a redirection there: its adapter answers for inodes without a name.
    pub fn redirect(&self, who: Caller, node: Node, seeks: Seeks) -> Result<()> {
        if self.places.is_read_only() {
            return Err(Error::Stale);
        }
        let places = || self.places_of(node).unwrap_or_default();
        match self.redirects.begin(who.tid, node.ino(), seeks, places) {
            Step::LookAgain => Err(Error::Stale),
            Step::Serve => Ok(()),
        }
    }

    /// The places that an inode stands for, or stood for before its attachment lost its last name.
    fn places_of(&self, node: Node) -> Result<Vec<Place>> {
        let (Node::Attachment(id, _) | Node::Original(id, _)) = node else {
            let Node::Draft(id) = node else { return Ok(Vec::new()) };
            let of_draft = self.drafts.find(id).ok().map(|open| open.place().clone());
            let noted = || Some(self.redirects.place_inode(id)?.spot.place.clone());
            return Ok(of_draft.or_else(noted).into_iter().collect());
        };
        let named = self.library.lookup.places(id)?;
        if !named.is_empty() {
            return Ok(named);
        }
        Ok(self.last_place(id)?.into_iter().collect())
    }

    /// The place of the last name that an attachment has lost.
    pub fn last_place(&self, id: AttachmentId) -> Result<Option<Place>> {
        let Some(retired) = self.library.trash.by_id(id)? else { return Ok(None) };
        Ok(self.library.lookup.place_of(&retired.slot)?)
    }

    /// The attachment of an inode. If it has lost all names, `ESTALE` makes the kernel look the path up again. An inode without a
    /// path has the attachment for as long as that is kept, or is open.
    pub fn living(&self, who: Caller, node: Node, id: AttachmentId) -> Result<Attachment> {
        let found = self.library.lookup.attachment(id)?;
        if let Some(living) = found.as_ref().filter(|attachment| attachment.links > 0) {
            return Ok(living.clone());
        }
        self.redirect(who, node, Seeks::Successor)?;
        found.or_else(|| self.handles.open_attachment(id)).ok_or(Error::Stale)
    }

    /// The stored bytes of an attachment as a side shows it: none if they were swept and nobody has them open.
    pub fn bytes_of(&self, shown: &Attachment) -> Result<Option<Arc<File>>> {
        let stored = self.library.blobs.open_unless_swept(shown)?;
        Ok(stored.or_else(|| self.handles.open_blob(shown.blob)))
    }

    /// The attachment of an inode of `/originals`. Errors: [`Error::Stale`] if its original was sent anew since.
    pub fn original(&self, who: Caller, id: AttachmentId, edition: Edition) -> Result<Attachment> {
        let node = Node::Original(id, edition);
        let found = self.living(who, node, id)?;
        if !self.is_edition(&Side::Originals.face(found.clone()), edition)? {
            self.redirect(who, node, Seeks::Successor)?;
            return Err(Error::Stale);
        }
        Ok(found)
    }

    /// Whether an inode of `/originals`, under any of its names, has the bytes that are shown now.
    pub fn is_edition(&self, shown: &Attachment, edition: Edition) -> Result<bool> {
        let mark = edition.mark(shown);
        let is_of = |place: &Place| mark.is_of(place);
        Ok(mark == Mark::SOLE || self.library.lookup.places(shown.id)?.iter().any(is_of))
    }

    /// Redirects a change of an attachment that was replaced a moment ago: it is meant for its successor.
    pub fn check_living(&self, who: Caller, node: Node) -> Result<()> {
        match node.as_model() {
            Node::Attachment(id, _) if !self.handles.is_open(node) => {
                self.living(who, node, id).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// The side and the place of an inode whose path the kernel will not look up again.
    pub fn without_path(&self, node: Node) -> Result<(Side, Place)> {
        let Node::Draft(id) = node else {
            return Ok((Side::of(node), self.places.name_of(node)?.ok_or(Error::Stale)?));
        };
        match self.redirects.place_inode(id) {
            Some(found) => Ok((found.side, found.spot.place.clone())),
            None => Ok((Side::Models, self.drafts.find(id)?.place().clone())),
        }
    }

    /// The node that an operation means by an inode. The inode of a place stands for what the place has now; then the link is
    /// returned, too. The kernel has checked the permissions of what the lookup found there, so the operation checks the link's.
    pub fn meant(&self, who: Caller, ino: Ino) -> Result<(Node, Option<Link>)> {
        let node = Node::at(ino)?;
        let Node::Draft(id) = node else { return Ok((node, None)) };
        if self.drafts.find(id).is_ok() {
            return Ok((node, None));
        }
        let Some(found) = self.redirects.place_inode(id) else {
            self.redirect(who, node, Seeks::Successor)?;
            return Err(Error::Stale);
        };
        self.redirects.end(who.tid);
        let link = self.library.lookup.link(&found.spot.place)?.ok_or(Error::NotFound)?;
        let node = found.side.file(&found.side.face(link.attachment.clone()));
        Ok((node.under(Mark::among(&link)), Some(link)))
    }

    /// The name that a request means by an inode. If it may be several, the path is looked up again; without a path it is the
    /// name that the inode had before the attachment got others.
    pub fn name(&self, who: Caller, node: Node) -> Result<Place> {
        let name = self.name_on_the_way(who, node)?;
        self.redirects.end(who.tid);
        Ok(name)
    }

    /// Like [`Paths::name`], for a directory through which a redirected thread may be on its way.
    pub fn name_on_the_way(&self, who: Caller, node: Node) -> Result<Place> {
        let mut places = self.places.names_of(node)?;
        if places.len() != 1 {
            self.redirect(who, node, Seeks::Successor)?;
            let first = self.places.first_name(node);
            places.retain(|place| Some(place) == first.as_ref());
        }
        places.pop().ok_or(Error::Stale)
    }
}
