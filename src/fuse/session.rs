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
use crate::fuse::pool::Pool;
use crate::fuse::reader::{Reader, State};
use crate::tree::Tree;
use crate::tree::kernel::Delivery;

/// How long [`mount`] waits for the first answer.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// Threads that make rows of files in drop boxes, and how many files may wait for them.
const RECEIVERS: usize = 2;
const ARRIVALS_WAITING: usize = 256;
/// How often `drain` looks whether the drafts are done. A draft ends in any thread of the tree, without an event.
const DRAIN_STEP: Duration = Duration::from_millis(20);

/// A tree that is mounted. Dropping it unmounts lazily.
pub struct Mounted {
    tree: Arc<Tree>,
    attached: Arc<Attached>,
    lifecycle: Arc<Lifecycle>,
    /// The state of the reader; none on a mount that writes.
    reading: Option<Arc<State>>,
}

/// Mounts the tree and returns once it answers requests. If that fails nothing stays mounted.
pub fn mount(tree: Arc<Tree>, settings: &Settings) -> Result<Mounted, Error> {
    let (device, attached) = attach(settings)?;
    let lifecycle = Arc::new(Lifecycle::new()?);
    // From here on an error drops it, which unmounts.
    let mounted = Mounted { tree, attached: Arc::new(attached), lifecycle, reading: None };
    mounted.serve(device, settings)?;
    mounted.await_first_answer()?;
    Ok(mounted)
}

/// Mounts a tree for reading alone, as [`mount`] does. `changed` is called a few times a second; the reader keeps at most
/// `descriptors` files open.
pub fn mount_to_read(
    tree: Arc<Tree>,
    settings: &Settings,
    descriptors: usize,
    changed: Changed,
) -> Result<Mounted, Error> {
    let (device, attached) = attach(settings)?;
    let lifecycle = Arc::new(Lifecycle::new()?);
    let (attached, state) = (Arc::new(attached), Arc::new(State::new(descriptors)));
    let mounted = Mounted { tree, attached, lifecycle, reading: Some(Arc::clone(&state)) };
    mounted.serve_readers(device, settings, state, changed)?;
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

    /// Unmounts lazily: the names vanish, open files go on until they are closed. Idempotent.
    pub fn unmount(&self) -> Result<(), Error> {
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
        if let Some((opens, reads)) = self.reading.as_ref().map(|state| state.counts()) {
            tracing::info!(opens, reads, "the mount has ended");
        }
    }

    fn serve_readers(
        &self,
        device: OwnedFd,
        settings: &Settings,
        state: Arc<State>,
        changed: Changed,
    ) -> Result<(), Error> {
        let busy_poll = busy_poll(&device)?;
        let reader = Reader::new(Arc::clone(&self.tree), Arc::clone(&state), busy_poll);
        let (acl, config) = config(settings);
        let session = Session::from_fd(reader.map_err(Error::Thread)?, device, acl, config);
        let session = session.map_err(Error::Session)?;
        let notifier = session.notifier();
        state.connect(Names::of(notifier.clone()).map_err(Error::Thread)?);
        let lifecycle = Arc::clone(&self.lifecycle);
        spawn("fuse", move || lifecycle.ended(session.run()))?;
        let (tree, lifecycle) = (Arc::clone(&self.tree), Arc::clone(&self.lifecycle));
        spawn("watch", move || housekeeping::watch(&tree, &state, &notifier, &lifecycle, changed))?;
        // Nothing arrives in a drop box of a mount that only reads.
        let receivers = Pool::start("box", 1, 1).map_err(Error::Thread)?;
        self.keep_house(receivers, Arc::default())
    }

    fn serve(&self, device: OwnedFd, settings: &Settings) -> Result<(), Error> {
        let (acl, config) = config(settings);
        let (tree, backings) = (Arc::clone(&self.tree), Arc::new(Backings::default()));
        let adapter = Adapter::new(tree, Arc::clone(&backings), busy_poll(&device)?);
        let adapter = adapter.map_err(Error::Thread)?;
        let session = Session::from_fd(adapter, device, acl, config).map_err(Error::Session)?;
        backings.probe(&session, fd::nameless(&self.tree.library.home.staging(), 0o600));
        log(&backings.delivery());
        let kernel = Invalidator::start(session.notifier(), Arc::clone(&backings));
        let kernel = kernel.map_err(Error::Thread)?;
        self.tree.kernel.connect(Box::new(kernel));
        let lifecycle = Arc::clone(&self.lifecycle);
        spawn("fuse", move || lifecycle.ended(session.run()))?;
        // Before the first request for status.json, which counts them.
        self.tree.open.boxes.resume();
        let receivers = Pool::start("box", RECEIVERS, ARRIVALS_WAITING).map_err(Error::Thread)?;
        self.keep_house(receivers, backings)?;
        let (tree, lifecycle) = (Arc::clone(&self.tree), Arc::clone(&self.lifecycle));
        spawn("sweeper", move || housekeeping::sweep(&tree, &lifecycle))
    }

    fn keep_house(&self, receivers: Pool, backings: Arc<Backings>) -> Result<(), Error> {
        let (tree, attached) = (Arc::clone(&self.tree), Arc::clone(&self.attached));
        let lifecycle = Arc::clone(&self.lifecycle);
        let housekeeper = Housekeeper { tree, attached, lifecycle, receivers, backings };
        spawn("housekeeper", move || housekeeper.run())
    }

    fn await_first_answer(&self) -> Result<(), Error> {
        match probe::ask(self.attached.mountpoint(), FIRST_ANSWER) {
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

fn config(settings: &Settings) -> (SessionACL, fuser::Config) {
    let acl = if settings.allow_other { SessionACL::All } else { SessionACL::Owner };
    let mut config = fuser::Config::default();
    config.acl = acl;
    config.n_threads = Some(settings.threads.max(1));
    (acl, config)
}

fn busy_poll(device: &OwnedFd) -> Result<BusyPoll, Error> {
    device.try_clone().map(BusyPoll::over).map_err(Error::Session)
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
