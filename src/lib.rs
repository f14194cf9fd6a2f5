//! mediafs: a mounted filesystem that validates, normalises and tracks the media files written to it.
//! The rooms and their floors are described in `docs/ARCHITECTURE.md`; nothing is re-exported here.

pub mod access;
pub mod attachment;
pub mod byte_count;
pub mod day;
pub mod digest;
pub mod dimensions;
pub mod fence;
pub mod media_type;
pub mod quota;
pub mod refusal;
pub mod rule;
pub mod schema;
pub mod slot;
pub mod template;
pub mod timestamp;
pub mod variant;

pub mod blob;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod fetch;
pub mod fuse;
pub mod library;
pub mod pipeline;
pub mod tree;
