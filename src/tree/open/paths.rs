//! The file that a request means by a name in a directory or by an inode. An attachment may have several names: where an inode
//! may be of more than one, `ESTALE` makes the kernel look the path up again.

use std::sync::Arc;

use crate::library::Library;
use crate::tree::error::{Error, Result};
use crate::tree::node::Node;
use crate::tree::node::mark::{Edition, Mark};
use crate::tree::node::meaning::{self, Directory, Meaning, Spot};
use crate::tree::node::places::Places;
use crate::tree::node::side::Side;
use crate::tree::open::drafts::Drafts;
use crate::tree::open::handles::Handles;
use crate::tree::open::redirect::{Redirects, Seeks, Step};
use crate::tree::request::Caller;
use words::attachment::{Attachment, AttachmentId, RowId};
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

    /// The attachment of an inode. If it has lost all names, `ESTALE` makes the kernel look the path up again, once.
    pub fn living(&self, who: Caller, node: Node, id: AttachmentId) -> Result<Attachment> {
        let found = self.library.lookup.attachment(id)?;
        let serves = found.as_ref().is_some_and(|attachment| attachment.links > 0)
            || self.redirects.begin(who.tid, node.ino(), Seeks::Successor) == Step::Serve;
        found.filter(|_| serves).ok_or(Error::Stale)
    }

    /// The attachment of an inode of `/originals`. Errors: [`Error::Stale`] if its original was sent anew since.
    pub fn original(&self, who: Caller, id: AttachmentId, edition: Edition) -> Result<Attachment> {
        let found = self.living(who, Node::Original(id, edition), id)?;
        let same = self.is_edition(&Side::Originals.face(found.clone()), edition)?;
        if same { Ok(found) } else { Err(Error::Stale) }
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

    /// The name that a request means by an inode. If it may be several, the path is looked up again; without a path it is the
    /// name that the inode had before the attachment got others.
    pub fn name(&self, who: Caller, node: Node) -> Result<Place> {
        let mut places = self.places.names_of(node)?;
        if places.len() > 1 {
            let meant = match self.redirects.begin(who.tid, node.ino(), Seeks::Name) {
                Step::Reopen(sought) => sought.or_else(|| self.places.first_name(node)),
                Step::LookAgain | Step::Serve => None,
            };
            places.retain(|place| Some(place) == meant.as_ref());
        } else {
            self.redirects.end(who.tid);
        }
        places.pop().ok_or(Error::Stale)
    }
}
