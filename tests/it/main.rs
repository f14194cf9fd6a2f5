//! The tests that need more than one room: one binary, so that the crate is linked once.

mod calls;
mod cli;
mod clients;
mod commands;
mod compare;
mod crash;
mod disk;
mod draft;
mod faults;
mod floors;
mod licences;
mod limits;
mod model;
mod mount;
mod output;
mod service;
mod stores;
mod trash;
mod worker;
