//! The tests that need more than one room: one binary, so that the crate is linked once.

mod mount;
