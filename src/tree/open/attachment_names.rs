//! The names of attachments: given by `link`, moved by `rename`, taken away by `unlink` and by a rename to a scratch name. A name
//! whose rules would change the bytes is `EXDEV`, and the client copies.

use std::sync::Arc;

use crate::library::Library;
use crate::library::lookup::target::Target;
use crate::library::names::backups::Destination;
use crate::library::names::naming::Move;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::{Change, Displaced};
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::meaning::Spot;
use crate::tree::node::places::Places;
use crate::tree::open::admission::{Admission, outlives};
use crate::tree::open::drafts::Drafts;
use crate::tree::open::processes::Processes;
use crate::tree::open::unlinked::Unlinked;
use crate::tree::request::{Caller, RenameMode};
use words::attachment::{Attachment, ScratchId};
use words::link::Link;
use words::place::{Folder, Place};
use words::schema::Field;
use words::slot::Name;

pub struct AttachmentNames {
    pub(super) library: Arc<Library>,
    pub(super) places: Arc<Places>,
    pub(super) kernel: Arc<Knowledge>,
    pub(super) drafts: Arc<Drafts>,
    pub(super) unlinked: Arc<Unlinked>,
    pub(super) admission: Arc<Admission>,
    pub(super) processes: Processes,
}

impl AttachmentNames {
    /// Gives the attachment of a place a second name.
    pub fn link(&self, who: Caller, from: &Place, target: &Target) -> Result<()> {
        let from = self.library.lookup.link(from)?.ok_or(Error::Stale)?;
        let source = self.places.field_at(&from.place)?;
        let author = self.processes.author(who);
        let taken = self.library.lookup.link(&target.place)?.is_some();
        self.admission.check_arrival(who, target, taken, None)?;
        self.library.links.share(&from, &source.rules, target, author)?;
        let id = from.attachment.id;
        if from.attachment.links == 1 {
            self.places.note_first_name(id, from.place);
        }
        self.drafts.drop_placeholders(&target.place, 0);
        self.kernel.tell(&Change::Linked { place: &target.place, id, displaced: None });
        Ok(())
    }

    /// Moves a link of this field to another slot.
    pub fn rename(
        &self,
        who: Caller,
        link: &Link,
        field: &Field,
        target: &Target,
        mode: RenameMode,
    ) -> Result<()> {
        let (from, to, id) = (&link.place, &target.place, link.attachment.id);
        if from == to {
            return Ok(());
        }
        let author = self.processes.author(who);
        let before = self.library.lookup.link(to)?;
        // rename(2): of two names of one file neither goes.
        if before.as_ref().is_some_and(|before| before.attachment.id == id) {
            // But the kernel takes the inode of the one along to the other.
            self.places.forget_first_name(id);
            return Ok(());
        }
        if mode == RenameMode::Exchange {
            let other = before.as_ref().ok_or(Error::NotFound)?;
            let spot = Spot { place: from.clone(), field: self.places.field_at(from)? };
            let back = self.places.target(&spot, &link.written)?;
            let rules = &target.field.rules;
            self.library.links.check_transfer(&other.attachment, rules, &back, author)?;
        }
        self.admission.check_arrival(who, target, before.is_some(), Some(from))?;
        let before = before.filter(|link| outlives(link, target));
        let back = self.places.table(self.places.row(from.row)?.table)?.files(field);
        let rules = &field.rules;
        let movement = Move { from: link, rules, back, target, collision: mode.into() };
        let displaced = self.library.links.rename(&movement, author)?;
        self.places.move_first_name(id, from, to);
        self.drafts.drop_placeholders(to, 0);
        let displaced = displaced.as_ref().map(|lost| Displaced::by_name(lost, before.as_ref()));
        self.kernel.tell(&Change::Moved { id, from, to, displaced });
        Ok(())
    }

    /// Renames a link, as its side shows it, to a scratch name: it becomes scratch of the caller (editors' backups). Returns that.
    pub fn demote(
        &self,
        who: Caller,
        link: &Link,
        folder: &Folder,
        name: &Name,
        mode: RenameMode,
    ) -> Result<ScratchId> {
        self.admission.check_displaced(who, folder, name)?;
        if mode == RenameMode::Exchange {
            return Err(Error::Invalid("scratch and fields cannot be exchanged"));
        }
        let (uid, gid, collision) = (who.uid, who.gid, mode.into());
        let to = Destination { folder, name, uid, gid, collision };
        let backup = self.library.backups.make(link, to)?;
        match self.library.links.unlink(&link.place)? {
            // Editors write the new file next; if that is refused, the old one is put back.
            Some(lost) => self.detached(who, link, &lost),
            None => self.kernel.tell(&Change::Names { row: link.place.row }),
        }
        Ok(backup)
    }

    /// Takes a name away, on request of the kernel. Returns whether it was there. What others write to it goes on, unseen.
    pub fn unlink(&self, who: Caller, link: &Link) -> Result<bool> {
        let Some(lost) = self.library.links.unlink(&link.place)? else { return Ok(false) };
        self.drafts.of(&link.place).iter().for_each(|open| open.unlink());
        self.detached(who, link, &lost);
        Ok(true)
    }

    fn detached(&self, who: Caller, link: &Link, lost: &Attachment) {
        self.unlinked.note(who, link, lost);
        self.kernel.tell(&Change::Detached { place: &link.place, lost });
    }
}
