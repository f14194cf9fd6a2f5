//! Files that become attachments: scratch by a link, or by a rename onto a field, which makes its open handles those of a draft of
//! that field (CONTRACT 2.8); and files of the quarantine, by `mv` or by `mediafs refused --retry`.

use std::fs::File;
use std::sync::Arc;

use crate::library::draft::Draft;
use crate::library::lookup::target::Target;
use crate::library::publish::metadata::Metadata;
use crate::library::publish::{Attached, Raw};
use crate::library::refuse::kept::Kept;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::{Change, Displaced};
use crate::tree::node::Node;
use crate::tree::node::meaning::Directory;
use crate::tree::node::side::Side;
use crate::tree::open::handles::OpenScratch;
use crate::tree::open::paths::Goal;
use crate::tree::ops::Tree;
use crate::tree::request::{Caller, RenameMode};
use words::access::FILE_MODE;
use words::attachment::{Attachment, AttachmentId, ScratchId, Times};
use words::link::Link;
use words::place::Place;
use words::refusal::RefusalId;
use words::row::RowRecord;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

impl Tree {
    /// Attaches a scratch file by a rename. `before`: the displaced link, if the kernel may have its name cached afterwards.
    pub(super) fn promote(
        &self,
        who: Caller,
        record: &ScratchRecord,
        target: &Target,
        before: Option<&Link>,
    ) -> Result<()> {
        // Held until the handles are the draft's: a write must wait for that.
        let charge = self.library.scratch.charge(record)?;
        let gate = charge.hold();
        let author = self.open.processes.author(who);
        let (outcome, sent) = self.library.publisher.attach_scratch(record, target, author)?;
        let attachment = match &outcome {
            Attached::Published(published) => {
                let lost = published.displaced.as_ref();
                let displaced = lost.map(|lost| Displaced::by_name(lost, before));
                self.tell_attached(&target.place, published.attachment.id, displaced);
                Some(&published.attachment)
            }
            Attached::Quarantined => {
                self.kernel.tell(&Change::Names(target.place.row));
                None
            }
        };
        // The handles are looked up afterwards: the file may have been opened while it was judged.
        for scratch in self.open.handles.open_scratch(record.id) {
            self.become_draft(&scratch, target.clone(), attachment, sent.try_clone()?);
        }
        drop(gate);
        Ok(())
    }

    /// Attaches a copy of a scratch file, which stays.
    pub(super) fn link_scratch(&self, who: Caller, id: ScratchId, target: &Target) -> Result<()> {
        let record = self.library.scratch.by_id(id)?.ok_or(Error::Stale)?;
        if self.library.lookup.link(&target.place)?.is_some() {
            return Err(Error::Exists);
        }
        who.check_owner(record.access.uid)?;
        self.open.admission.check_items(who, &target.into(), &target.written)?;
        let author = self.open.processes.author(who);
        let published = self.library.publisher.copy_scratch(&record, target, author)?;
        let displaced = published.displaced.as_ref().map(|lost| Displaced::by_name(lost, None));
        self.tell_attached(&target.place, published.attachment.id, displaced);
        Ok(())
    }

    fn become_draft(
        &self,
        scratch: &Arc<OpenScratch>,
        target: Target,
        attachment: Option<&Attachment>,
        sent: File,
    ) {
        let access = attachment.map_or(scratch.access, |attachment| attachment.access);
        let author = scratch.opener.author(access.uid);
        let over = attachment.map(|attachment| attachment.id);
        let draft = Draft::promoted(target, author, access, over, sent);
        let drafts = &self.open.drafts;
        let open = drafts.add(drafts.number(), draft, over, scratch.opener.clone());
        open.hide();
        // It is never set twice: scratch is attached once, then it is gone.
        let _ = scratch.became.set(Arc::clone(&open));
        // The kernel sends a release after `close` has returned. One that came while the file was judged found no draft to end.
        let handles = self.open.handles.open_scratch(scratch.id);
        if !handles.iter().any(|other| Arc::ptr_eq(other, scratch)) {
            self.open.closing.let_go(&open);
        }
    }

    /// Removes the placeholders of a slot that a rename or a link attached to, and tells the kernel.
    fn tell_attached(&self, place: &Place, id: AttachmentId, displaced: Option<Displaced<'_>>) {
        self.open.drafts.drop_placeholders(place, 0);
        self.kernel.tell(&Change::Attached { place, id, displaced });
    }

    /// Retries onto a field. Errors: [`Error::Refused`] leaves the entry.
    pub(super) fn retry_onto(
        &self,
        who: Caller,
        id: RefusalId,
        target: &Target,
        side: Side,
        mode: RenameMode,
    ) -> Result<()> {
        let before = self.open.admission.check_rename(who, target, side, mode)?;
        let quarantine = &self.library.quarantine;
        let entry = quarantine.find(id).ok_or(Error::NotFound)?;
        let kept = quarantine.open_bytes(id)?;
        // Expired scratch may still be open for writing.
        let sent = self.library.staging.snapshot(&kept, kept.metadata()?.len())?;
        let author = self.open.processes.author(who);
        let times = Times::all(Timestamp::now());
        let access = target.directory.of_file_inside(who.makes(FILE_MODE));
        let metadata = Metadata::written(access, times, Vec::new());
        let raw = Raw::quarantined(&sent, id, &entry.name)?;
        let published = self.library.publisher.publish(raw, target, author, &metadata)?;
        let lost = published.displaced.as_ref();
        let displaced = lost.map(|lost| Displaced::by_name(lost, before.as_ref()));
        self.tell_attached(&target.place, published.attachment.id, displaced);
        Ok(quarantine.remove(id)?)
    }

    /// Retries an entry of the quarantine onto its first target, for the user who sent it. Errors: [`Error::NotFound`] if the
    /// entry, row or field is gone; [`Error::Refused`] leaves the entry.
    pub fn retry_refused(&self, id: RefusalId) -> Result<()> {
        let kept = self.library.quarantine.find(id).ok_or(Error::NotFound)?;
        let (target, row) = self.target_of(&kept)?;
        // The user's group is not recorded: the row's is the best guess.
        let who = Caller { uid: kept.uid, gid: row.access.gid, tid: 0 };
        self.retry_onto(who, id, &target, Side::Models, RenameMode::Replace)
    }

    /// The target that an entry was sent to. Errors: [`Error::NotFound`] if the row or the field is gone.
    fn target_of(&self, kept: &Kept) -> Result<(Target, RowRecord)> {
        let names: Option<Vec<_>> =
            kept.path.split('/').map(|part| Name::parse(part).ok()).collect();
        let Some([table, id, rest @ ..]) = names.as_deref() else { return Err(Error::NotFound) };
        let table = self.library.lookup.table_named(table.as_str()).ok_or(Error::NotFound)?;
        let row = self.library.lookup.row(table.id, id)?.ok_or(Error::NotFound)?;
        let written = Name::parse(&kept.name).map_err(|_| Error::NotFound)?;
        let (node, name) = match rest {
            [field] => (Node::Row(table.id, row.id), field),
            [field, _] => {
                let number = table.number(field).ok_or(Error::NotFound)?;
                (Node::Collection(number, row.id), &written)
            }
            _ => return Err(Error::NotFound),
        };
        let parent = Directory::of(&self.library, node).ok_or(Error::NotFound)?;
        let Goal::File(spot) = self.open.paths.goal(&parent, name)? else {
            return Err(Error::NotFound);
        };
        Ok((self.places.target(&spot, &written)?, row))
    }
}
