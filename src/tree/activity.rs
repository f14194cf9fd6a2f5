//! Counts of the requests: how many of each operation, how long the answers took, how many were errors, and what waits. Users are
//! not told apart, because everybody may read `/.mediafs/metrics`.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

macro_rules! operations {
    ($($operation:ident $name:literal,)*) => {
        /// The operations of a filesystem, by the names of FUSE. `Render` is the part of a lookup that waits for a worker, `Fetch`
        /// the part of a symlink that waits for a server.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Operation {
            $($operation,)*
        }

        impl Operation {
            pub const ALL: &'static [Self] = &[$(Self::$operation,)*];

            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$operation => $name,)*
                }
            }
        }
    };
}
operations! {
    CopyFileRange "copy_file_range",
    Create "create",
    Fallocate "fallocate",
    Fetch "fetch",
    Flush "flush",
    Fsync "fsync",
    Getattr "getattr",
    Getxattr "getxattr",
    Link "link",
    Listxattr "listxattr",
    Lookup "lookup",
    Lseek "lseek",
    Mkdir "mkdir",
    Mknod "mknod",
    Open "open",
    Opendir "opendir",
    Read "read",
    Readdir "readdir",
    Readdirplus "readdirplus",
    Readlink "readlink",
    Release "release",
    Releasedir "releasedir",
    Removexattr "removexattr",
    Rename "rename",
    Render "render",
    Rmdir "rmdir",
    Setattr "setattr",
    Setxattr "setxattr",
    Statfs "statfs",
    Symlink "symlink",
    Unlink "unlink",
    Write "write",
}

impl Operation {
    /// Whether an answer without an errno acknowledges a change. `Open`, `Flush` and `Fsync` may do so too: the tree checks the
    /// fence for those itself.
    pub fn changes(self) -> bool {
        use Operation as It;
        matches!(
            self,
            It::CopyFileRange
                | It::Create
                | It::Fallocate
                | It::Fetch
                | It::Link
                | It::Mkdir
                | It::Mknod
                | It::Removexattr
                | It::Rename
                | It::Rmdir
                | It::Setattr
                | It::Setxattr
                | It::Symlink
                | It::Unlink
                | It::Write
        )
    }
}

/// The pools for whose threads work may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    Publish,
    Render,
    Download,
}

impl Queue {
    pub const ALL: [Self; 3] = [Self::Publish, Self::Render, Self::Download];

    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Render => "render",
            Self::Download => "download",
        }
    }
}

/// Bounds of the histogram: an answer is counted under the first bound that it kept within, or beyond the last.
pub const BOUNDS: [Duration; 7] = [
    Duration::from_micros(10),
    Duration::from_micros(100),
    Duration::from_millis(1),
    Duration::from_millis(10),
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(10),
];

/// The counters. No lock: each answer costs two additions.
#[derive(Debug)]
pub struct Activity {
    operations: Vec<Counters>,
    waiting: [AtomicUsize; Queue::ALL.len()],
}

/// The counters of one operation, on cache lines of their own: threads that do different things must not wait for one another.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Counters {
    within: [AtomicU64; BOUNDS.len() + 1],
    nanos: AtomicU64,
    errors: AtomicU64,
}

/// The counts of one operation since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Answers by how long they took, each counted once, in the order of [`BOUNDS`]; the last number counts those that took longer.
    pub within: [u64; BOUNDS.len() + 1],
    pub took: Duration,
    /// Answers that were an errno, a name that is not there among them.
    pub errors: u64,
}

impl Default for Activity {
    fn default() -> Self {
        let operations = Operation::ALL.iter().map(|_| Counters::default()).collect();
        Self { operations, waiting: Default::default() }
    }
}

impl Activity {
    pub fn note(&self, operation: Operation, took: Duration, is_error: bool) {
        let Some(counters) = self.operations.get(operation as usize) else { return };
        let bound = BOUNDS.iter().position(|bound| took <= *bound).unwrap_or(BOUNDS.len());
        counters.within[bound].fetch_add(1, Ordering::Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        counters.nanos.fetch_add(nanos, Ordering::Relaxed);
        if is_error {
            counters.errors.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn done(&self, operation: Operation) -> Done {
        let Some(counters) = self.operations.get(operation as usize) else {
            return Done::default();
        };
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Done {
            within: counters.within.each_ref().map(read),
            took: Duration::from_nanos(read(&counters.nanos)),
            errors: read(&counters.errors),
        }
    }

    pub fn enter(&self, queue: Queue) {
        self.waiting[queue as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub fn leave(&self, queue: Queue) {
        self.waiting[queue as usize].fetch_sub(1, Ordering::Relaxed);
    }

    pub fn waiting(&self, queue: Queue) -> usize {
        self.waiting[queue as usize].load(Ordering::Relaxed)
    }
}

impl Done {
    pub fn count(&self) -> u64 {
        self.within.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_counted_once_by_how_long_it_took() {
        let activity = Activity::default();
        let micros = Duration::from_micros;
        for (took, is_error) in [(10, false), (11, false), (2_000, true), (60_000_000, false)] {
            activity.note(Operation::Read, micros(took), is_error);
        }
        let done = activity.done(Operation::Read);
        assert_eq!(done.within, [1, 1, 0, 1, 0, 0, 0, 1]);
        assert_eq!((done.count(), done.errors, done.took), (4, 1, micros(60_002_021)));
        assert_eq!(activity.done(Operation::Write), Done::default());
    }

    #[test]
    fn each_operation_has_counters_of_its_own() {
        let activity = Activity::default();
        for operation in Operation::ALL {
            activity.note(*operation, Duration::ZERO, false);
            assert_eq!(activity.done(*operation).count(), 1, "{}", operation.name());
        }
    }

    #[test]
    fn what_leaves_a_queue_waits_no_more() {
        let activity = Activity::default();
        activity.enter(Queue::Render);
        activity.enter(Queue::Render);
        activity.leave(Queue::Render);
        assert_eq!(Queue::ALL.map(|queue| activity.waiting(queue)), [0, 1, 0]);
    }
}
