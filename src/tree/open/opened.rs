//! The answer to an `open`: a handle, and what the kernel may do with the bytes behind it.

use std::fs::File;
use std::sync::Arc;

use crate::tree::request::OpenFlags;

/// The number of an open file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fh(pub u64);

/// What the kernel may do with the bytes of an open file.
#[derive(Debug, Clone)]
pub enum Caching {
    /// They are stored and never change: the kernel keeps pages over opens and sends no flush.
    Forever(Stored),
    /// The kernel keeps pages while the file is open, and sends a flush.
    WhileOpen,
    /// The kernel asks for every byte, whatever size was shown.
    Never,
}

impl Caching {
    /// For a file that can be written. Nobody reads pages through a handle that only writes, nor can such a handle be mapped
    /// (mmap(2), EACCES): with pages the kernel would copy every byte twice, and ask for the file's capabilities before each
    /// first write.
    pub fn of_writable(flags: OpenFlags) -> Self {
        if flags.reads() { Self::WhileOpen } else { Self::Never }
    }
}

/// The one file that holds all bytes of an inode.
#[derive(Debug, Clone)]
pub struct Stored {
    pub file: Arc<File>,
    pub length: u64,
}

#[derive(Debug, Clone)]
pub struct Opened {
    pub fh: Fh,
    pub caching: Caching,
}

impl Opened {
    /// A handle on a stored blob.
    pub fn stored(fh: Fh, file: Arc<File>, length: u64) -> Self {
        Self { fh, caching: Caching::Forever(Stored { file, length }) }
    }
}
