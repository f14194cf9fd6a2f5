//! Counters of requests: how many of each operation, how long the answers took, how many were errors, and how many wait. Users
//! are not told apart, because everybody may read `/.mediafs/metrics`.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

macro_rules! operations {
    ($($operation:ident $name:literal $changes:literal,)*) => {
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

            /// Whether success acknowledges a change. It may for `Open`, `Flush` and `Fsync` too, which check the fence
            /// themselves.
            pub fn changes(self) -> bool {
                match self {
                    $(Self::$operation => $changes,)*
                }
            }
        }
    };
}
operations! {
    CopyFileRange "copy_file_range" true,
    Create "create" true,
    Fallocate "fallocate" true,
    Fetch "fetch" true,
    Flush "flush" false,
    Fsync "fsync" false,
    Getattr "getattr" false,
    Getxattr "getxattr" false,
    Link "link" true,
    Listxattr "listxattr" false,
    Lookup "lookup" false,
    Lseek "lseek" false,
    Mkdir "mkdir" true,
    Mknod "mknod" true,
    Open "open" false,
    Opendir "opendir" false,
    Read "read" false,
    Readdir "readdir" false,
    Readdirplus "readdirplus" false,
    Readlink "readlink" false,
    Release "release" false,
    Releasedir "releasedir" false,
    Removexattr "removexattr" true,
    Rename "rename" true,
    Render "render" false,
    Rmdir "rmdir" true,
    Setattr "setattr" true,
    Setxattr "setxattr" true,
    Statfs "statfs" false,
    Symlink "symlink" true,
    Unlink "unlink" true,
    Write "write" true,
}

/// The pools for whose threads work may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queue {
    Publish,
    Long,
    Render,
    Download,
}

impl Queue {
    pub const ALL: [Self; 4] = [Self::Publish, Self::Long, Self::Render, Self::Download];

    pub fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Long => "long",
            Self::Render => "render",
            Self::Download => "download",
        }
    }
}

/// Bounds of the histogram: an answer is counted under the first bound that is not exceeded, or beyond the last.
pub const BOUNDS: [Duration; 7] = [
    Duration::from_micros(10),
    Duration::from_micros(100),
    Duration::from_millis(1),
    Duration::from_millis(10),
    Duration::from_millis(100),
    Duration::from_secs(1),
    Duration::from_secs(10),
];

/// Counters without a lock: each answer costs two atomic additions.
#[derive(Debug)]
pub struct Activity {
    operations: Vec<Counters>,
    waiting: [AtomicUsize; Queue::ALL.len()],
}

/// The counters of one operation, on cache lines of their own: threads with different operations must not share one.
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
    /// Answers by duration, each counted once, in the order of [`BOUNDS`]; the last number counts the longer ones.
    pub within: [u64; BOUNDS.len() + 1],
    pub took: Duration,
    /// Answers that were an errno, `ENOENT` included.
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
        assert_eq!((done.errors, done.took), (1, micros(60_002_021)));
        assert_eq!(activity.done(Operation::Write), Done::default());
    }

    #[test]
    fn each_operation_has_counters_of_its_own() {
        let activity = Activity::default();
        for operation in Operation::ALL {
            activity.note(*operation, Duration::ZERO, false);
            let count: u64 = activity.done(*operation).within.iter().sum();
            assert_eq!(count, 1, "{}", operation.name());
        }
    }

    #[test]
    fn what_leaves_a_queue_waits_no_more() {
        let activity = Activity::default();
        activity.enter(Queue::Render);
        activity.enter(Queue::Render);
        activity.leave(Queue::Render);
        assert_eq!(Queue::ALL.map(|queue| activity.waiting(queue)), [0, 0, 1, 0]);
    }
}
