//! The tests that need more than one room: one binary, so that the crate is linked once.

mod cli;
mod commands;
mod crash;
mod durability;
mod faults;
mod floors;
mod licences;
mod limits;
mod mount;
mod service;
mod worker;
