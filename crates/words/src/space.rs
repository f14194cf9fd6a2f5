//! The space of a filesystem, as `statfs` tells it.

/// The space of the filesystem that holds the blobs, in the terms of `statvfs(3)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub block_size: u64,
    pub blocks: u64,
    pub free: u64,
    pub available: u64,
    pub files: u64,
    pub files_free: u64,
}
