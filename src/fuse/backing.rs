//! Passthrough: which inodes the kernel reads by itself, from the file that holds their bytes.
//! Does not know what is in them.
//!
//! For the kernel an inode is read in one way at a time. While it is open for passthrough every open of it must be one, with
//! the same backing file; any other is an EIO that nobody explains, and so is passthrough of an inode that is read through
//! its pages. The first open of an inode therefore chooses the way of all that follow, until the last of them is closed.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use fuser::BackingId;

use crate::tree::kernel::Delivery;

/// Files from this length on are passed through: opened, read and closed they then take half the time that they take through
/// the kernel's pages. At 48 KiB it is the same, and whoever opens a file without a path is not to be turned away for little.
/// What is smaller may be certain in a store's log alone, and is read there once the disk has failed.
pub const LEAST: u64 = (256 << 10) + 1;
/// Backing files that are kept though nobody has them open, and for how long. Each holds the blob's space on the disk.
const IDLE: usize = 256;
const IDLE_SPAN: Duration = Duration::from_secs(10);

/// The inodes that are, or were a moment ago, open for passthrough or in a way that excludes it.
pub struct Backings<B = BackingId> {
    offered: AtomicBool,
    delivery: OnceLock<Delivery>,
    /// Guards how each inode is read. Never held across a call of the kernel.
    ways: Mutex<Ways<B>>,
}

struct Ways<B> {
    by_inode: HashMap<u64, Inode<B>>,
    /// Those that nobody has open, with the time of the last close.
    idle: BTreeSet<(Instant, u64)>,
}

struct Inode<B> {
    way: Way<B>,
    opens: usize,
    closed: Instant,
}

enum Way<B> {
    Passthrough(Arc<B>),
    /// Through the kernel's pages, or past them.
    Plain,
}

impl<B> Way<B> {
    fn backing(self) -> Option<Arc<B>> {
        match self {
            Self::Passthrough(backing) => Some(backing),
            Self::Plain => None,
        }
    }
}

impl<B> Clone for Way<B> {
    fn clone(&self) -> Self {
        match self {
            Self::Passthrough(backing) => Self::Passthrough(Arc::clone(backing)),
            Self::Plain => Self::Plain,
        }
    }
}

impl<B> Default for Backings<B> {
    fn default() -> Self {
        let ways = Ways { by_inode: HashMap::new(), idle: BTreeSet::new() };
        let (offered, delivery) = (AtomicBool::new(false), OnceLock::new());
        Self { offered, delivery, ways: Mutex::new(ways) }
    }
}

impl<B> Backings<B> {
    /// The kernel has agreed to it, or does not know it.
    pub fn offer(&self, offered: bool) {
        self.offered.store(offered, Ordering::Relaxed);
    }

    /// Tries it with a file that lies where the blobs lie, and remembers the outcome. Once, before the first request.
    /// fuser closes no backing file without a reply to an open: this one stays with the connection.
    pub fn probe(&self, device: impl AsFd, specimen: io::Result<File>) {
        let tried = match specimen {
            _ if !self.offered.load(Ordering::Relaxed) => Err("the kernel does not know it".into()),
            Ok(file) => BackingId::create_raw(device, file).map_err(|error| told(&error)),
            Err(error) => Err(error.to_string()),
        };
        let delivery = match tried {
            Ok(_) => Delivery::Passthrough,
            Err(because) => Delivery::Daemon(because),
        };
        // Nobody asked before.
        let _ = self.delivery.set(delivery);
    }

    pub fn delivery(&self) -> Delivery {
        let untried = || Delivery::Daemon("it was not tried".into());
        self.delivery.get().cloned().unwrap_or_else(untried)
    }

    /// Whether files are passed through at all.
    fn is_on(&self) -> bool {
        matches!(self.delivery.get(), Some(Delivery::Passthrough))
    }

    /// Whether a stored file of this length is one for [`Backings::open`].
    pub fn takes(&self, length: u64) -> bool {
        self.is_on() && length >= LEAST
    }

    /// A stored file is opened to be read. Some: by the kernel itself from this backing file, else through its pages.
    /// `register` is asked for a backing file where there is none yet. A [`Backings::close`] must follow.
    pub fn open(&self, ino: u64, register: impl FnOnce() -> Option<B>) -> Option<Arc<B>> {
        if let Some(way) = self.lock().join(ino) {
            return way.backing();
        }
        let backing = register().map(Arc::new);
        let mut ways = self.lock();
        // Somebody may have been quicker: then this one is dropped, after the lock.
        if let Some(way) = ways.join(ino) {
            return way.backing();
        }
        ways.begin(ino, backing.clone().map_or(Way::Plain, Way::Passthrough));
        backing
    }

    /// A file is opened past the kernel's pages. False: it is being passed through, and the kernel would refuse.
    /// Else a [`Backings::close`] must follow.
    pub fn open_past(&self, ino: u64) -> bool {
        if !self.is_on() {
            return true;
        }
        let mut ways = self.lock();
        let dropped = ways.forget(ino);
        let opened = match ways.by_inode.get_mut(&ino) {
            Some(Inode { way: Way::Passthrough(_), .. }) => false,
            Some(inode) => {
                inode.opens += 1;
                true
            }
            None => {
                ways.begin(ino, Way::Plain);
                true
            }
        };
        drop(ways);
        drop(dropped);
        opened
    }

    /// A handle on an inode was closed, opened here or otherwise.
    pub fn close(&self, ino: u64) {
        if !self.is_on() {
            return;
        }
        let dropped = self.lock().leave(ino, Instant::now());
        drop(dropped);
    }

    /// Lets go of the backing file of an inode that nobody has open.
    pub fn forget(&self, ino: u64) {
        if self.is_on() {
            let dropped = self.lock().forget(ino);
            drop(dropped);
        }
    }

    /// Lets go of the backing files that nobody has opened for a while.
    pub fn prune(&self, now: Instant) {
        let Some(before) = now.checked_sub(IDLE_SPAN) else { return };
        loop {
            let mut ways = self.lock();
            let Some((_, ino)) = ways.idle.first().copied().filter(|(at, _)| *at < before) else {
                return;
            };
            let dropped = ways.forget(ino);
            drop(ways);
            drop(dropped);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ways<B>> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B> Ways<B> {
    /// One more open of an inode whose way is chosen.
    fn join(&mut self, ino: u64) -> Option<Way<B>> {
        let inode = self.by_inode.get_mut(&ino)?;
        if inode.opens == 0 {
            self.idle.remove(&(inode.closed, ino));
        }
        inode.opens += 1;
        Some(inode.way.clone())
    }

    fn begin(&mut self, ino: u64, way: Way<B>) {
        self.by_inode.insert(ino, Inode { way, opens: 1, closed: Instant::now() });
    }

    /// One open less. Returns what is let go of.
    fn leave(&mut self, ino: u64, now: Instant) -> Option<Inode<B>> {
        let inode = self.by_inode.get_mut(&ino)?;
        inode.opens = inode.opens.saturating_sub(1);
        if inode.opens > 0 {
            return None;
        }
        if let Way::Plain = inode.way {
            return self.by_inode.remove(&ino);
        }
        inode.closed = now;
        self.idle.insert((now, ino));
        let oldest = self.idle.first().filter(|_| self.idle.len() > IDLE)?.1;
        self.forget(oldest)
    }

    /// Takes an inode out unless somebody has it open.
    fn forget(&mut self, ino: u64) -> Option<Inode<B>> {
        let closed = self.by_inode.get(&ino).filter(|inode| inode.opens == 0)?.closed;
        self.idle.remove(&(closed, ino));
        self.by_inode.remove(&ino)
    }
}

fn told(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "it needs CAP_SYS_ADMIN".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel that passes through, and counts the backing files that it holds.
    fn backings() -> (Backings<Held>, Arc<()>) {
        let backings = Backings::default();
        backings.delivery.set(Delivery::Passthrough).expect("not set yet");
        (backings, Arc::new(()))
    }

    struct Held(#[allow(dead_code)] Arc<()>);

    fn open(backings: &Backings<Held>, held: &Arc<()>, ino: u64) -> Option<Arc<Held>> {
        backings.open(ino, || Some(Held(Arc::clone(held))))
    }

    #[test]
    fn all_opens_of_an_inode_share_one_backing_file_also_after_the_last_close() {
        let (backings, held) = backings();
        let first = open(&backings, &held, 7).expect("passed through");
        let second = open(&backings, &held, 7).expect("passed through");
        backings.close(7);
        backings.close(7);
        let third = open(&backings, &held, 7).expect("passed through");
        assert!(Arc::ptr_eq(&first, &second) && Arc::ptr_eq(&first, &third));
        assert_eq!(Arc::strong_count(&held), 2);
    }

    #[test]
    fn who_comes_second_takes_the_backing_file_of_who_was_quicker() {
        let (backings, held) = backings();
        let mut quicker = None;
        let slower = backings.open(7, || {
            quicker = open(&backings, &held, 7);
            Some(Held(Arc::clone(&held)))
        });
        assert!(Arc::ptr_eq(&quicker.expect("one"), &slower.expect("the same")));
        assert_eq!(Arc::strong_count(&held), 2, "the other is let go of");
    }

    #[test]
    fn the_two_ways_exclude_each_other_until_the_last_close() {
        let (backings, held) = backings();
        assert!(open(&backings, &held, 7).is_some());
        assert!(!backings.open_past(7));
        backings.close(7);
        assert!(backings.open_past(7), "what was passed through may be opened otherwise");
        assert_eq!(Arc::strong_count(&held), 1);
        assert!(open(&backings, &held, 7).is_none(), "and is not passed through meanwhile");
        backings.close(7);
        assert!(open(&backings, &held, 7).is_none(), "one is open still");
        backings.close(7);
        backings.close(7);
        assert!(open(&backings, &held, 7).is_some());
    }

    #[test]
    fn a_file_that_the_kernel_does_not_take_is_read_through_its_pages() {
        let (backings, held) = backings();
        assert!(backings.open(7, || None).is_none());
        assert!(open(&backings, &held, 7).is_none(), "as long as that one is open");
        backings.close(7);
        backings.close(7);
        assert!(open(&backings, &held, 7).is_some());
    }

    #[test]
    fn idle_backing_files_are_bounded_and_go_after_a_while_and_open_ones_stay() {
        let (backings, held) = backings();
        let open_one = open(&backings, &held, 0).expect("passed through");
        for ino in 1..=IDLE as u64 + 9 {
            open(&backings, &held, ino);
            backings.close(ino);
        }
        assert_eq!(Arc::strong_count(&held), 1 + 1 + IDLE);
        assert!(backings.lock().by_inode.contains_key(&(IDLE as u64 + 9)), "the oldest went");
        backings.forget(IDLE as u64 + 9);
        assert_eq!(Arc::strong_count(&held), 1 + IDLE);
        backings.prune(Instant::now());
        assert_eq!(Arc::strong_count(&held), 1 + IDLE, "their time is not over");
        backings.prune(Instant::now() + IDLE_SPAN + Duration::from_secs(1));
        assert_eq!(Arc::strong_count(&held), 2);
        drop(open_one);
        assert!(backings.lock().idle.is_empty());
    }

    #[test]
    fn without_the_kernels_leave_nothing_is_passed_through_and_nothing_refused() {
        let backings: Backings<Held> = Backings::default();
        let nowhere = File::open("/dev/null").expect("a file");
        backings.probe(&nowhere, Ok(nowhere.try_clone().expect("another")));
        let because = "the kernel does not know it".to_owned();
        assert_eq!(backings.delivery(), Delivery::Daemon(because));
        assert!(!backings.takes(u64::MAX) && backings.open_past(7) && backings.open_past(7));
    }

    #[test]
    fn small_files_are_left_to_the_pages() {
        let (backings, _) = backings();
        assert!(backings.takes(LEAST) && !backings.takes(LEAST - 1));
    }
}
