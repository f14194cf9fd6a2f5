//! Scratch that is renamed onto a field is attached, and its open handles become handles of a draft of that field (CONTRACT 2.8).

use std::fs::File;
use std::sync::{Arc, PoisonError};

use crate::library::Library;
use crate::library::draft::Draft;
use crate::library::lookup::target::Target;
use crate::library::publish::Attached;
use crate::tree::error::Result;
use crate::tree::kernel::change::{Change, Displaced};
use crate::tree::kernel::tell::Knowledge;
use crate::tree::open::drafts::Drafts;
use crate::tree::open::handles::{Handles, OpenScratch};
use crate::tree::open::processes::Processes;
use crate::tree::open::writers::Writers;
use crate::tree::request::Caller;
use words::link::Link;
use words::scratch::ScratchRecord;

pub struct Promotion {
    pub(super) library: Arc<Library>,
    pub(super) kernel: Arc<Knowledge>,
    pub(super) handles: Arc<Handles>,
    pub(super) drafts: Arc<Drafts>,
    pub(super) writers: Arc<Writers>,
    pub(super) processes: Processes,
}

impl Promotion {
    /// Attaches a scratch file. `before`: the link that it displaces, if the kernel may know that by its name afterwards.
    pub fn attach(
        &self,
        who: Caller,
        record: &ScratchRecord,
        target: &Target,
        before: Option<&Link>,
    ) -> Result<()> {
        // Held until the handles are a draft's: bytes that are written meanwhile belong to the draft.
        let charge = self.library.scratch.charge(record)?;
        let gate = charge.gate.write().unwrap_or_else(PoisonError::into_inner);
        let author = self.processes.author(who);
        let (outcome, sent) = self.library.publisher.attach_scratch(record, target, author)?;
        match &outcome {
            Attached::Published(published) => {
                self.drafts.drop_placeholders(&target.place, 0);
                let lost = published.displaced.as_ref();
                let displaced = lost.map(|lost| Displaced::by_name(lost, before));
                let (place, id) = (&target.place, published.attachment.id);
                self.kernel.tell(&Change::Attached { place, id, displaced });
            }
            Attached::Quarantined => self.kernel.tell(&Change::Names { row: target.place.row }),
        }
        // The handles are looked up afterwards: the file may have been opened while it was judged.
        for scratch in self.handles.open_scratch(record.id) {
            self.become_draft(&scratch, target, &outcome, sent.try_clone()?);
        }
        drop(gate);
        Ok(())
    }

    fn become_draft(
        &self,
        scratch: &Arc<OpenScratch>,
        target: &Target,
        outcome: &Attached,
        sent: File,
    ) {
        let attachment = match outcome {
            Attached::Published(published) => Some(&published.attachment),
            Attached::Quarantined => None,
        };
        let access = attachment.map_or(scratch.access, |attachment| attachment.access);
        let author = scratch.opener.author(access.uid);
        let over = attachment.map(|attachment| attachment.id);
        let draft = Draft::promoted(target.clone(), author, access, over, sent);
        let open = self.drafts.add(draft, over, scratch.opener.clone());
        open.hide();
        open.hold(Some(&scratch.opener));
        // Set once: scratch is attached once, then it is gone.
        let _ = scratch.became.set(Arc::clone(&open));
        // The kernel sends a release after `close` has returned: one that came while the file was judged found no draft.
        let handles = self.handles.open_scratch(scratch.id);
        if !handles.iter().any(|other| Arc::ptr_eq(other, scratch)) && open.let_go() {
            self.writers.end(&open);
        }
    }
}
