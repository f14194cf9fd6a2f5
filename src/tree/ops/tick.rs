//! What time brings: expired placeholders and scratch, passed holds, and the filesystem's size.
//! Does not keep time: it is called about once a second, and by another thread for what may take long.

use std::time::Instant;

use crate::library::keep::sweeper::Patience;
use crate::tree::{Result, Tree};
use words::space::Space;
use words::timestamp::Timestamp;

impl Tree {
    /// Called about once a second by a thread of the daemon. Takes no longer than a look at what is open.
    pub fn tick(&self) {
        for folder in self.links.expire(Instant::now()) {
            self.relist(folder);
        }
        for open in self.drafts.expire(Instant::now()) {
            if open.is_placeholder() {
                self.put_back(&open);
            }
            if open.over.is_none() {
                self.relist(open.place().folder());
            }
        }
        self.listings.forget_old();
        self.stamps.forget_old(Timestamp::now());
        self.unlinked.forget_old();
        self.emptied.forget_old();
        self.sole.forget_old();
        self.removed.forget_old();
        self.library.opener.close_old();
    }

    /// Called every few seconds by a thread of its own: deletes what is over, however much that is.
    pub fn sweep(&self) {
        if self.library.fence.is_raised() {
            return;
        }
        match self.library.sweeper.sweep(Patience::Hold) {
            Ok(swept) if swept.blobs > 0 => self.variants_changed(),
            Ok(_) => {}
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the sweep failed; it will be tried again"
            ),
        }
        self.expire_scratch();
    }

    fn expire_scratch(&self) {
        let now = Timestamp::now();
        let before = now.minus(self.library.settings.scratch);
        let warned = self.library.expiry.warn(now);
        match warned.and_then(|()| self.library.expiry.expire(before)) {
            Ok(rows) => rows.into_iter().for_each(|row| self.names_changed(row)),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "scratch could not be expired"
            ),
        }
        self.library.quarantine.prune(Timestamp::now());
    }

    /// The backing disk's.
    pub fn statfs(&self) -> Result<Space> {
        Ok(self.library.blobs.space()?)
    }
}
