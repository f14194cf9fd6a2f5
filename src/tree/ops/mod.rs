//! The operations of the tree: the verbs of FUSE, and what the daemon does by itself. Each decodes what is meant and asks the parts
//! below.

mod bytes;
pub mod cost;
mod directories;
mod files;
mod getattr;
mod hard_link;
mod lookup;
mod read_only;
mod readdir;
mod rename;
mod setattr;
mod symlink;
mod unlinking;
mod upkeep;
mod xattr;
