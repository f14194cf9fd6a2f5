//! The operations of the tree, by what they do.
//! Does not hold state of its own: that is the tree's.

mod attach;
mod attributes;
mod draft;
pub(in crate::tree) mod files;
mod forget;
mod link;
mod list;
pub(in crate::tree) mod lookup;
mod make;
mod open;
mod original;
mod place;
mod receive;
mod remove;
mod rename;
mod retry;
mod row;
mod setattr;
pub(in crate::tree) mod stat;
mod stored;
mod symlink;
mod tick;
mod trash;
mod url;
mod write;

pub use files::Seek;
pub use lookup::{Lookup, Rendering};
pub use symlink::{Errand, Linked};
pub use write::Work;
