//! The space of a filesystem, as `statfs` tells it.

/// Free and total space where blobs are kept, as `statvfs` counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    pub block_size: u64,
    pub blocks: u64,
    pub free: u64,
    pub available: u64,
    pub files: u64,
    pub files_free: u64,
}
