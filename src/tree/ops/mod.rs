//! The operations of FUSE. Each finds the nodes that are meant and calls the parts below.

mod allowance;
mod attaching;
pub mod bytes;
mod changing;
pub mod cost;
mod delayed;
mod directories;
mod files;
mod getattr;
mod link;
mod litter;
mod lookup;
mod normal_form;
mod open;
mod read_only;
mod reasons;
mod rename;
mod setattr;
mod xattr;

use std::sync::Arc;
use std::time::Instant;

use crate::library::Library;
use crate::library::keep::sweeper::Patience;
use crate::tree::activity::{Activity, Operation};
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::{Change, Maker};
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::places::{Places, Scope};
use crate::tree::open::Open;
use crate::tree::open::processes::Processes;
use crate::tree::show::Show;
use crate::tree::show::listing::Listings;
use crate::tree::view::Views;
use words::normal_form::NormalForm;
use words::timestamp::Timestamp;

/// The filesystem. Its methods are the operations of FUSE; commands and background work call its parts.
pub struct Tree {
    pub library: Arc<Library>,
    pub activity: Arc<Activity>,
    pub kernel: Arc<Knowledge>,
    pub open: Arc<Open>,
    pub view: Views,
    /// The Unicode form of names.
    pub names: NormalForm,
    places: Arc<Places>,
    show: Arc<Show>,
    listings: Listings,
}

impl Tree {
    pub fn new(library: Arc<Library>, processes: Processes) -> Self {
        Self::of(library, processes, Scope::Everything)
    }

    pub fn of(library: Arc<Library>, processes: Processes, scope: Scope) -> Self {
        let started = Timestamp::now();
        let activity = Arc::<Activity>::default();
        let places = Arc::new(Places::new(&library, scope));
        let kernel = Arc::new(Knowledge::new(&library, &places, started));
        let listings = Listings::default();
        let show = part!(Show: library, places, kernel; started: started);
        let open = Arc::new(Open::new(&library, &places, &kernel, &show, processes));
        let view = Views::new(&library, &places, &kernel, &show, &open, &activity);
        let names = NormalForm::default();
        Self { library, activity, kernel, open, view, names, places, show, listings }
    }

    /// Runs an operation. One that changes anything is not acknowledged if the disk has failed before or meanwhile, and is refused
    /// by a read-only tree: root can mount that to write again (`mount -o remount,rw`), and the daemon is not asked.
    pub fn behind_the_fence<T>(
        &self,
        operation: Operation,
        work: impl FnOnce(&Self) -> Result<T>,
    ) -> Result<T> {
        if !operation.changes() {
            return work(self);
        }
        if self.places.is_read_only() {
            return Err(Error::ReadOnly);
        }
        let fence = &self.library.fence;
        fence.check()?;
        let done = work(self)?;
        fence.check()?;
        Ok(done)
    }

    /// Expires entries of the tables in memory. Called about once a second by a thread of the daemon.
    pub fn tick(&self) {
        let now = Instant::now();
        for folder in self.open.links.expire(now) {
            self.kernel.tell(&Change::Unstored { folder, by: Maker::Daemon });
        }
        self.open.writers.expire(now);
        self.open.redirects.forget_ended(|thread| self.open.processes.has_ended(thread));
        self.listings.forget_old(now);
        self.open.litter.forget_old(now);
        self.kernel.rows.forget_old(now);
        self.open.unlinked.forget_old(now);
        self.places.forget_old(now);
        self.view.control.quarantine.forget_old(now);
        self.library.opener.close_old();
    }

    /// Logs the files in places that the configuration does not have. Walks the catalogue. Called once by a thread of its own.
    pub fn look_for_hidden(&self) {
        match self.library.hidden.count() {
            Ok(found) => found.iter().for_each(|place| tracing::warn!("{place}")),
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "whether the configuration hides files is not known"
            ),
        }
    }

    /// Deletes expired blobs and scratch files, which may take long. Called every few seconds by a thread of its own.
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
                    self.kernel.tell(&Change::Names(row));
                }
            }
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "scratch could not be expired"
            ),
        }
        self.library.quarantine.prune(Timestamp::now());
    }
}
