//! The tests that need more than one room: one binary, so that the crate is linked once.

mod calls;
mod cli;
mod crash;
mod draft;
mod floors;
mod licences;
mod model;
mod mount;
mod worker;
