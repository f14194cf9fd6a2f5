//! The tree: the filesystem that a program sees, without FUSE. It asks `library` for every byte and every fact.
//!
//! A node's inode number says what it is and, where the catalogue counts it, which one: numbers are stable over restarts, and the
//! tree keeps no table of what the kernel has seen. What it does keep is what no catalogue knows: open handles, open drafts with
//! their owners, and for the time of one `open` the redirection of a writer to its draft.

/// Builds a part from the parts that it names, in variables of the same names, and its own state.
macro_rules! part {
    ($type:ident: $($part:ident),* $(; $own:ident: $value:expr)?) => {
        std::sync::Arc::new($type { $($part: $part.to_owned(),)* $($own: $value)? })
    };
}

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
