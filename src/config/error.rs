//! The errors of a configuration that cannot be used.

use std::io;
use std::path::PathBuf;

use words::byte_count::ByteCount;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} is larger than {limit}: is it a configuration?", path.display())]
    TooLarge { path: PathBuf, limit: ByteCount },
    #[error("{} is not UTF-8 text", .0.display())]
    NotUtf8(PathBuf),
    /// All mistakes of the file.
    #[error("{0}")]
    Invalid(String),
}
