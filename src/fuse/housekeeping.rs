//! Housekeeping of a mount beside its requests: the tick, the files in drop boxes, the sweeps, and the look for changes by
//! another daemon. Each runs in a thread of its own until the session ends.

use std::error::Error;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fuser::Notifier;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::fuse::backing::Backings;
use crate::fuse::lifecycle::{Lifecycle, Phase};
use crate::fuse::mount::device::Attached;
use crate::fuse::mount::{daemons, mounts};
use crate::fuse::pool::Pool;
use crate::fuse::reader::Reader;
use crate::tree::Tree;

const TICK: Duration = Duration::from_secs(1);
/// Between two looks whether another daemon has changed the library.
const LOOK: Duration = Duration::from_millis(200);
/// Between two sweeps: how long the variants may take more space than their limit.
const SWEEP: Duration = Duration::from_secs(10);

/// Tells whether another daemon has changed the library since the last call.
pub type Changed = Box<dyn FnMut() -> Result<bool, Box<dyn Error>> + Send>;

/// Ticks the tree once a second, hands on files that arrived in drop boxes, and notices an unmount from outside.
pub struct Housekeeper {
    pub tree: Arc<Tree>,
    pub attached: Arc<Attached>,
    pub lifecycle: Arc<Lifecycle>,
    /// Make rows of files in drop boxes.
    pub receivers: Pool,
    pub backings: Arc<Backings>,
}

impl Housekeeper {
    pub fn run(&self) {
        let mountinfo = mounts::changes();
        if let Err(error) = &mountinfo {
            tracing::warn!(%error, "an unmount from outside is noticed only when the last file is closed");
        }
        let mountinfo = mountinfo.ok();
        let mut next_tick = Instant::now() + TICK;
        while !self.lifecycle.has_ended() {
            let mut events = vec![PollFd::new(&self.lifecycle.end, PollFlags::IN)];
            let listener = self.attached.listener.as_ref();
            events.extend(listener.map(|it| PollFd::new(it, PollFlags::IN)));
            let mountinfo = mountinfo.as_ref().map(AsFd::as_fd);
            events.extend(mountinfo.map(|it| PollFd::from_borrowed_fd(it, PollFlags::PRI)));
            let pause = next_tick.saturating_duration_since(Instant::now());
            let changed = poll(&mut events, Timespec::try_from(pause).ok().as_ref());
            if changed.is_ok_and(|changed| changed > 0) {
                listener.map(daemons::turn_away);
                if matches!(self.attached.is_on(), Ok(false)) {
                    self.lifecycle.detached();
                }
            }
            if Instant::now() >= next_tick && !self.lifecycle.has_ended() {
                self.tree.tick();
                self.backings.prune(Instant::now());
                self.receive();
                next_tick = Instant::now() + TICK;
            }
        }
    }

    /// Hands the finished files of drop boxes to the receivers. A file that finds their queue full waits for the next tick.
    fn receive(&self) {
        for id in self.tree.open.boxes.finished() {
            let (tree, lifecycle) = (Arc::clone(&self.tree), Arc::clone(&self.lifecycle));
            // A file that still waits when the session ends is taken up by the next start.
            let job = move || {
                if !lifecycle.has_ended() {
                    tree.open.boxes.receive(id);
                }
            };
            if self.receivers.offer(0, Box::new(job)).is_err() {
                self.tree.open.boxes.defer(id);
            }
        }
    }
}

/// Sweeps at the start, for what became due before, and every few seconds. Has a thread of its own, because a sweep may delete a
/// million files.
pub fn sweep(tree: &Tree, lifecycle: &Lifecycle) {
    tree.look_for_hidden();
    while !lifecycle.has_ended() {
        tree.sweep();
        lifecycle.wait_while(|phase| !matches!(phase, Phase::Ended(_)), Some(SWEEP));
    }
}

/// Invalidates all that the kernel holds when another daemon has changed the library, and once more a look later, because an
/// answer may have been on its way.
pub fn watch(
    tree: &Tree,
    reader: &Reader,
    notifier: &Notifier,
    lifecycle: &Lifecycle,
    mut changed: Changed,
) {
    let (mut again, mut pause) = (false, LOOK);
    while !lifecycle.has_ended() {
        lifecycle.wait_while(|phase| !matches!(phase, Phase::Ended(_)), Some(pause));
        let has_changed = changed().unwrap_or_else(|error| {
            tracing::warn!(%error, "whether anything was changed is not known; it counts as changed");
            true
        });
        pause = LOOK;
        if has_changed || again {
            let begun = Instant::now();
            tree.kernel.count_change();
            reader.refresh(tree, notifier);
            // Four fifths of the time stay for requests, however much the kernel holds.
            pause = LOOK.max(begun.elapsed() * 4);
        }
        again = has_changed;
    }
}
