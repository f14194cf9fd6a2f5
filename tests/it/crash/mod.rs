//! kill -9 of a writer of the library, and of the daemon under its clients: acknowledged changes are there after the next start,
//! and nothing else stays behind.

// Tests fail by panicking.
#![allow(clippy::panic)]

mod changes;
pub mod child_writer;
mod hanging;
mod publish;
mod writes;
