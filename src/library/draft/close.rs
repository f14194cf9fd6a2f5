//! The end of a draft: its bytes are judged once and become an attachment, a refusal, or nothing (CONTRACT 2.4 to 2.7).
//! Does not know who closed it, nor whether that was a verdict.

use crate::library::Library;
use crate::library::draft::{Draft, Stage, Work};
use crate::library::error::Error;
use crate::library::publish::Raw;
use words::attachment::{Attachment, AttachmentId};
use words::refusal::{Refusal, Rule, Violation};

/// What became of a flush.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There was nothing to judge.
    Nothing,
    /// The bytes were refused now and are in the quarantine; their writer is to be told success.
    Quarantined,
    /// The bytes were committed now. The attachment that lost the name, if any.
    Committed { id: AttachmentId, displaced: Option<Box<Attachment>> },
}

/// Who hears what becomes of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hearer {
    /// Whoever closes, and has the bytes still.
    Writer,
    Nobody,
}

/// What a finished draft leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Never a byte and no commit.
    Empty,
    Committed(AttachmentId),
    /// Refused, in silence or not, or spoiled.
    Lost,
    /// Its owner unlinked it.
    Discarded,
}

impl Draft {
    /// Judges what no flush has judged yet, and commits it: the verdict of `close`.
    /// Without new bytes it repeats the last verdict; without any bytes there is none.
    pub fn settle(&self, library: &Library) -> Result<Verdict, Error> {
        self.judge(library, Hearer::Writer)
    }

    fn judge(&self, library: &Library, hearer: Hearer) -> Result<Verdict, Error> {
        let mut work = self.work();
        match &work.stage {
            _ if work.detached => Ok(Verdict::Nothing),
            Stage::Refused(refusal) => Err(refusal.clone().into()),
            Stage::Spoiled(_) => Err(Error::NoSpace),
            Stage::Untouched | Stage::Committed { .. } | Stage::Quarantined { .. } => {
                Ok(Verdict::Nothing)
            }
            Stage::Open(_) | Stage::Frozen { .. } if self.size() == 0 => Ok(Verdict::Nothing),
            Stage::Open(_) | Stage::Frozen { .. } => self.commit(library, &mut work, hearer),
        }
    }

    /// Ends the draft after its last handle: what is still unjudged is judged, and nobody hears of it but the log.
    pub fn finish(&self, library: &Library) -> (End, Option<Verdict>) {
        // A flush that failed has told its writer, and left the bytes frozen.
        let told = matches!(self.work().stage, Stage::Frozen { .. });
        let hearer = if told { Hearer::Writer } else { Hearer::Nobody };
        let verdict = match self.judge(library, hearer) {
            Ok(verdict) => Some(verdict),
            Err(Error::Refused(_)) => None,
            Err(Error::NoSpace) => {
                tracing::warn!(slot = %self.target().slot, "a file did not fit on the disk");
                None
            }
            Err(error @ Error::Fenced(_)) => {
                self.interrupt(library, failed(&error));
                None
            }
            Err(error) => {
                tracing::error!(slot = %self.target.slot, error = &error as &dyn std::error::Error, "a file could not be stored");
                // Nobody tries again after the last handle: the bytes are kept, and their writer is told where.
                self.give_up(library, failed(&error), hearer);
                None
            }
        };
        let mut work = self.work();
        if matches!(work.stage, Stage::Open(_)) && self.size() == 0 {
            // The staged file goes, with what is allocated for it.
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

    /// Gives up bytes that nobody will judge: they go to the quarantine for this reason, or stay staged.
    pub fn interrupt(&self, library: &Library, violation: Violation) {
        self.give_up(library, violation, Hearer::Nobody);
    }

    fn give_up(&self, library: &Library, violation: Violation, hearer: Hearer) {
        let mut work = self.work();
        let size = self.size();
        // The quarantine takes nothing then. The next start finds the bytes where they are, under a name that says whose they are.
        if library.fence.is_raised() && size > 0 && !work.detached {
            let refusal = Refusal::new(library.journal.next_id(), &self.target.slot, violation);
            match std::mem::replace(&mut work.stage, Stage::Refused(refusal)) {
                Stage::Open(staged) => staged.freeze().keep(),
                Stage::Frozen { name, .. } => name.keep(),
                other => work.stage = other,
            }
            library.counts.leave(size);
            return;
        }
        if let Err(error) = work.trim() {
            tracing::warn!(slot = %self.target.slot, %error, "an interrupted file keeps room that it does not need");
        }
        let bytes = match &work.stage {
            Stage::Open(staged) => staged.file(),
            Stage::Frozen { sent, .. } => sent,
            _ => return,
        };
        if self.size() > 0 && !work.detached {
            let refusal =
                library.refusals.refuse(&self.target, self.author, violation, Some(bytes));
            let stage = std::mem::replace(&mut work.stage, Stage::Refused(refusal.clone()));
            self.let_go(library, (stage, hearer), &refusal);
        }
    }

    /// The owner unlinked the name: open handles go on as with any unlinked file, nothing will be judged, and a crash
    /// leaves nothing.
    pub fn detach(&self) {
        let mut work = self.work();
        work.detached = true;
        work.replaced = None;
        if let Stage::Open(staged) | Stage::Spoiled(staged) = &work.stage {
            staged.unlink();
        }
    }

    /// How many names its bytes have, where their owner or the catalogue says so: none once it is detached, and once it is
    /// committed those of the attachment. Never waits for a judgement.
    pub fn names(&self, library: &Library) -> Result<Option<u32>, Error> {
        let Ok(work) = self.work.try_lock() else { return Ok(None) };
        let id = match work.stage {
            _ if work.detached => return Ok(Some(0)),
            Stage::Committed { id, .. } => id,
            _ => return Ok(None),
        };
        drop(work);
        Ok(Some(library.lookup.attachment(id)?.map_or(0, |attachment| attachment.links)))
    }

    /// Lets go of refused bytes. What nobody heard of and the quarantine could not take stays staged for the next start.
    fn let_go(&self, library: &Library, (stage, hearer): (Stage, Hearer), refusal: &Refusal) {
        if hearer == Hearer::Writer || library.quarantine.find(refusal.id).is_some() {
            return;
        }
        let name = match stage {
            Stage::Open(staged) => staged.freeze(),
            Stage::Frozen { name, .. } => name,
            _ => return,
        };
        tracing::warn!(id = %refusal.id, slot = %self.target.slot, bytes = self.size(), "a file stays in the folder `staging`; the next start tries again to move it to the quarantine");
        library.counts.leave(self.size());
        name.keep();
    }

    fn commit(&self, library: &Library, work: &mut Work, hearer: Hearer) -> Result<Verdict, Error> {
        Self::freeze(work)?;
        let Stage::Frozen { sent, .. } = &work.stage else { return Ok(Verdict::Nothing) };
        if let Some(violation) = work.unfit.take() {
            work.unfit.clone_from(&work.condemned);
            let refusal = library.refusals.refuse(&self.target, self.author, violation, Some(sent));
            return self.refused(library, (work, hearer), refusal);
        }
        let raw = Raw::new(sent)?.seen(work.sum.clone());
        let metadata = self.metadata(library, &work.start)?;
        match library.publish(raw, &self.target, self.author, &metadata) {
            Ok(published) => {
                let id = published.attachment.id;
                work.replaced = None;
                // The staging name goes with the stage: the bytes have their key now, or are not needed any more.
                if let Stage::Frozen { sent, .. } =
                    std::mem::replace(&mut work.stage, Stage::Untouched)
                {
                    work.stage = Stage::Committed { id, sent };
                }
                Ok(Verdict::Committed { id, displaced: published.displaced.map(Box::new) })
            }
            Err(Error::Refused(refusal)) => self.refused(library, (work, hearer), refusal),
            // Ours, not the writer's fault: the bytes stay for another flush.
            Err(error) => Err(error),
        }
    }

    /// The writer hears of it, unless the field says otherwise and the bytes are safe.
    fn refused(
        &self,
        library: &Library,
        (work, hearer): (&mut Work, Hearer),
        refusal: Refusal,
    ) -> Result<Verdict, Error> {
        let silent = library.refusals.tells_success(&self.target, &refusal);
        match std::mem::replace(&mut work.stage, Stage::Refused(refusal.clone())) {
            Stage::Frozen { sent, .. } if silent => {
                work.stage = Stage::Quarantined { sent };
                Ok(Verdict::Quarantined)
            }
            stage => {
                self.let_go(library, (stage, hearer), &refusal);
                Err(refusal.into())
            }
        }
    }

    /// From here on no descriptor can write to these bytes; a later write copies them first.
    fn freeze(work: &mut Work) -> Result<(), Error> {
        work.trim()?;
        let Stage::Open(staged) = &work.stage else { return Ok(()) };
        let sent = staged.read_only().map_err(Error::io("reopen the draft"))?;
        if let Stage::Open(staged) = std::mem::replace(&mut work.stage, Stage::Untouched) {
            work.stage = Stage::Frozen { sent, name: staged.freeze() };
        }
        Ok(())
    }
}

/// The violation of bytes that were sent whole when the library itself failed.
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
