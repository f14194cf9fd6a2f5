//! mediafs: a mounted filesystem that validates, normalises and tracks the media files written to it.
//! The rooms and their floors are described in `docs/ARCHITECTURE.md`; nothing is re-exported here.

pub mod fd;
pub mod fence;

pub mod blob;
pub mod catalog;
pub mod cli;
pub mod config;
pub mod fetch;
pub mod fuse;
pub mod library;
pub mod tree;
