//! The log: structured lines on stderr, without times if stderr goes to the journal.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::env;
use std::io::{self, IsTerminal};
use std::panic;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::cli::stream::Log;

/// Starts logging for this process: information, with `-v` debug lines, with `-vv` trace lines.
pub fn start(verbosity: u8) {
    // systemd sets JOURNAL_STREAM when stderr is the journal, which adds the time itself.
    let journal = env::var_os("JOURNAL_STREAM").is_some();
    let colour = !journal && env::var_os("NO_COLOR").is_none() && io::stderr().is_terminal();
    let log = fmt()
        .with_env_filter(EnvFilter::new(filter(verbosity)))
        .with_writer(|| Log)
        .with_target(verbosity > 1)
        .with_ansi(colour);
    // A second start in one process is refused, and the first stays in force.
    let _ = if journal { log.without_time().try_init() } else { log.try_init() };
    // The standard hook would block on a stderr without a reader.
    panic::set_hook(Box::new(|panic| {
        let backtrace = Backtrace::capture();
        tracing::error!("a thread panicked: {panic}");
        if backtrace.status() == BacktraceStatus::Captured {
            tracing::error!("{backtrace}");
        }
    }));
}

fn filter(verbosity: u8) -> &'static str {
    match verbosity {
        0 => "warn,mediafs=info",
        1 => "warn,mediafs=debug",
        _ => "info,mediafs=trace",
    }
}
