//! The kernel's caches, and how the kernel is told of changes.

pub mod change;
pub mod change_times;
pub mod tell;

use std::time::Duration;

use crate::tree::node::Ino;
use words::slot::Name;

/// The kernel, which is told of changes that it cannot know of: those without a request, and those beyond the names of a request.
pub trait Kernel: Send + Sync {
    /// Invalidates the attributes of an inode. Takes no lock of the kernel that a request could hold.
    fn forget_attributes(&self, ino: Ino);

    /// Invalidates the listing of a directory, and its attributes. Takes no such lock either.
    fn forget_listing(&self, ino: Ino);

    /// Invalidates a name. The kernel may need the directory's lock for that: the caller waits for `patience` at most.
    fn forget_name(&self, parent: Ino, name: &Name, patience: Duration);

    fn delivery(&self) -> Delivery;
}

/// How the bytes of large files reach their readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The kernel reads the stored files by itself.
    Passthrough,
    /// Every byte passes through the daemon, for this reason.
    Daemon(String),
}
