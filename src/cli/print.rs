//! Prints results to stdout and errors to stderr.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;

use crate::cli::error::Error;
use crate::cli::stream;
use crate::config;
use crate::fence::chain;

/// How long an error message waits for a stderr that nobody reads.
const STDERR_PATIENCE: Duration = Duration::from_secs(1);

/// Prints to stdout. Unlike `println!` it returns an error when the reader has closed the pipe.
pub fn say(text: impl Display) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Error::Output)
}

/// Prints an error and its causes to stderr. Mistakes in a configuration are printed without a prefix, so that editors can jump
/// to them.
pub fn complain(error: &Error) {
    let text = match error {
        Error::Config(config::Error::Invalid(_)) => error.to_string(),
        _ => format!("mediafs: {}", chain(error)),
    };
    // Where stderr cannot be written either, the exit code alone tells of the error.
    stream::offer(io::stderr(), format!("{text}\n").as_bytes(), STDERR_PATIENCE);
}

/// `1 file`, `2 files`.
pub fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
