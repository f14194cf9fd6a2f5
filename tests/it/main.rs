//! The tests that need more than one room. They are one binary, so that the crates are linked once.

mod calls;
mod cli;
mod clients;
mod commands;
mod compare;
mod config;
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
mod wait;
mod worker;
