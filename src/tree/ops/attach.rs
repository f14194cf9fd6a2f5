//! Attaching what lies under another name: scratch, and what was refused before (CONTRACT 2.8).
//! Does not find the names; judging is the library's.

use std::sync::{Arc, PoisonError};

use crate::library::draft::Draft;
use crate::library::lookup::target::Target;
use crate::library::publish::Published;
use crate::library::publish::metadata::Metadata;
use crate::library::publish::raw::Raw;
use crate::library::publish::scratch_publisher::Attached;
use crate::tree::attr::RenameMode;
use crate::tree::handles::OpenScratch;
use crate::tree::name;
use crate::tree::side::Side;
use crate::tree::{Caller, Error, Result, Tree};
use words::access::FILE_MODE;
use words::link::Link;
use words::place::Place;
use words::refusal::RefusalId;
use words::schema::Collection;
use words::scratch::ScratchRecord;

impl Tree {
    /// What scratch is about to displace, if the mode and the collection let it in and the kernel may go on knowing its name.
    pub(in crate::tree) fn way_in(
        &self,
        who: Caller,
        (target, side): (&Target, Side),
        mode: RenameMode,
    ) -> Result<Option<Link>> {
        let before = self.library.lookup.link(&target.place)?;
        match (mode, &before) {
            (RenameMode::NoReplace, Some(_)) => return Err(Error::Exists),
            (RenameMode::Exchange, _) => {
                return Err(Error::Invalid("scratch and fields cannot be exchanged"));
            }
            (_, None) => self.check_items(who, &target.place, &target.field, &target.written)?,
            (RenameMode::Replace, Some(_)) => {}
        }
        // A name of `/originals` replaces none of `/models`.
        Ok(before.filter(|link| side == Side::Originals || outlives(link, target)))
    }

    /// Whether a link may arrive in a collection: there is room, and the name can belong to what the rules take.
    pub(in crate::tree) fn check_arrival(
        &self,
        who: Caller,
        target: &Target,
        taken: bool,
        from: Option<&Place>,
    ) -> Result<()> {
        let Target { place, field, written, .. } = target;
        if field.collection == Collection::One {
            return Ok(());
        }
        self.check_extension(who, place, field, written)?;
        let stays = from.is_some_and(|from| from.folder() == place.folder());
        if taken || stays { Ok(()) } else { self.check_items(who, place, field, written) }
    }

    pub(in crate::tree) fn attach_scratch(
        &self,
        who: Caller,
        record: &ScratchRecord,
        target: &Target,
        before: Option<&Link>,
    ) -> Result<()> {
        // What is written until the handles have become a draft's belongs to that.
        let charge = self.library.scratch.charge(record)?;
        let gate = charge.gate.write().unwrap_or_else(PoisonError::into_inner);
        let author = Self::author(who, &self.processes.owner(who.tid));
        let (outcome, sent) = self.library.scratch_publisher.attach(record, target, author)?;
        match &outcome {
            Attached::Published(published) => self.published(&target.place, published, before),
            Attached::Quarantined => self.row_changed(&target.place),
        }
        // Asked for afterwards: it may have been opened while it was judged.
        for scratch in self.handles.open_scratch(record.id) {
            let sent = sent.try_clone().map_err(super::files::failed)?;
            self.become_draft(&scratch, target, &outcome, sent);
        }
        drop(gate);
        Ok(())
    }

    /// An open handle of scratch that was attached goes on as a draft of the field.
    fn become_draft(
        &self,
        scratch: &Arc<OpenScratch>,
        target: &Target,
        outcome: &Attached,
        sent: std::fs::File,
    ) {
        let attachment = match outcome {
            Attached::Published(published) => Some(&published.attachment),
            Attached::Quarantined => None,
        };
        let access = attachment.map_or(scratch.access, |attachment| attachment.access);
        let author = words::author::Author { uid: access.uid, pid: scratch.opener.pid() };
        let target = target.clone();
        let draft = match attachment {
            Some(attachment) => Draft::committed(target, author, attachment.id, access, sent),
            None => Draft::quarantined(target, author, access, sent),
        };
        let over = attachment.map(|attachment| attachment.id);
        let open = self.drafts.add(draft, over, scratch.opener.clone());
        open.hide();
        open.hold(Some(&scratch.opener));
        // Set once: scratch is attached once, then it is gone.
        let _ = scratch.became.set(Arc::clone(&open));
        // The kernel sends a release after `close` has returned: one that came while the file was judged found no draft.
        let handles = self.handles.open_scratch(scratch.id);
        if !handles.iter().any(|other| Arc::ptr_eq(other, scratch)) && open.let_go() {
            self.end_draft(&open);
        }
    }

    pub(in crate::tree) fn published(
        &self,
        place: &Place,
        published: &Published,
        before: Option<&Link>,
    ) {
        self.row_changed(place);
        self.drop_placeholders(place, 0);
        match &published.displaced {
            Some(displaced) => self.displaced_by_name(place, displaced, before),
            None => self.forget_attachment(published.attachment.id),
        }
    }

    /// `mv` out of the quarantine onto a field tries again.
    pub(in crate::tree) fn retry(
        &self,
        who: Caller,
        id: RefusalId,
        (target, side): (&Target, Side),
        mode: RenameMode,
    ) -> Result<()> {
        let before = self.way_in(who, (target, side), mode)?;
        let quarantine = &self.library.quarantine;
        let entry = quarantine.find(id).ok_or(Error::NotFound)?;
        let kept = quarantine.open_bytes(id).map_err(super::files::failed)?;
        let length = kept.metadata().map_err(super::files::failed)?.len();
        // Expired scratch may still be open for writing.
        let sent = self.library.staging.snapshot(&kept, length)?;
        let author = Self::author(who, &self.processes.owner(who.tid));
        let times = words::attachment::Times::all(words::timestamp::Timestamp::now());
        let metadata = Metadata::written(who.makes(FILE_MODE), times, Vec::new());
        let raw = Raw::quarantined(&sent, id, &entry.name)?;
        let published = self.library.publisher.publish(raw, target, author, &metadata)?;
        self.published(&target.place, &published, before.as_ref());
        quarantine.remove(id).map_err(super::files::failed)
    }
}

/// Whether the kernel may still know what was displaced by its listed name. The name that is renamed onto it replaces itself,
/// and holds its directory's lock meanwhile: waiting for it would be in vain.
pub(in crate::tree) fn outlives(displaced: &Link, target: &Target) -> bool {
    name::listed(displaced, target.field.collection) != target.written
}
