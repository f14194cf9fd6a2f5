//! Passthrough: the inodes whose bytes the kernel reads by itself, from the file that holds them.
//!
//! The kernel reads an inode in one way at a time. While an inode is open for passthrough, every other open of it must be for
//! passthrough too, with the same backing file, or it fails with EIO; so does passthrough of an inode that is read through the
//! page cache. The first open of an inode therefore decides for all that follow, until the last of them is closed.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use fuser::BackingId;
use parking_lot::Mutex;

use crate::tree::kernel::Delivery;

/// The least length that is passed through, in bytes. Open, read and close of such a file take half the time that they take
/// through the page cache; at 48 KiB they take the same, and passthrough can make an open without a path fail.
/// A smaller blob may be durable in its store's log alone, and is read there once the disk has failed.
const LEAST: u64 = (256 << 10) + 1;
/// How many backing files without an open handle are kept, and for how long. Each holds the blob's space on the disk.
const IDLE: usize = 256;
const IDLE_SPAN: Duration = Duration::from_secs(10);

/// How each open inode is read, and each inode that was open for passthrough a moment ago.
pub struct Backings<B = BackingId> {
    offered: AtomicBool,
    delivery: OnceLock<Delivery>,
    /// Guards how each inode is read. Never held across a system call.
    table: Mutex<Table<B>>,
}

struct Table<B> {
    by_inode: HashMap<u64, Inode<B>>,
    /// Inodes without an open handle, by the time of the last close.
    idle: BTreeSet<(Instant, u64)>,
}

struct Inode<B> {
    /// The file that the kernel reads. None: the inode is read through the page cache, or by direct I/O.
    backing: Option<Arc<B>>,
    opens: usize,
    closed: Instant,
}

impl<B> Default for Backings<B> {
    fn default() -> Self {
        let table = Table { by_inode: HashMap::new(), idle: BTreeSet::new() };
        let (offered, delivery) = (AtomicBool::new(false), OnceLock::new());
        Self { offered, delivery, table: Mutex::new(table) }
    }
}

impl<B> Backings<B> {
    /// Notes whether the kernel knows passthrough.
    pub fn offer(&self, offered: bool) {
        self.offered.store(offered, Ordering::Relaxed);
    }

    /// Tries passthrough with `specimen`, a file on the filesystem of the blobs, and remembers the outcome. Called once, before
    /// the first request. fuser closes a backing file only with a reply to an open: this one stays as long as the connection.
    pub fn probe(&self, device: impl AsFd, specimen: io::Result<File>) {
        let tried = match specimen {
            _ if !self.offered.load(Ordering::Relaxed) => Err("the kernel does not know it".into()),
            Ok(file) => BackingId::create_raw(device, file).map_err(|error| reason(&error)),
            Err(error) => Err(error.to_string()),
        };
        let delivery = match tried {
            Ok(_) => Delivery::Passthrough,
            Err(because) => Delivery::Daemon(because),
        };
        // Set once, here.
        let _ = self.delivery.set(delivery);
    }

    pub fn delivery(&self) -> Delivery {
        let untried = || Delivery::Daemon("it was not tried".into());
        self.delivery.get().cloned().unwrap_or_else(untried)
    }

    /// Whether any file is passed through.
    fn is_on(&self) -> bool {
        matches!(self.delivery.get(), Some(Delivery::Passthrough))
    }

    /// Whether a stored file of this length is to be opened by [`Backings::open`].
    pub fn takes(&self, length: u64) -> bool {
        self.is_on() && length >= LEAST
    }

    /// Notes that a stored file is opened for reading. Returns the backing file that the kernel reads, or nothing if it reads
    /// through the page cache. `register` makes a backing file where there is none yet. A [`Backings::close`] must follow.
    pub fn open(&self, ino: u64, register: impl FnOnce() -> Option<B>) -> Option<Arc<B>> {
        if let Some(inode) = self.table.lock().join(ino) {
            return inode.backing.clone();
        }
        let backing = register().map(Arc::new);
        let mut table = self.table.lock();
        // Another open may have been quicker: then this backing file is dropped, after the lock.
        if let Some(inode) = table.join(ino) {
            return inode.backing.clone();
        }
        table.begin(ino, backing.clone());
        backing
    }

    /// Notes that a file is opened for direct I/O. Returns false if the inode is being passed through: the kernel would refuse.
    /// Otherwise a [`Backings::close`] must follow.
    pub fn open_direct(&self, ino: u64) -> bool {
        if !self.is_on() {
            return true;
        }
        let mut table = self.table.lock();
        let dropped = table.forget(ino);
        let opened = table.by_inode.get(&ino).is_none_or(|inode| inode.backing.is_none());
        if opened && table.join(ino).is_none() {
            table.begin(ino, None);
        }
        drop(table);
        drop(dropped);
        opened
    }

    /// Notes that a handle on an inode was closed, whether or not it was opened here.
    pub fn close(&self, ino: u64) {
        if !self.is_on() {
            return;
        }
        let dropped = self.table.lock().leave(ino, Instant::now());
        drop(dropped);
    }

    /// Drops the backing file of an inode, unless it is open.
    pub fn forget(&self, ino: u64) {
        if self.is_on() {
            let dropped = self.table.lock().forget(ino);
            drop(dropped);
        }
    }

    /// Drops the backing files whose last handle was closed more than [`IDLE_SPAN`] ago.
    pub fn prune(&self, now: Instant) {
        let Some(before) = now.checked_sub(IDLE_SPAN) else { return };
        loop {
            let mut table = self.table.lock();
            let Some((_, ino)) = table.idle.first().copied().filter(|(at, _)| *at < before) else {
                return;
            };
            let dropped = table.forget(ino);
            drop(table);
            drop(dropped);
        }
    }
}

impl<B> Table<B> {
    /// Adds an open to an inode that is in the table.
    fn join(&mut self, ino: u64) -> Option<&Inode<B>> {
        let inode = self.by_inode.get_mut(&ino)?;
        if inode.opens == 0 {
            self.idle.remove(&(inode.closed, ino));
        }
        inode.opens += 1;
        Some(inode)
    }

    fn begin(&mut self, ino: u64, backing: Option<Arc<B>>) {
        self.by_inode.insert(ino, Inode { backing, opens: 1, closed: Instant::now() });
    }

    /// Takes an open away. Returns an inode that leaves the table.
    fn leave(&mut self, ino: u64, now: Instant) -> Option<Inode<B>> {
        let inode = self.by_inode.get_mut(&ino)?;
        inode.opens = inode.opens.saturating_sub(1);
        if inode.opens > 0 {
            return None;
        }
        if inode.backing.is_none() {
            return self.by_inode.remove(&ino);
        }
        inode.closed = now;
        self.idle.insert((now, ino));
        let oldest = self.idle.first().filter(|_| self.idle.len() > IDLE)?.1;
        self.forget(oldest)
    }

    /// Takes an inode out of the table unless it is open.
    fn forget(&mut self, ino: u64) -> Option<Inode<B>> {
        let closed = self.by_inode.get(&ino).filter(|inode| inode.opens == 0)?.closed;
        self.idle.remove(&(closed, ino));
        self.by_inode.remove(&ino)
    }
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "it needs CAP_SYS_ADMIN".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A kernel that passes through. The second value counts the backing files that it holds.
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
        assert!(!backings.open_direct(7));
        backings.close(7);
        assert!(backings.open_direct(7), "what was passed through may be opened otherwise");
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
        assert!(backings.table.lock().by_inode.contains_key(&(IDLE as u64 + 9)), "the oldest went");
        backings.forget(IDLE as u64 + 9);
        assert_eq!(Arc::strong_count(&held), 1 + IDLE);
        backings.prune(Instant::now());
        assert_eq!(Arc::strong_count(&held), 1 + IDLE, "their time is not over");
        backings.prune(Instant::now() + IDLE_SPAN + Duration::from_secs(1));
        assert_eq!(Arc::strong_count(&held), 2);
        drop(open_one);
        assert!(backings.table.lock().idle.is_empty());
    }

    #[test]
    fn without_the_kernels_leave_nothing_is_passed_through_and_nothing_refused() {
        let backings: Backings<Held> = Backings::default();
        let nowhere = File::open("/dev/null").expect("a file");
        backings.probe(&nowhere, Ok(nowhere.try_clone().expect("another")));
        let because = "the kernel does not know it".to_owned();
        assert_eq!(backings.delivery(), Delivery::Daemon(because));
        assert!(!backings.takes(u64::MAX) && backings.open_direct(7) && backings.open_direct(7));
    }

    #[test]
    fn small_files_are_left_to_the_pages() {
        let (backings, _) = backings();
        assert!(backings.takes(LEAST) && !backings.takes(LEAST - 1));
    }
}
