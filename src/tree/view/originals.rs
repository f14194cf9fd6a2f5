//! Originals as inodes: the bytes are those that were sent, everything else is the attachment's (CONTRACT 1).

use std::sync::Arc;

use crate::library::Library;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::Change;
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::Node;
use crate::tree::node::edition::Edition;
use crate::tree::node::mark::Mark;
use crate::tree::node::side::{Side, as_sent};
use crate::tree::open::handles::Handles;
use crate::tree::open::opened::Opened;
use crate::tree::open::opener::Opener;
use crate::tree::open::paths::Paths;
use crate::tree::open::redirect::Redirects;
use crate::tree::open::writers::{Truncation, Writers};
use crate::tree::request::{Caller, OpenFlags, SetAttr};
use crate::tree::show::attr::{Attr, Shown};
use crate::tree::show::stored;
use words::attachment::{Attachment, AttachmentId};
use words::place::Place;

pub struct Originals {
    pub(super) library: Arc<Library>,
    pub(super) kernel: Arc<Knowledge>,
    pub(super) handles: Arc<Handles>,
    pub(super) redirects: Arc<Redirects>,
    pub(super) paths: Arc<Paths>,
    pub(super) writers: Arc<Writers>,
    pub(super) opener: Arc<Opener>,
}

impl Originals {
    /// The attributes of an inode. While a handle is open on it this may be an `fstat`, as of an attachment.
    pub fn stat(&self, who: Caller, id: AttachmentId, edition: Edition) -> Result<Attr> {
        let node = Node::Original(id, edition);
        let Some(open) = self.handles.open_attachment(id) else {
            let living = self.living(who, id, edition)?;
            return Ok(stored::attachment(Side::Originals, &as_sent(living)));
        };
        let now = self.library.lookup.attachment(id)?.map(as_sent);
        Ok(match now {
            Some(now) if self.is_edition(&now, edition)? => {
                stored::attachment(Side::Originals, &now)
            }
            _ => {
                let lost = Attachment { links: 0, ..as_sent(open) };
                Attr { ino: node.ino(), ..stored::attachment(Side::Originals, &lost) }
            }
        })
    }

    /// The attachment of an inode. Errors: [`Error::Stale`] if its original was sent anew since: the path is looked up again.
    fn living(&self, who: Caller, id: AttachmentId, edition: Edition) -> Result<Attachment> {
        let found = self.paths.living(who, Node::Original(id, edition), id)?;
        let same = self.is_edition(&as_sent(found.clone()), edition)?;
        if same { Ok(found) } else { Err(Error::Stale) }
    }

    /// Whether an inode has the bytes that are shown of an attachment now, under any of its names.
    fn is_edition(&self, shown: &Attachment, edition: Edition) -> Result<bool> {
        let mark = edition.mark(shown);
        let is_of = |place: &Place| mark.is_of(place);
        Ok(mark == Mark::SOLE || self.library.lookup.places(shown.id)?.iter().any(is_of))
    }

    pub fn open(
        &self,
        who: Caller,
        id: AttachmentId,
        edition: Edition,
        flags: OpenFlags,
    ) -> Result<Opened> {
        let node = Node::Original(id, edition);
        if flags.changes() || self.opener.has_draft(who, node)? {
            return self.opener.turn(who, node, flags);
        }
        let attachment = self.living(who, id, edition)?;
        self.redirects.end(who.tid);
        let sent = as_sent(attachment.clone());
        let file = self.library.blobs.open(&sent)?;
        let fh = self.handles.add_attachment(&attachment, sent.blob, Arc::clone(&file));
        Ok(Opened::stored(fh, file, sent.content.length))
    }

    pub fn set(
        &self,
        who: Caller,
        id: AttachmentId,
        edition: Edition,
        change: SetAttr,
    ) -> Result<Shown> {
        let node = Node::Original(id, edition);
        self.paths.check_living(who, node)?;
        if let Some(length) = change.size {
            let place = &self.paths.name(who, node)?;
            self.writers.truncate(who, id, Truncation { place, side: Side::Originals, length })?;
        }
        let attachment = if change.amends() {
            let amended = self.library.attributes.amend(id, change.amendment)?;
            self.kernel.tell(&Change::Amended { id, side: Side::Originals });
            amended
        } else {
            self.library.lookup.attachment(id)?.ok_or(Error::Stale)?
        };
        Ok(Shown::fleeting(stored::attachment(Side::Originals, &as_sent(attachment))))
    }
}
