//! Linking: a second name for an attachment, or an attachment made of scratch that stays.
//! Does not copy attachments: what the target's rules would change is `EXDEV`.

use std::ffi::OsStr;

use crate::library::lookup::target::Target;
use crate::tree::attr::Entry;
use crate::tree::node::Node;
use crate::tree::ops::rename::{Goal, check_owner};
use crate::tree::side::Side;
use crate::tree::{Caller, Error, Ino, Result, Tree, made, node};
use words::attachment::{AttachmentId, ScratchId};

impl Tree {
    /// A second name for an attachment, or an attachment made of scratch.
    pub fn link(&self, who: Caller, ino: Ino, new_parent: Ino, new_name: &OsStr) -> Result<Entry> {
        let parent = self.directory(new_parent)?;
        let name = made(new_name)?;
        let goal = self.goal(&parent, &name)?;
        let side = parent.side();
        let source = node(ino)?;
        match (source.as_model(), goal) {
            (Node::Attachment(id, _), Goal::File(place, field)) => {
                let target = self.target(&place, &field, &name)?;
                self.link_attachment(who, (source, id), (&target, side))
            }
            (Node::Scratch(id), Goal::File(place, field)) => {
                self.check_extension(who, &place, &field, &name)?;
                let target = self.target(&place, &field, &name)?;
                self.link_scratch(who, id, (&target, side))
            }
            (Node::Trashed(id), Goal::File(place, field)) => {
                let target = self.target(&place, &field, &name)?;
                self.restore_by_link(who, id, &target)?;
                self.entry_of(&target, side)
            }
            (Node::Attachment(..), Goal::Scratch(_)) => Err(Error::CrossDevice),
            (Node::Draft(_), _) => Err(Error::Busy),
            _ => Err(Error::NotPermitted),
        }
    }

    fn link_attachment(
        &self,
        who: Caller,
        (node, id): (Node, AttachmentId),
        (target, side): (&Target, Side),
    ) -> Result<Entry> {
        let from = self.library.lookup.link(&self.place_of(who, node)?)?.ok_or(Error::Stale)?;
        let source = self.field_at(&from.place)?;
        let author = Self::author(who, &self.processes.owner(who.tid));
        let taken = self.library.lookup.link(&target.place)?.is_some();
        self.check_arrival(who, target, taken, None)?;
        self.library.links.share(&from, &source.rules, target, author)?;
        if from.attachment.links == 1 {
            self.sole.note(id, from.place.clone());
        }
        self.drop_placeholders(&target.place, 0);
        self.row_changed(&target.place);
        self.forget_attachment(id);
        self.entry_of(target, side)
    }

    fn link_scratch(
        &self,
        who: Caller,
        id: ScratchId,
        (target, side): (&Target, Side),
    ) -> Result<Entry> {
        let record = self.library.scratch.by_id(id)?.ok_or(Error::Stale)?;
        if self.library.lookup.link(&target.place)?.is_some() {
            return Err(Error::Exists);
        }
        check_owner(&record, who)?;
        self.check_items(who, &target.place, &target.field, &target.written)?;
        let author = Self::author(who, &self.processes.owner(who.tid));
        let published = self.library.scratch_publisher.copy(&record, target, author)?;
        self.published(&target.place, &published, None);
        self.entry_of(target, side)
    }

    fn entry_of(&self, target: &Target, side: Side) -> Result<Entry> {
        let link = self.library.lookup.link(&target.place)?.ok_or(Error::NotFound)?;
        Ok(self.entry(side, &side.show(link), &target.field, &target.written))
    }
}
