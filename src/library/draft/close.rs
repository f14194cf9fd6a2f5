//! The end of a draft: its bytes are judged once and become an attachment, a refusal, or nothing (CONTRACT 2.4 to 2.7).

use std::error::Error as StdError;
use std::sync::Arc;

use crate::fd;
use crate::library::draft::{Draft, Drafts, Stage, Work, Working};
use crate::library::error::{Error, Result};
use crate::library::lookup::Lookup;
use crate::library::publish::Raw;
use words::attachment::{Attachment, AttachmentId};
use words::refusal::{Refusal, Rule, Violation};

/// The outcome of a flush.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There was nothing to judge.
    Nothing,
    /// The bytes were refused now and are in the quarantine. Their writer is told success.
    Quarantined,
    /// The bytes were committed now. `displaced` is the attachment that lost the name.
    Committed { id: AttachmentId, displaced: Option<Box<Attachment>> },
}

/// The receiver of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hearer {
    /// The writer, who closes the file and still has the bytes.
    Writer,
    Nobody,
}

/// The state of a draft after its last handle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// No byte came, and nothing was committed.
    Empty,
    Committed(AttachmentId),
    /// The bytes were refused, whether or not the writer was told, or could not be written.
    Lost,
    /// The owner unlinked the name.
    Discarded,
}

impl Draft {
    /// Judges the bytes that no flush has judged yet, and commits them. Without new bytes it repeats a refusal. `objection`: a
    /// reason to refuse new bytes that is not theirs.
    pub fn flush(&self, drafts: &Drafts, objection: Option<Violation>) -> Result<Verdict> {
        self.judge(drafts, self.working()?, Hearer::Writer, objection)
    }

    fn judge(
        &self,
        drafts: &Drafts,
        mut work: Working<'_>,
        hearer: Hearer,
        objection: Option<Violation>,
    ) -> Result<Verdict> {
        if work.detached {
            return Ok(Verdict::Nothing);
        }
        work.check()?;
        match work.stage {
            Stage::Open(_) | Stage::Frozen { .. } if self.size() > 0 => {
                self.commit(drafts, &mut work, hearer, objection)
            }
            _ => Ok(Verdict::Nothing),
        }
    }

    /// Ends the draft after its last handle. Judges bytes that no flush has judged, as [`Draft::flush`] does; a refusal is only
    /// logged.
    pub fn finish(&self, drafts: &Drafts, objection: Option<Violation>) -> (End, Option<Verdict>) {
        // Bytes are frozen after a flush that failed and told its writer.
        let work = self.work();
        let told = matches!(work.stage, Stage::Frozen { .. });
        let hearer = if told { Hearer::Writer } else { Hearer::Nobody };
        let verdict = match self.judge(drafts, work, hearer, objection) {
            Ok(verdict) => Some(verdict),
            Err(Error::Refused(_)) => None,
            Err(Error::NoSpace) => {
                tracing::warn!(slot = %self.target().slot, "a file did not fit on the disk");
                None
            }
            Err(error @ Error::Fenced(_)) => {
                self.give_up(drafts, failed(&error), Hearer::Nobody);
                None
            }
            Err(error) => {
                tracing::error!(slot = %self.target.slot, error = &error as &dyn StdError, "a file could not be stored");
                // No flush follows: the bytes are kept, and the refusal says where.
                self.give_up(drafts, failed(&error), hearer);
                None
            }
        };
        let mut work = self.work();
        if matches!(work.stage, Stage::Open(_)) && self.size() == 0 {
            // Drops the staged file, and gives back the space that is allocated for it.
            work.stage = Stage::Untouched;
        }
        let end = match &work.stage {
            _ if work.detached => End::Discarded,
            Stage::Committed { id, .. } => End::Committed(*id),
            Stage::Untouched => End::Empty,
            _ => End::Lost,
        };
        (end, verdict)
    }

    /// Gives up the bytes of an upload that ends before its close. They go to the quarantine, or stay staged.
    pub fn interrupt(&self, drafts: &Drafts) {
        self.give_up(drafts, interrupted(), Hearer::Nobody);
    }

    fn give_up(&self, drafts: &Drafts, violation: Violation, hearer: Hearer) {
        let mut work = self.work();
        let size = self.size();
        // Behind a raised fence the quarantine takes nothing. The bytes stay staged, under a name that tells their slot.
        if drafts.fence.is_raised() && size > 0 && !work.detached {
            let refusal = Refusal::new(drafts.journal.next_id(), &self.target.slot, violation);
            match std::mem::replace(&mut work.stage, Stage::Refused(refusal)) {
                Stage::Open(staged) => staged.freeze().keep(),
                Stage::Frozen { name, .. } => name.keep(),
                other => work.stage = other,
            }
            drafts.counts.leave(size);
            return;
        }
        if let Err(error) = work.trim() {
            tracing::warn!(slot = %self.target.slot, %error, "an interrupted file keeps room that it does not need");
        }
        let bytes = match &work.stage {
            Stage::Open(staged) => &staged.file,
            Stage::Frozen { sent, .. } => sent,
            _ => return,
        };
        if self.size() > 0 && !work.detached {
            let refusal = drafts.refusals.refuse(&self.target, self.author, violation, Some(bytes));
            let stage = std::mem::replace(&mut work.stage, Stage::Refused(refusal.clone()));
            self.let_go(drafts, stage, hearer, &refusal);
        }
    }

    /// Detaches the draft, whose owner unlinked the name. Nothing will be judged, and a crash leaves nothing.
    pub fn detach(&self) {
        let mut work = self.work();
        work.detached = true;
        work.replaced = None;
        if let Stage::Open(staged) | Stage::Spoiled(staged) = &work.stage {
            staged.name.unlink();
        }
    }

    /// The number of names of the bytes, from the detachment or the commit on; else unknown. Never waits for a judgement.
    pub fn names(&self, lookup: &Lookup) -> Result<Option<u32>> {
        let Some(work) = self.work.try_lock() else { return Ok(None) };
        let id = match work.stage {
            _ if work.detached => return Ok(Some(0)),
            Stage::Committed { id, .. } => id,
            _ => return Ok(None),
        };
        drop(work);
        Ok(Some(lookup.attachment(id)?.map_or(0, |attachment| attachment.links)))
    }

    /// Drops refused bytes. They stay staged if no writer was told of the refusal and the quarantine could not take them.
    fn let_go(&self, drafts: &Drafts, stage: Stage, hearer: Hearer, refusal: &Refusal) {
        if hearer == Hearer::Writer || drafts.quarantine.find(refusal.id).is_some() {
            return;
        }
        let name = match stage {
            Stage::Open(staged) => staged.freeze(),
            Stage::Frozen { name, .. } => name,
            _ => return,
        };
        tracing::warn!(id = %refusal.id, slot = %self.target.slot, bytes = self.size(), "a file stays in the folder `staging`; the next start tries again to move it to the quarantine");
        drafts.counts.leave(self.size());
        name.keep();
    }

    fn commit(
        &self,
        drafts: &Drafts,
        work: &mut Work,
        hearer: Hearer,
        objection: Option<Violation>,
    ) -> Result<Verdict> {
        work.freeze()?;
        // Readers need not keep the descriptor that could write.
        self.show(work);
        let Stage::Frozen { sent, .. } = &work.stage else { return Ok(Verdict::Nothing) };
        if let Some(violation) = objection.or_else(|| work.unfit.take()) {
            work.unfit.clone_from(&work.condemned);
            let refusal = drafts.refusals.refuse(&self.target, self.author, violation, Some(sent));
            return self.refused(drafts, work, hearer, refusal);
        }
        let raw = Raw::new(sent)?.seen(work.sum.clone());
        let metadata = self.metadata(&drafts.attributes, &work.start)?;
        match drafts.publisher.publish(raw, &self.target, self.author, &metadata) {
            Ok(published) => {
                let id = published.attachment.id;
                work.replaced = None;
                // The staged name is dropped with the stage: the blob has the bytes now.
                if let Stage::Frozen { sent, .. } = std::mem::take(&mut work.stage) {
                    work.stage = Stage::Committed { id, sent };
                }
                Ok(Verdict::Committed { id, displaced: published.displaced.map(Box::new) })
            }
            Err(Error::Refused(refusal)) => self.refused(drafts, work, hearer, refusal),
            // The daemon's fault, not the writer's: the bytes stay for another flush.
            Err(error) => Err(error),
        }
    }

    /// Ends a judgement that refused the bytes. The field may hide that from the writer, if the quarantine has the bytes.
    fn refused(
        &self,
        drafts: &Drafts,
        work: &mut Work,
        hearer: Hearer,
        refusal: Refusal,
    ) -> Result<Verdict> {
        let silent = drafts.refusals.tells_success(&self.target, &refusal);
        match std::mem::replace(&mut work.stage, Stage::Refused(refusal.clone())) {
            Stage::Frozen { sent, .. } if silent => {
                work.stage = Stage::Quarantined { sent };
                Ok(Verdict::Quarantined)
            }
            stage => {
                self.let_go(drafts, stage, hearer, &refusal);
                Err(refusal.into())
            }
        }
    }
}

impl Work {
    /// Closes every descriptor that can write to the bytes. A later write copies them first.
    fn freeze(&mut self) -> Result<()> {
        self.trim()?;
        let Stage::Open(staged) = &self.stage else { return Ok(()) };
        let sent = fd::read_only(&staged.file).map_err(Error::io("reopen the draft"))?;
        if let Stage::Open(staged) = std::mem::take(&mut self.stage) {
            self.stage = Stage::Frozen { sent: Arc::new(sent), name: staged.freeze() };
        }
        Ok(())
    }
}

/// The violation of an upload that ended before its close.
pub(in crate::library) fn interrupted() -> Violation {
    Violation {
        rule: Rule::Interrupted,
        fact: "the upload ended before the file was closed".into(),
        measured: "not closed".into(),
        allows: "takes files that were closed".into(),
        allowed: "closed".into(),
        hint: "send it again, or move it onto the field from the quarantine".into(),
    }
}

/// The violation of a whole file that the library failed to store.
fn failed(error: &Error) -> Violation {
    Violation {
        rule: Rule::Interrupted,
        fact: format!("the file could not be stored ({error})"),
        measured: "not stored".into(),
        allows: "takes files when the library works".into(),
        allowed: "stored".into(),
        hint: "move it onto the field from the quarantine once the library works again".into(),
    }
}
