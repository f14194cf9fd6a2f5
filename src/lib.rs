//! mediafs: a mounted filesystem that validates, normalises and tracks the media files written to it.
//! The rooms and their floors are described in `docs/ARCHITECTURE.md`; nothing is re-exported here.

/// Builds a part from the parts that it names, in variables of the same names, and its own state.
macro_rules! part {
    ($type:ident: $($part:ident),* $(; $($own:ident: $value:expr),*)?) => {
        std::sync::Arc::new($type { $($part: $part.to_owned(),)* $($($own: $value),*)? })
    };
}

pub mod fd;
pub mod fence;
pub mod session_thread;

pub mod blob;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod fetch;
pub mod fuse;
pub mod library;
pub mod tree;
