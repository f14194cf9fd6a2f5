//! A mounted tree: the session with the kernel from the mount to its end.
//! Does not know what a request means.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use fuser::{Notifier, Session, SessionACL};
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

use crate::fd;
use crate::fuse::adapter::{Adapter, Desk, Reader};
use crate::fuse::attach::{Attached, attach};
use crate::fuse::backing::Backings;
use crate::fuse::inval::{Invalidator, Names};
use crate::fuse::mountpoint::Mountpoint;
use crate::fuse::pool::Pool;
use crate::fuse::probe::{self, Health};
use crate::fuse::vigil::Vigil;
use crate::fuse::{Error, daemons, mounts};
use crate::tree::Tree;
use crate::tree::kernel::Delivery;

/// The first answer is awaited for this long.
const FIRST_ANSWER: Duration = Duration::from_secs(10);
/// Threads that make rows of files in drop boxes, and files that wait for one.
const RECEIVERS: usize = 2;
const ARRIVALS_WAITING: usize = 256;
const TICK: Duration = Duration::from_secs(1);
/// Between looks whether another daemon has changed the library.
const LOOK: Duration = Duration::from_millis(200);
/// Between sweeps: how long the cache of variants may be above its limit.
const SWEEP: Duration = Duration::from_secs(10);
/// How often `drain` looks whether the drafts are done: they end in any of the tree's threads, without an event.
const DRAIN_STEP: Duration = Duration::from_millis(20);

/// Where and how the tree is mounted.
#[derive(Debug, Clone)]
pub struct Settings {
    pub mountpoint: Mountpoint,
    /// Whether users other than the one who mounts may use it.
    pub allow_other: bool,
    /// Threads that take requests; at least one.
    pub threads: usize,
    pub read_only: bool,
    /// The first column of `mount`.
    pub fs_name: String,
}

/// A tree that is mounted. Dropping it unmounts lazily.
pub struct Mounted {
    tree: Arc<Tree>,
    attached: Arc<Attached>,
    course: Arc<Course>,
    /// Where nothing is written.
    desk: Option<Arc<Desk>>,
}

/// Mounts the tree and returns once it answers requests. If that fails nothing stays mounted.
pub fn mount(tree: Arc<Tree>, settings: &Settings) -> Result<Mounted, Error> {
    let (device, attached) = attach(settings)?;
    let course = Arc::new(Course::new()?);
    // From here on an error drops it, which unmounts.
    let mounted = Mounted { tree, attached: Arc::new(attached), course, desk: None };
    mounted.serve(device, settings)?;
    mounted.await_first_answer()?;
    Ok(mounted)
}

/// Looks whether another daemon has changed the library since the last look.
pub type Look = Box<dyn FnMut() -> Result<bool, Box<dyn std::error::Error>> + Send>;

/// Mounts a tree that only reads, as [`mount`] does. `look` is asked a few times a second; as many descriptors are kept at
/// most.
pub fn mount_to_read(
    tree: Arc<Tree>,
    settings: &Settings,
    descriptors: usize,
    look: Look,
) -> Result<Mounted, Error> {
    let (device, attached) = attach(settings)?;
    let course = Arc::new(Course::new()?);
    let (attached, desk) = (Arc::new(attached), Arc::new(Desk::new(descriptors)));
    let mounted = Mounted { tree, attached, course, desk: Some(Arc::clone(&desk)) };
    mounted.serve_readers(device, settings, desk, look)?;
    mounted.await_first_answer()?;
    Ok(mounted)
}

impl Mounted {
    /// Waits until the tree is unmounted, by [`Mounted::unmount`] or by anybody else, or the session ends.
    /// Files may still be open then.
    pub fn wait(&self) -> Result<(), Error> {
        self.course.wait_while(|phase| matches!(phase, Phase::Serving), None);
        match &mut *self.course.phase() {
            Phase::Ended(outcome) => std::mem::replace(outcome, Ok(())).map_err(Error::Session),
            Phase::Serving | Phase::Detached => Ok(()),
        }
    }

    /// Unmounts lazily: the names vanish, open files go on until they are closed. Idempotent.
    pub fn unmount(&self) -> Result<(), Error> {
        self.attached.detach()?;
        self.course.detached();
        Ok(())
    }

    /// After the unmount: gives open drafts this long to be closed and judged, then sends the rest to the quarantine.
    pub fn drain(&self, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.tree.busy_drafts() > 0 && Instant::now() < deadline && !self.course.has_ended() {
            self.course.wait_while(|phase| !matches!(phase, Phase::Ended(_)), Some(DRAIN_STEP));
        }
        self.tree.abandon_drafts();
        if let Some((opens, reads)) = self.desk.as_ref().map(|desk| desk.counts()) {
            tracing::info!(opens, reads, "the mount has ended");
        }
    }

    fn serve_readers(
        &self,
        device: OwnedFd,
        settings: &Settings,
        desk: Arc<Desk>,
        look: Look,
    ) -> Result<(), Error> {
        let vigil = vigil(&device)?;
        let reader = Reader::new(Arc::clone(&self.tree), Arc::clone(&desk), vigil);
        let (acl, config) = config(settings);
        let session = Session::from_fd(reader.map_err(Error::Thread)?, device, acl, config);
        let session = session.map_err(Error::Session)?;
        let notifier = session.notifier();
        desk.connect(Names::of(notifier.clone()).map_err(Error::Thread)?);
        let course = Arc::clone(&self.course);
        spawn("fuse", move || course.ended(session.run()))?;
        let (tree, course) = (Arc::clone(&self.tree), Arc::clone(&self.course));
        spawn("watch", move || watch(&tree, (&desk, &notifier), &course, look))?;
        let (tree, attached) = (Arc::clone(&self.tree), Arc::clone(&self.attached));
        let course = Arc::clone(&self.course);
        let receivers = Pool::start("box", 1, 1).map_err(Error::Thread)?;
        spawn("housekeeper", move || {
            keep_house(&tree, (&attached, &course), &receivers, &Backings::default());
        })
    }

    fn serve(&self, device: OwnedFd, settings: &Settings) -> Result<(), Error> {
        let (acl, config) = config(settings);
        let (tree, backings) = (Arc::clone(&self.tree), Arc::new(Backings::default()));
        let adapter = Adapter::new(tree, Arc::clone(&backings), vigil(&device)?);
        let adapter = adapter.map_err(Error::Thread)?;
        let session = Session::from_fd(adapter, device, acl, config).map_err(Error::Session)?;
        let staging = self.tree.library().home.staging();
        backings.probe(&session, fd::nameless(&staging, 0o600));
        tell(&backings.delivery());
        let kernel = Invalidator::start(session.notifier(), Arc::clone(&backings));
        let kernel = kernel.map_err(Error::Thread)?;
        self.tree.connect(Box::new(kernel));
        let course = Arc::clone(&self.course);
        spawn("fuse", move || course.ended(session.run()))?;
        let (tree, attached) = (Arc::clone(&self.tree), Arc::clone(&self.attached));
        let course = Arc::clone(&self.course);
        // Before anybody asks how many there are.
        self.tree.resume_arrivals();
        let receivers = Pool::start("box", RECEIVERS, ARRIVALS_WAITING).map_err(Error::Thread)?;
        spawn("housekeeper", move || {
            keep_house(&tree, (&attached, &course), &receivers, &backings);
        })?;
        let (tree, course) = (Arc::clone(&self.tree), Arc::clone(&self.course));
        spawn("sweeper", move || sweep(&tree, &course))
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

/// How far the session has come.
enum Phase {
    Serving,
    /// Nobody can open anything any more; what is open goes on.
    Detached,
    Ended(io::Result<()>),
}

/// The phase, for everybody who waits for the next one.
struct Course {
    /// Guards the phase alone; held for a look or an assignment.
    phase: Mutex<Phase>,
    changed: Condvar,
    /// Readable once the session has ended, for the housekeeper, which waits in poll(2).
    end: OwnedFd,
}

impl Course {
    fn new() -> Result<Self, Error> {
        let end = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| Error::Session(error.into()))?;
        Ok(Self { phase: Mutex::new(Phase::Serving), changed: Condvar::new(), end })
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_ended(&self) -> bool {
        matches!(*self.phase(), Phase::Ended(_))
    }

    fn detached(&self) {
        let mut phase = self.phase();
        if matches!(*phase, Phase::Serving) {
            *phase = Phase::Detached;
            self.changed.notify_all();
        }
    }

    fn ended(&self, outcome: io::Result<()>) {
        *self.phase() = Phase::Ended(outcome);
        self.changed.notify_all();
        if let Err(error) = rustix::io::write(&self.end, &1_u64.to_ne_bytes()) {
            tracing::debug!(%error, "the housekeeper was not told of the end");
        }
    }

    fn wait_while(&self, pending: impl Fn(&Phase) -> bool, limit: Option<Duration>) {
        let limit = limit.unwrap_or(Duration::MAX);
        let guard = self.phase();
        let waited = self.changed.wait_timeout_while(guard, limit, |phase| pending(phase));
        drop(waited);
    }
}

/// Hands the finished files of drop boxes to threads of their own; those that find no room wait for the next tick.
fn receive(tree: &Arc<Tree>, course: &Arc<Course>, receivers: &Pool) {
    for id in tree.arrivals() {
        let (receiver, course) = (Arc::clone(tree), Arc::clone(course));
        // What waits at the end is taken up by the next start.
        let job = move || {
            if !course.has_ended() {
                receiver.receive(id);
            }
        };
        if receivers.offer(Box::new(job)).is_err() {
            tree.defer(id);
        }
    }
}

/// Ticks the tree once a second, and notices when the tree is unmounted from outside. Ends with the session.
fn keep_house(
    tree: &Arc<Tree>,
    (attached, course): (&Attached, &Arc<Course>),
    receivers: &Pool,
    backings: &Backings,
) {
    let mountinfo = mounts::changes();
    if let Err(error) = &mountinfo {
        tracing::warn!(%error, "an unmount from outside is noticed only when the last file is closed");
    }
    let mut next_tick = Instant::now() + TICK;
    while !course.has_ended() {
        let mut events = vec![PollFd::new(&course.end, PollFlags::IN)];
        events.extend(attached.listener.as_ref().map(|it| PollFd::new(it, PollFlags::IN)));
        events.extend(
            mountinfo
                .as_ref()
                .ok()
                .map(|file| PollFd::from_borrowed_fd(file.as_fd(), PollFlags::PRI)),
        );
        let pause = next_tick.saturating_duration_since(Instant::now());
        let changed = poll(&mut events, Timespec::try_from(pause).ok().as_ref());
        if changed.is_ok_and(|changed| changed > 0) {
            attached.listener.as_ref().map(daemons::turn_away);
            if matches!(attached.is_on(), Ok(false)) {
                course.detached();
            }
        }
        if Instant::now() >= next_tick && !course.has_ended() {
            tree.tick();
            backings.prune(Instant::now());
            receive(tree, course, receivers);
            next_tick = Instant::now() + TICK;
        }
    }
}

/// Sweeps every few seconds, in a thread of its own: what a million deletions take, nobody waits for. Ends with the session.
fn sweep(tree: &Tree, course: &Course) {
    while !course.has_ended() {
        course.wait_while(|phase| !matches!(phase, Phase::Ended(_)), Some(SWEEP));
        if !course.has_ended() {
            tree.sweep();
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

/// Tells the kernel to ask again for everything that it holds, once something was changed, and once more at the look after
/// that: an answer may have been on its way. Ends with the session.
fn watch(tree: &Tree, (desk, notifier): (&Desk, &Notifier), course: &Course, mut look: Look) {
    let (mut again, mut pause) = (false, LOOK);
    while !course.has_ended() {
        course.wait_while(|phase| !matches!(phase, Phase::Ended(_)), Some(pause));
        let changed = look().unwrap_or_else(|error| {
            tracing::warn!(%error, "whether anything was changed is not known; it counts as changed");
            true
        });
        pause = LOOK;
        if changed || again {
            let begun = Instant::now();
            tree.changed_elsewhere();
            desk.refresh(tree, notifier);
            // However much the kernel holds, most of the time is for its requests.
            pause = LOOK.max(begun.elapsed() * 4);
        }
        again = changed;
    }
}

fn vigil(device: &OwnedFd) -> Result<Vigil, Error> {
    device.try_clone().map(Vigil::over).map_err(Error::Session)
}

fn tell(delivery: &Delivery) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unmount_wakes_whoever_waits_and_an_end_is_not_undone_by_it() {
        let course = Arc::new(Course::new().expect("an eventfd"));
        let waiting = Arc::clone(&course);
        let waiter = thread::spawn(move || {
            waiting.wait_while(|phase| matches!(phase, Phase::Serving), None);
        });
        course.detached();
        waiter.join().expect("woken");
        assert!(!course.has_ended());
        course.ended(Ok(()));
        course.detached();
        assert!(course.has_ended());
    }

    #[test]
    fn the_end_wakes_a_thread_that_polls() {
        let course = Course::new().expect("an eventfd");
        course.ended(Ok(()));
        let mut events = [PollFd::new(&course.end, PollFlags::IN)];
        assert_eq!(poll(&mut events, None), Ok(1));
    }
}
