//! The tests that need more than one room. They are one binary, so that the crates are linked once.

mod bench_figures;
mod busy_worker;
mod cli;
mod clients;
mod commands;
mod config;
mod crash;
mod disk;
mod documents;
mod floors;
mod licences;
mod model;
mod mount;
mod output;
mod service;
mod start;
mod tree;
mod wait;
mod worker;
