//! FUSE: the kernel's side of the tree. A request is decoded, the tree is called, and its answer is encoded.
//! Nothing about files, names or rules is decided here.

mod adapter;
mod backing;
mod busy_poll;
mod errno;
mod error;
mod housekeeping;
mod inval;
mod lifecycle;
pub mod mount;
mod pool;
mod reader;
mod session;

pub use adapter::dispatch::pool_threads;
pub use errno::errno;
pub use error::Error;
pub use session::{Mounted, Reading, mount};
