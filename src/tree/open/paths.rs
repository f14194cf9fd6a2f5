//! The attachment, and the name of it, that a request means by an inode. An inode never leads to 'its' place, for an attachment may
//! have several names: where it is not certain which is meant, the kernel is told to look the path up again.

use std::sync::Arc;

use crate::library::Library;
use crate::tree::error::{Error, Result};
use crate::tree::node::Node;
use crate::tree::node::places::Places;
use crate::tree::open::handles::Handles;
use crate::tree::open::redirect::{Redirects, Seeks, Step};
use crate::tree::request::Caller;
use words::attachment::{Attachment, AttachmentId};
use words::place::Place;

pub struct Paths {
    pub(super) library: Arc<Library>,
    pub(super) places: Arc<Places>,
    pub(super) handles: Arc<Handles>,
    pub(super) redirects: Arc<Redirects>,
}

impl Paths {
    /// The attachment of an inode that a path has led to. An attachment that has lost its names since is looked up again, once.
    pub fn living(&self, who: Caller, node: Node, id: AttachmentId) -> Result<Attachment> {
        let found = self.library.lookup.attachment(id)?;
        if found.as_ref().is_some_and(|attachment| attachment.links > 0) {
            return found.ok_or(Error::Stale);
        }
        match self.redirects.begin(who.tid, node.ino(), Seeks::Successor) {
            Step::Serve => found.ok_or(Error::Stale),
            Step::LookAgain | Step::Reopen(_) => Err(Error::Stale),
        }
    }

    /// Turns away a change of an attachment that was replaced a moment ago: it is meant for its successor.
    pub fn check_living(&self, who: Caller, node: Node) -> Result<()> {
        match node.as_model() {
            Node::Attachment(id, _) if self.handles.open_attachment(id).is_none() => {
                self.living(who, node, id).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// The name of an attachment that is meant by an inode. Where it may be several, the path is looked up again; without a path
    /// it is the name that the inode had before there were others.
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
