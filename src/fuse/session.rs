//! A session with the kernel, from the mount to its end.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use fuser::{Session, SessionACL};
use rustix::io::Errno;

use crate::fd;
use crate::fuse::adapter::Adapter;
use crate::fuse::backing::Backings;
use crate::fuse::busy_poll::BusyPoll;
use crate::fuse::error::Error;
use crate::fuse::housekeeping::{self, Changed, Housekeeper};
use crate::fuse::inval::{Invalidator, Names};
use crate::fuse::lifecycle::{Lifecycle, Phase};
use crate::fuse::mount::device::{Attached, Settings, attach};
use crate::fuse::mount::probe::{self, Health};
use crate::fuse::pool::{Pool, Size};
use crate::fuse::reader::Reader;
use crate::tree::Tree;
use crate::tree::kernel::Delivery;

/// How long [`mount`] waits for the first answer.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// The pool that makes rows of files in drop boxes, whoever sent them. A file beyond that waits for the next tick.
const RECEIVE: Size = Size { threads: 2, spare: 0, nice: 0, waiting: 256, waiting_in_all: 256 };
/// How often `drain` looks whether the drafts are done. A draft ends in any thread of the tree, without an event.
const DRAIN_STEP: Duration = Duration::from_millis(20);

/// A tree that is mounted. Dropping it unmounts lazily.
pub struct Mounted {
    tree: Arc<Tree>,
    attached: Arc<Attached>,
    lifecycle: Arc<Lifecycle>,
    /// None on a mount that writes.
    reader: Option<Arc<Reader>>,
}

/// The terms of a mount that is only read.
pub struct Reading {
    /// The most files that are kept open.
    pub descriptors: usize,
    /// Called a few times a second.
    pub changed: Changed,
}

/// Mounts the tree, to be only read where `reading` is given, and returns once it answers requests. If that fails nothing stays
/// mounted.
pub fn mount(
    tree: Arc<Tree>,
    settings: &Settings,
    reading: Option<Reading>,
) -> Result<Mounted, Error> {
    let (device, attached) = attach(settings)?;
    let (attached, lifecycle) = (Arc::new(attached), Arc::new(Lifecycle::new()?));
    let reader = reading.as_ref().map(|reading| Arc::new(Reader::new(reading.descriptors)));
    // From here on an error drops it, which unmounts.
    let mounted = Mounted { tree, attached, lifecycle, reader };
    mounted.serve(device, settings, reading.map(|reading| reading.changed))?;
    mounted.await_first_answer()?;
    Ok(mounted)
}

impl Mounted {
    /// Waits until the tree is unmounted, by [`Mounted::unmount`] or by anybody else, or the session ends.
    /// Files may still be open then.
    pub fn wait(&self) -> Result<(), Error> {
        self.lifecycle.wait_while(|phase| matches!(phase, Phase::Serving), None);
        match &mut *self.lifecycle.phase() {
            Phase::Ended(outcome) => std::mem::replace(outcome, Ok(())).map_err(Error::Session),
            Phase::Serving | Phase::Detached => Ok(()),
        }
    }

    /// Unmounts lazily: the names vanish, open files go on until they are closed, and a sweep ends. Idempotent.
    pub fn unmount(&self) -> Result<(), Error> {
        self.tree.library.sweeper.end();
        self.attached.detach()?;
        self.lifecycle.detached();
        Ok(())
    }

    /// Waits, after the unmount, up to `limit` until the open drafts are closed and judged, then sends the rest to the quarantine.
    pub fn drain(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.tree.open.writers.busy() > 0
            && Instant::now() < deadline
            && !self.lifecycle.has_ended()
        {
            self.lifecycle.wait_while(|phase| !matches!(phase, Phase::Ended(_)), Some(DRAIN_STEP));
        }
        self.tree.open.writers.abandon();
        if let Some((opens, reads)) = self.reader.as_ref().map(|reader| reader.counts()) {
            tracing::info!(opens, reads, "the mount has ended");
        }
    }

    fn serve(
        &self,
        device: OwnedFd,
        settings: &Settings,
        changed: Option<Changed>,
    ) -> Result<(), Error> {
        let backings = Arc::new(Backings::default());
        let session = self.session(device, settings, &backings)?;
        let notifier = session.notifier();
        let names = Names::of(notifier.clone()).map_err(Error::Thread)?;
        if let Some(reader) = &self.reader {
            reader.connect(names);
        } else {
            backings.probe(&session, fd::nameless(&self.tree.library.home.staging(), 0o600));
            log(&backings.delivery());
            let (notifier, backings) = (notifier.clone(), Arc::clone(&backings));
            self.tree.kernel.connect(Box::new(Invalidator { notifier, names, backings }));
        }
        let lifecycle = Arc::clone(&self.lifecycle);
        spawn("fuse", move || lifecycle.ended(session.run()))?;
        let (tree, lifecycle) = (Arc::clone(&self.tree), Arc::clone(&self.lifecycle));
        if let Some((reader, changed)) = self.reader.clone().zip(changed) {
            let watch = move || housekeeping::watch(&tree, &reader, &notifier, &lifecycle, changed);
            spawn("watch", watch)?;
        } else {
            // Before the first request for status.json, which counts them.
            tree.open.boxes.resume();
            spawn("sweeper", move || housekeeping::sweep(&tree, &lifecycle))?;
        }
        let receivers = Pool::start("box", RECEIVE).map_err(Error::Thread)?;
        let (tree, attached) = (Arc::clone(&self.tree), Arc::clone(&self.attached));
        let lifecycle = Arc::clone(&self.lifecycle);
        let housekeeper = Housekeeper { tree, attached, lifecycle, receivers, backings };
        spawn("housekeeper", move || housekeeper.run())
    }

    fn session(
        &self,
        device: OwnedFd,
        settings: &Settings,
        backings: &Arc<Backings>,
    ) -> Result<Session<Adapter>, Error> {
        let (tree, backings) = (Arc::clone(&self.tree), Arc::clone(backings));
        let busy_poll = BusyPoll::over(device.try_clone().map_err(Error::Session)?);
        let adapter = Adapter::new(tree, busy_poll, backings, self.reader.clone());
        let acl = if settings.allow_other { SessionACL::All } else { SessionACL::Owner };
        let mut config = fuser::Config::default();
        config.acl = acl;
        config.n_threads = Some(settings.threads.max(1));
        Session::from_fd(adapter.map_err(Error::Thread)?, device, acl, config)
            .map_err(Error::Session)
    }

    fn await_first_answer(&self) -> Result<(), Error> {
        match probe::ask(&self.attached.mountpoint, FIRST_ANSWER) {
            Ok(Health::Answers) => Ok(()),
            Ok(Health::Silent) => Err(Error::Silent(FIRST_ANSWER.as_secs())),
            Ok(Health::Gone) => Err(Error::Unwell(Errno::NOTCONN.into())),
            Ok(Health::Fails(errno)) => Err(Error::Unwell(errno.into())),
            Err(error) => Err(Error::Unwell(error)),
        }
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = self.unmount() {
            tracing::warn!(%error, "the tree stays mounted");
        }
    }
}

fn log(delivery: &Delivery) {
    match delivery {
        Delivery::Passthrough => tracing::info!("the kernel reads large files by itself"),
        Delivery::Daemon(because) => {
            tracing::info!(because, "all reads pass through the daemon, large files too");
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    thread::Builder::new().name(name.into()).spawn(work).map(drop).map_err(Error::Thread)
}
