//! The commands, a file each.

pub mod attach;
pub mod check_config;
pub mod gc;
pub mod guard;
pub mod init;
pub mod mount;
pub mod move_field;
pub mod orphans;
pub mod refused;
pub mod restore;
pub mod show;
pub mod status;
pub mod try_files;
pub mod unmount;

use serde::de::DeserializeOwned;

use crate::cli::assembly;
use crate::cli::control_socket::{self, Request};
use crate::cli::error::Error;
use crate::config::Config;
use crate::library::Library;

/// Asks the daemon that holds the library. Without a daemon, this process opens the library, and `alone` answers from it.
fn ask<A: DeserializeOwned>(
    config: &Config,
    request: &Request,
    alone: impl FnOnce(Library) -> Result<A, Error>,
) -> Result<A, Error> {
    match control_socket::ask(&config.library.path, request)? {
        Some(answer) => Ok(answer),
        None => alone(assembly::open(config)?),
    }
}
