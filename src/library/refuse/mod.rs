//! Refusals: recorded in the journal, reported beside the file, and the bytes kept in the quarantine.

pub mod journal;
pub mod kept;
pub mod quarantine;
pub mod reports;
mod shares;

use std::fs::File;
use std::sync::Arc;

use crate::library::error::Result;
use crate::library::limit::enforcement::Quotas;
use crate::library::lookup::Lookup;
use crate::library::lookup::target::Target;
use crate::library::refuse::journal::Journal;
use crate::library::refuse::quarantine::Quarantine;
use crate::library::refuse::reports::Reports;
use crate::library::scratch::Scratch;
use words::attachment::ScratchId;
use words::author::Author;
use words::quota::Excess;
use words::refusal::{Refusal, Violation};
use words::schema::OnRefuse;

/// Refuses files, so that a person can find out why.
pub struct Refusals {
    pub(super) lookup: Arc<Lookup>,
    pub(super) quotas: Arc<Quotas>,
    pub(super) scratch: Arc<Scratch>,
    pub(super) journal: Arc<Journal>,
    pub(super) quarantine: Arc<Quarantine>,
    pub(super) reports: Arc<Reports>,
}

impl Refusals {
    /// Refuses a file: keeps its bytes if they are complete, records the refusal, and reports it beside the name.
    pub fn refuse(
        &self,
        target: &Target,
        author: Author,
        violation: Violation,
        complete: Option<&File>,
    ) -> Refusal {
        let refusal = Refusal::new(self.journal.next_id(), &target.slot, violation);
        let name = target.written.as_str();
        let kept = complete.and_then(|it| self.quarantine.keep(&refusal, name, author, it));
        self.make_known(target, author, &refusal, kept);
        refusal
    }

    /// Refuses a file that the quarantine keeps already, at this path below it.
    pub(super) fn refuse_kept(
        &self,
        target: &Target,
        author: Author,
        violation: Violation,
        kept: String,
    ) -> Refusal {
        let refusal = Refusal::new(self.journal.next_id(), &target.slot, violation);
        self.make_known(target, author, &refusal, Some(kept));
        refusal
    }

    /// Refuses a file that would exceed a quota. Nothing of it is kept.
    pub fn refuse_over_quota(&self, target: &Target, author: Author, excess: &Excess) -> Refusal {
        self.refuse(target, author, self.quotas.violation(excess), None)
    }

    /// Refuses a change of a scratch file. The bytes that it has stay.
    pub fn refuse_scratch(
        &self,
        id: ScratchId,
        author: Author,
        violation: Violation,
    ) -> Result<Refusal> {
        let (folder, name) = match self.scratch.by_id(id)? {
            Some(record) => (self.lookup.folder_path(&record.folder)?, record.name.to_string()),
            None => ("?".to_owned(), "a file without a name".to_owned()),
        };
        Ok(self.refuse_named(&folder, &name, author, violation))
    }

    /// Records a refusal of a file that is in no slot: of `name` in the folder with this path.
    pub(super) fn refuse_named(
        &self,
        folder: &str,
        name: &str,
        author: Author,
        violation: Violation,
    ) -> Refusal {
        let (path, field) = (format!("{folder}/{name}"), name.to_owned());
        let refusal = Refusal { id: self.journal.next_id(), path, field, violation };
        self.journal.record(&refusal, None, author, None);
        refusal
    }

    /// Forgets the last refusal of a slot, which has taken a file.
    pub(super) fn clear(&self, target: &Target) {
        self.journal.clear(&target.place);
        self.reports.withdraw(target);
    }

    /// Whether the writer of a refused file is told success: the field hides refusals, and the quarantine has the bytes on disk.
    pub(super) fn tells_success(&self, target: &Target, refusal: &Refusal) -> bool {
        target.field.on_refuse == OnRefuse::Quarantine && self.quarantine.find(refusal.id).is_some()
    }

    fn make_known(&self, target: &Target, author: Author, refusal: &Refusal, kept: Option<String>) {
        self.journal.record(refusal, Some(&target.place), author, kept);
        if let Some(line) = self.journal.of_place(&target.place) {
            self.reports.report(target, author, &line);
        }
    }
}
