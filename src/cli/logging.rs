//! The log: structured lines on stderr, without times if stderr goes to the journal.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::env;
use std::io::{self, IsTerminal};
use std::panic;

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::print::Log;

/// Starts logging for this process: information, with `-v` debug lines, with `-vv` trace lines.
pub fn start(verbosity: u8) {
    // systemd sets JOURNAL_STREAM when stderr is the journal, which adds the time itself.
    let journal = env::var_os("JOURNAL_STREAM").is_some();
    let colour = !journal && env::var_os("NO_COLOR").is_none() && io::stderr().is_terminal();
    let (ours, others) = levels(verbosity);
    let targets = Targets::new().with_default(others).with_target("mediafs", ours);
    let log =
        fmt().with_max_level(ours).with_writer(|| Log).with_target(verbosity > 1).with_ansi(colour);
    // A second start in one process is refused, and the first stays in force.
    let _ = if journal {
        log.without_time().finish().with(targets).try_init()
    } else {
        log.finish().with(targets).try_init()
    };
    // The standard hook would block on a stderr without a reader.
    panic::set_hook(Box::new(|panic| {
        let backtrace = Backtrace::capture();
        tracing::error!("a thread panicked: {panic}");
        if backtrace.status() == BacktraceStatus::Captured {
            tracing::error!("{backtrace}");
        }
    }));
}

/// The level of this program's own lines, and of those of the libraries that it uses.
fn levels(verbosity: u8) -> (Level, Level) {
    match verbosity {
        0 => (Level::INFO, Level::WARN),
        1 => (Level::DEBUG, Level::WARN),
        _ => (Level::TRACE, Level::INFO),
    }
}
