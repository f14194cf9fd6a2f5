//! kill -9 of a writer of the library, and of the daemon under its clients. What
//! was acknowledged is there after the next start, and nothing else stays behind.

// Tests fail by panicking.
#![allow(clippy::panic)]

mod changes;
mod hanging;
mod publish;
pub mod writer;
mod writes;
