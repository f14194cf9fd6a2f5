//! The kernel: what it believes of the tree, and how it is told of changes.

pub mod change;
pub mod change_times;
pub mod generations;
pub mod tell;
pub mod variant_directories;

use std::time::Duration;

use crate::tree::node::Ino;
use words::slot::Name;

/// The kernel, as far as it is told of changes: those that it did not ask for, and those that reach beyond the names it named.
pub trait Kernel: Send + Sync {
    /// The kernel must ask for the attributes of an inode again. Takes no lock of the kernel that a request could hold.
    fn forget_attributes(&self, ino: Ino);

    /// The kernel must ask for the listing of a directory again, and for its attributes. Takes no such lock either.
    fn forget_listing(&self, ino: Ino);

    /// The kernel must look a name up again. It may need the directory's lock for that: another thread tells it, and the caller
    /// waits for `patience` at most.
    fn forget_name(&self, parent: Ino, name: &Name, patience: Duration);

    /// How the bytes of large files come to their readers.
    fn delivery(&self) -> Delivery;
}

/// How the bytes of large files come to their readers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// The kernel reads the stored files by itself.
    Passthrough,
    /// Every byte passes through the daemon, for this reason.
    Daemon(String),
}
