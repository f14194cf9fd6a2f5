//! Invalidation: the tree's [`Kernel`] over fuser's notifier, which has the kernel forget inodes and names.

use std::ffi::OsStr;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::Duration;

use fuser::{INodeNo, Notifier};

use crate::fuse::backing::Backings;
use crate::tree::Ino;
use crate::tree::kernel::{Delivery, Kernel};
use words::slot::Name;

/// How many requests to forget names may wait for the kernel.
const WAITING: usize = 1024;

/// Invalidates inodes at once, and names in a thread of its own.
pub struct Invalidator {
    pub notifier: Notifier,
    pub names: Names,
    pub backings: Arc<Backings>,
}

impl Kernel for Invalidator {
    fn forget_attributes(&self, ino: Ino) {
        // A kept backing file would hold the disk space of a blob that has lost its name.
        self.backings.forget(ino.0);
        // Offset -1: the attributes alone. The pages stay, because an inode's bytes never change. Takes no directory's lock.
        if let Err(error) = self.notifier.inval_inode(INodeNo(ino.0), -1, 0) {
            tracing::debug!(ino = ino.0, %error, "attributes were not forgotten");
        }
    }

    fn forget_listing(&self, ino: Ino) {
        // All pages: the kernel keeps the listing of a directory in them.
        if let Err(error) = self.notifier.inval_inode(INodeNo(ino.0), 0, 0) {
            tracing::debug!(ino = ino.0, %error, "a listing was not forgotten");
        }
    }

    fn forget_name(&self, parent: Ino, name: &Name, patience: Duration) {
        // If the queue is full and the name is dropped, a `stat` may still find it in the cache. Nothing worse happens: the
        // attributes of its inode were forgotten too, and opening it fails with ESTALE.
        self.names.forget(parent, vec![name.clone()], patience);
    }

    fn delivery(&self) -> Delivery {
        self.backings.delivery()
    }
}

struct Forget {
    parent: Ino,
    names: Vec<Name>,
    done: SyncSender<()>,
}

/// A queue of names for the kernel to forget, and the thread that serves it. To forget a name the kernel takes the directory's
/// lock. A lookup that renders may hold that lock, and so may the request that asks for this.
pub struct Names {
    queue: SyncSender<Forget>,
}

impl Names {
    /// Starts the thread.
    pub fn of(notifier: Notifier) -> io::Result<Self> {
        Self::start(WAITING, move |parent, name| {
            let told = notifier.inval_entry(INodeNo(parent.0), OsStr::new(name.as_str()));
            if let Err(error) = told {
                tracing::debug!(parent = parent.0, %name, %error, "a name was not forgotten");
            }
        })
    }

    fn start(waiting: usize, tell: impl Fn(Ino, &Name) + Send + 'static) -> io::Result<Self> {
        let (queue, names) = mpsc::sync_channel(waiting);
        thread::Builder::new().name("forget-names".into()).spawn(move || drain(&names, tell))?;
        Ok(Self { queue })
    }

    /// Waits up to `patience` until the kernel has forgotten the names; returns whether it has. A full queue drops them.
    pub fn forget(&self, parent: Ino, names: Vec<Name>, patience: Duration) -> bool {
        let (done, is_done) = mpsc::sync_channel(1);
        let request = Forget { parent, names, done };
        if self.queue.try_send(request).is_err() {
            tracing::debug!(parent = parent.0, "too many names wait to be forgotten; dropped");
            return false;
        }
        let told = is_done.recv_timeout(patience).is_ok();
        if !told {
            tracing::debug!(parent = parent.0, "the kernel is slow to forget a name");
        }
        told
    }
}

fn drain(requests: &Receiver<Forget>, tell: impl Fn(Ino, &Name)) {
    for Forget { parent, names, done } in requests {
        for name in &names {
            tell(parent, name);
        }
        // The caller may have stopped waiting.
        let _ = done.try_send(());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).expect("a name")
    }

    #[test]
    fn a_name_is_forgotten_before_the_caller_goes_on() {
        let (told, was_told) = mpsc::channel();
        let names =
            Names::start(4, move |parent, name| told.send((parent, name.clone())).expect("heard"))
                .expect("a thread");
        assert!(names.forget(Ino(7), vec![name("avatar")], Duration::from_secs(10)));
        assert_eq!(was_told.try_recv(), Ok((Ino(7), name("avatar"))));
    }

    #[test]
    fn a_kernel_that_holds_the_lock_costs_only_the_patience() {
        let (release, released) = mpsc::channel::<()>();
        let (entered, has_entered) = mpsc::channel();
        let names = Names::start(1, move |_, name| {
            entered.send(name.clone()).expect("heard");
            let _ = released.recv();
        })
        .expect("a thread");
        let start = Instant::now();
        assert!(!names.forget(Ino(1), vec![name("held")], Duration::from_millis(5)));
        assert_eq!(has_entered.recv(), Ok(name("held")));
        assert!(!names.forget(Ino(1), vec![name("queued")], Duration::from_millis(5)));
        assert!(!names.forget(Ino(1), vec![name("dropped")], Duration::from_secs(60)));
        assert!(start.elapsed() < Duration::from_secs(30), "a full queue does not wait");
        drop(release);
        assert_eq!(has_entered.iter().next(), Some(name("queued")));
        drop(names);
        assert_eq!(has_entered.iter().next(), None, "the third was dropped");
    }
}
