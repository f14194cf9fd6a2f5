//! Work of the daemon and its commands without a request of the kernel: expiry, sweeps, drop boxes, restoring; and the fence before
//! all that changes something.

use std::time::Instant;

use serde_json::Value;

use crate::library::keep::sweeper::Patience;
use crate::library::lookup::target::Target;
use crate::tree::activity::Operation;
use crate::tree::error::Result;
use crate::tree::kernel::change::{Change, Maker};
use crate::tree::ops::Tree;
use crate::tree::view::trash_days::Restoring;
use words::attachment::ScratchId;
use words::author::Author;
use words::link::Collision;
use words::refusal::RefusalId;
use words::retired::Retired;
use words::space::Space;
use words::timestamp::Timestamp;

impl Tree {
    /// Does a piece of work; but after the disk has failed, none that changes something. A change that was under way when the disk
    /// failed is not acknowledged either.
    pub fn behind_the_fence<T>(
        &self,
        operation: Operation,
        work: impl FnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        if !operation.changes() {
            return work(self);
        }
        let fence = &self.library.fence;
        fence.check()?;
        let done = work(self)?;
        fence.check()?;
        Ok(done)
    }

    /// Called about once a second by a thread of the daemon. Takes no longer than a look at what is open.
    pub fn tick(&self) {
        let now = Instant::now();
        for folder in self.open.links.expire(now) {
            self.kernel.tell(&Change::Unstored { folder, by: Maker::Daemon });
        }
        self.open.writers.expire(now);
        self.listings.forget_old(now);
        self.kernel.forget_old(now);
        self.open.unlinked.forget_old(now);
        self.places.forget_old(now);
        self.view.control.quarantine.forget_old(now);
        self.library.opener.close_old();
    }

    /// Called every few seconds by a thread of its own: deletes what has expired, however much that is.
    pub fn sweep(&self) {
        if self.library.fence.is_raised() {
            return;
        }
        match self.library.sweeper.sweep(Patience::Hold) {
            Ok(swept) if swept.blobs > 0 => self.kernel.tell(&Change::Variants),
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
            Ok(rows) => {
                for row in rows {
                    self.kernel.tell(&Change::Names { row });
                }
            }
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "scratch could not be expired"
            ),
        }
        self.library.quarantine.prune(Timestamp::now());
    }

    /// The size of the disk that the library lies on.
    pub fn statfs(&self) -> Result<Space> {
        Ok(self.library.blobs.space()?)
    }

    /// The status as `mediafs status` shows it.
    pub fn status(&self) -> Result<Value> {
        self.view.control.status.value()
    }

    /// The number of drafts with bytes that nobody has judged, those that are being fetched among them.
    pub fn busy_drafts(&self) -> usize {
        self.open.writers.busy()
    }

    /// After the kernel is gone: what is still open and unjudged goes to the quarantine.
    pub fn abandon_drafts(&self) {
        self.open.writers.abandon();
    }

    /// Takes up the files in boxes that the last run of the daemon did not come to. Once, at the start.
    pub fn resume_arrivals(&self) {
        self.view.boxes.resume();
    }

    /// Files in boxes that are finished now; [`Tree::receive`] or [`Tree::defer`] must follow for each.
    pub fn arrivals(&self) -> Vec<ScratchId> {
        self.view.boxes.finished()
    }

    /// Leaves a finished file, for which there is no thread, to the next look.
    pub fn defer(&self, id: ScratchId) {
        self.view.boxes.defer(id);
    }

    /// Makes a row of a finished file. A failure is tried again later.
    pub fn receive(&self, id: ScratchId) {
        self.view.boxes.receive(id);
    }

    /// Puts an attachment back that was detached from a slot.
    pub fn restore(
        &self,
        retired: &Retired,
        target: &Target,
        collision: Collision,
        author: Author,
    ) -> Result<()> {
        self.view.trash.restore(retired, Restoring { target, collision, author })
    }

    /// Tries again where an entry of the quarantine was going, for the user who sent it.
    /// Errors: [`Error::NotFound`](crate::tree::Error::NotFound) if there is no such entry, row or field any more;
    /// [`Error::Refused`](crate::tree::Error::Refused) leaves the entry.
    pub fn retry_refused(&self, id: RefusalId) -> Result<()> {
        self.view.retry.where_it_was_going(id)
    }
}
