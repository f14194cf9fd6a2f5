//! Originals as inodes: what was sent, with all else as its attachment has it (CONTRACT 1).
//! Does not know names: those are found as under `/models`.

use std::sync::Arc;

use crate::library::lookup::table::Table;
use crate::tree::attr::{Attr, Change, OpenFlags, Opened, Shown};
use crate::tree::mark::Mark;
use crate::tree::node::Node;
use crate::tree::ops::stat::brief;
use crate::tree::side::{Edition, Side, as_sent};
use crate::tree::{Caller, Error, Result, Tree};
use words::attachment::{Amendment, Attachment, AttachmentId};
use words::place::Place;

impl Tree {
    /// Whether any field keeps what was sent.
    pub(in crate::tree) fn keeps_originals(&self) -> bool {
        self.original_tables().next().is_some()
    }

    pub(in crate::tree) fn original_tables(&self) -> impl Iterator<Item = &Table> {
        let keeps = |table: &&Table| table.fields.iter().any(|field| field.keep_original);
        self.library.lookup.tables().iter().filter(keeps)
    }

    /// While a handle is open on it this may be an `fstat`, as of an attachment.
    pub(in crate::tree) fn stat_original(
        &self,
        who: Caller,
        (id, edition): (AttachmentId, Edition),
    ) -> Result<Attr> {
        let node = Node::Original(id, edition);
        let Some(open) = self.handles.open_attachment(id) else {
            let living = self.living_original(who, (id, edition))?;
            return Ok(Side::Originals.attr(&as_sent(living)));
        };
        let now = self.library.lookup.attachment(id)?.map(as_sent);
        let lost = || Attachment { links: 0, ..as_sent(open) };
        Ok(match now {
            Some(now) if self.is_edition(&now, edition)? => Side::Originals.attr(&now),
            _ => Attr { ino: node.ino(), ..Side::Originals.attr(&lost()) },
        })
    }

    /// The attachment; one whose original was sent anew since is looked up again.
    pub(in crate::tree) fn living_original(
        &self,
        who: Caller,
        (id, edition): (AttachmentId, Edition),
    ) -> Result<Attachment> {
        let node = Node::Original(id, edition);
        let found = self.living_at(who, node, id)?;
        let same = self.is_edition(&as_sent(found.clone()), edition)?;
        if same { Ok(found) } else { Err(Error::Stale) }
    }

    /// Whether what is shown of an attachment is what an inode shows, under any of its names.
    fn is_edition(&self, shown: &Attachment, edition: Edition) -> Result<bool> {
        let mark = edition.mark(shown);
        let is_of = |place: &Place| mark.is_of(place);
        Ok(mark == Mark::SOLE || self.library.lookup.places(shown.id)?.iter().any(is_of))
    }

    pub(in crate::tree) fn open_original(
        &self,
        who: Caller,
        (id, edition): (AttachmentId, Edition),
        flags: OpenFlags,
    ) -> Result<Opened> {
        if flags.changes() || self.has_draft_over(who, Node::Original(id, edition))? {
            return self.turn_to_draft(who, Node::Original(id, edition), flags);
        }
        let attachment = self.living_original(who, (id, edition))?;
        self.redirects.end(who.tid);
        let sent = as_sent(attachment.clone());
        let file = self.library.blobs.open(&sent)?;
        let fh = self.handles.add_attachment(&attachment, sent.blob, Arc::clone(&file));
        Ok(Opened::stored(fh, file, sent.content.length))
    }

    pub(in crate::tree) fn set_original(
        &self,
        who: Caller,
        (id, edition): (AttachmentId, Edition),
        change: Change,
    ) -> Result<Shown> {
        let node = Node::Original(id, edition);
        self.still_named(who, node.ino())?;
        if let Some(size) = change.size {
            self.truncate_attachment(who, (node, id), size)?;
        }
        let attachment = if change.amendment == Amendment::default() {
            self.library.lookup.attachment(id)?.ok_or(Error::Stale)?
        } else {
            let amended = self.library.attributes.amend(id, change.amendment)?;
            self.forget_attachment(id);
            amended
        };
        Ok(brief(Side::Originals.attr(&as_sent(attachment))))
    }
}
