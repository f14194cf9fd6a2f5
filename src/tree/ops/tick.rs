//! What time brings: expired placeholders and scratch, passed holds, and the filesystem's size.
//! Does not keep time: it is called about once a second, and by another thread for what may take long.

use std::time::Instant;

use crate::blob::Space;
use crate::library::sweep::Patience;
use crate::timestamp::Timestamp;
use crate::tree::{Result, Tree};

impl Tree {
    /// Called about once a second by a thread of the daemon. Takes no longer than a look at what is open.
    pub fn tick(&self) {
        self.links.expire(Instant::now());
        for open in self.drafts.expire(Instant::now()) {
            if open.is_placeholder() {
                self.put_back(&open);
                self.row_changed(open.place());
            }
        }
        self.unlinked.forget_old();
        self.emptied.forget_old();
        self.removed.forget_old();
    }

    /// Called every few seconds by a thread of its own: deletes what is over, however much that is.
    pub fn sweep(&self) {
        if let Err(error) = self.library.sweep(Patience::Hold) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the sweep failed; it will be tried again"
            );
        }
        self.expire_scratch();
    }

    fn expire_scratch(&self) {
        let before = Timestamp::now().minus(self.library.settings().scratch);
        if let Err(error) = self.library.expire_scratch(before) {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "scratch could not be expired"
            );
        }
        self.library.quarantine().prune(Timestamp::now());
    }

    /// The backing disk's.
    pub fn statfs(&self) -> Result<Space> {
        Ok(self.library.space()?)
    }
}
