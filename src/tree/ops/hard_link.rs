//! `link`: a second name for an attachment, or an attachment made of scratch that stays.

use std::ffi::OsStr;

use crate::library::lookup::target::Target;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::{Change, Displaced};
use crate::tree::node::{Ino, Node};
use crate::tree::open::admission::check_owner;
use crate::tree::open::contents::Goal;
use crate::tree::ops::Tree;
use crate::tree::request::{Caller, made};
use crate::tree::show::attr::Entry;
use words::attachment::ScratchId;

impl Tree {
    pub fn link(&self, who: Caller, ino: Ino, new_parent: Ino, new_name: &OsStr) -> Result<Entry> {
        let parent = self.places.directory(new_parent)?;
        let name = made(new_name)?;
        let goal = self.open.contents.goal(&parent, &name)?;
        let source = Node::at(ino)?;
        let spot = match (source.as_model(), goal) {
            (Node::Attachment(..) | Node::Scratch(_) | Node::Trashed(_), Goal::File(spot)) => spot,
            (Node::Attachment(..), Goal::Scratch(_)) => return Err(Error::CrossDevice),
            (Node::Draft(_), _) => return Err(Error::Busy),
            _ => return Err(Error::NotPermitted),
        };
        if let Node::Scratch(_) = source {
            self.open.admission.check_extension(who, &spot, &name)?;
        }
        let target = self.places.target(&spot, &name)?;
        match source {
            Node::Scratch(id) => self.link_scratch(who, id, &target)?,
            Node::Trashed(id) => self.view.trash.restore_by_link(who, id, &target)?,
            _ => self.open.names.link(who, &self.open.paths.name(who, source)?, &target)?,
        }
        let link = self.library.lookup.link(&target.place)?.ok_or(Error::NotFound)?;
        let side = parent.side();
        Ok(self.show.link(side, &side.show(link), &target.field, &target.written))
    }

    fn link_scratch(&self, who: Caller, id: ScratchId, target: &Target) -> Result<()> {
        let record = self.library.scratch.by_id(id)?.ok_or(Error::Stale)?;
        if self.library.lookup.link(&target.place)?.is_some() {
            return Err(Error::Exists);
        }
        check_owner(&record, who)?;
        self.open.admission.check_items(who, &target.into(), &target.written)?;
        let author = self.open.processes.author(who);
        let published = self.library.publisher.copy_scratch(&record, target, author)?;
        self.open.drafts.drop_placeholders(&target.place, 0);
        let displaced = published.displaced.as_ref().map(|lost| Displaced::by_name(lost, None));
        let (place, id) = (&target.place, published.attachment.id);
        self.kernel.tell(&Change::Attached { place, id, displaced });
        Ok(())
    }
}
