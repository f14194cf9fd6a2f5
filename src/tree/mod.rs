//! The tree: the filesystem that a program sees, without FUSE. All bytes and records are the `library`'s.
//!
//! An inode number contains the kind and the identity of its node: it is stable over restarts, and needs no table of the inodes
//! that the kernel knows. The tree keeps in memory open handles, open drafts with their owners, and for the time of one `open`
//! the redirection of a writer to its draft.

pub mod activity;
mod bounded;
mod error;
pub mod kernel;
pub mod node;
pub mod open;
pub mod ops;
pub mod request;
pub mod show;
pub mod view;

pub use crate::tree::error::{Error, Result};
pub use crate::tree::node::Ino;
pub use crate::tree::node::places::Scope;
pub use crate::tree::open::handles::Fh;
pub use crate::tree::ops::Tree;
pub use crate::tree::request::Caller;
