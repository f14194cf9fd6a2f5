//! The descriptors that a user may have: refused beyond that, with words.

use crate::tree::error::Result;
use crate::tree::open::descriptors::Full;
use crate::tree::ops::Tree;
use crate::tree::request::Caller;
use words::refusal::{Refusal, Rule, Violation};

/// The most stored files that are kept open for the next open. Each takes some kilobytes of the kernel's memory.
const KEPT_OPEN: usize = 32_768;

impl Tree {
    /// Shares the daemon's descriptors between the users and the cache of open files. Called once, before the first request.
    pub fn share_descriptors(&self, all: usize) {
        self.open.handles.descriptors.share(all);
        self.fit_cache();
    }

    /// Refuses to open more for a user who has half of the descriptors that the others leave.
    pub(super) fn check_descriptors(&self, who: Caller) -> Result<()> {
        self.fit_cache();
        let Err(full) = self.open.handles.check(who) else { return Ok(()) };
        let told = &self.open.handles.descriptors.told;
        if let Some(refusal) = told.lock().get(&who.uid) {
            return Err(refusal.clone().into());
        }
        let refusal = self.too_many_open(who, full);
        self.library.journal.record(&refusal, None, self.open.processes.author(who), None);
        told.lock().insert(who.uid, refusal.clone());
        Err(refusal.into())
    }

    /// Makes the cache of open files give way to handles.
    fn fit_cache(&self) {
        if let Some(files) = self.open.handles.descriptors.left_for_cache() {
            self.library.opener.keep_open(files.min(KEPT_OPEN));
        }
    }

    fn too_many_open(&self, who: Caller, Full { taken, allowed }: Full) -> Refusal {
        Refusal {
            id: self.library.journal.next_id(),
            path: "models".into(),
            field: "the mount".into(),
            violation: Violation {
                rule: Rule::OpenFiles,
                fact: format!("the open files of user {} take {taken} descriptors", who.uid),
                measured: taken.to_string(),
                allows: format!("gives one user {allowed} of those that the others leave"),
                allowed: allowed.to_string(),
                hint: "close files, or raise the daemon's limit of descriptors (LimitNOFILE)"
                    .into(),
            },
        }
    }
}
