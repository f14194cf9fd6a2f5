//! The kernel as the tree sees it: whom to tell of changes, and how it gets at what is stored.
//! Does not know how it is told.

use std::time::Duration;

use crate::tree::Ino;
use words::slot::Name;

/// What the kernel must be told of changes that it did not ask for, or whose effect reaches beyond the names it named.
pub trait Kernel: Send + Sync {
    /// The attributes of an inode must be asked for again. Takes no lock of the kernel that a request could hold.
    fn forget_attributes(&self, ino: Ino);

    /// What a directory lists must be asked for again, and its attributes. Takes no such lock either.
    fn forget_listing(&self, ino: Ino);

    /// A name must be looked up again. May need the directory's lock: done by another thread, awaited for `patience` at most.
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
