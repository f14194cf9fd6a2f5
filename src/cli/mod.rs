//! The command line: what people type, and what they are told.
//! Does not do the work of any command that the rooms below can do; exit codes are chosen here alone.

mod attach;
mod check_config;
pub mod control;
mod descriptors;
mod error;
mod gc;
mod guard;
mod init;
mod library;
mod log;
pub mod mount;
mod options;
mod orphans;
mod outlet;
mod probe;
mod reading;
mod refused;
mod restore;
pub mod service;
pub mod show;
pub mod signal;
mod status;
mod stores;
mod try_files;
mod unmount;
pub mod workers;

use std::fmt::Display;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgAction, Parser, Subcommand};

use crate::config::{self, Config};

pub use error::Error;

/// Where a configuration is looked for, in this order, when none is named.
const USUAL_PLACES: [&str; 2] = ["mediafs.toml", "/etc/mediafs/mediafs.toml"];

/// How long an error message waits for a stderr that nobody reads.
const STDERR_PATIENCE: Duration = Duration::from_secs(1);

const EXAMPLES: &str = "Examples:
  mediafs init                                  write a commented mediafs.toml here
  mediafs check-config                          is it right?
  mediafs mount ./media                         mount, in the foreground, until Ctrl-C
  mediafs try --field user.avatar *.jpg         would these be taken, and what would become of them?
  mediafs show user/42/avatar                   what is attached there, as JSON
  mediafs status                                what there is, and what the daemon is at
  mediafs attach URL ./media/models/user/42/avatar
                                                attach the file behind a URL
  mediafs restore /trash/2026-11-24/user-42-avatar.png
                                                put back what was removed

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration.";

#[derive(Debug, Parser)]
#[command(name = "mediafs", version, about, after_help = EXAMPLES, propagate_version = true)]
struct Arguments {
    /// The configuration [default: ./mediafs.toml, then /etc/mediafs/mediafs.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Log more: -v what happens, -vv every step
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Mount(mount::Mount),
    Unmount(unmount::Unmount),
    CheckConfig(check_config::CheckConfig),
    Try(try_files::Try),
    Show(show::Show),
    Status(status::Status),
    Attach(attach::Attach),
    Gc(gc::Gc),
    Orphans(orphans::Orphans),
    Restore(restore::Restore),
    Refused(refused::Refused),
    #[command(hide = true)]
    Guard(guard::Guard),
    #[command(hide = true)]
    Probe(probe::Probe),
    #[command(hide = true)]
    Worker(workers::Worker),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    log::start(arguments.verbose);
    match run(&arguments) {
        Ok(code) => code,
        // Whoever read our output has gone, as `head` does: nobody is left to be told.
        Err(Error::Output(cause)) if cause.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(arguments: &Arguments) -> Result<ExitCode, Error> {
    let config = || find(arguments.config.as_deref());
    match &arguments.command {
        Command::Guard(guard) => return Ok(guard.run()),
        Command::Probe(probe) => return Ok(probe.run()),
        Command::Worker(worker) => return Ok(worker.run()),
        Command::Init(init) => init.run(),
        Command::Mount(mount) => mount.run(&config()?.1),
        Command::Unmount(unmount) => unmount.run(),
        Command::CheckConfig(check) => {
            let (path, config) = config()?;
            check.run(&path, &config)
        }
        Command::Try(files) => files.run(&config()?.1),
        Command::Attach(attach) => attach.run(),
        Command::Show(show) => show.run(&config()?.1),
        Command::Status(status) => status.run(&config()?.1),
        Command::Gc(gc) => gc.run(&config()?.1),
        Command::Orphans(orphans) => orphans.run(&config()?.1),
        Command::Restore(restore) => restore.run(&config()?.1),
        Command::Refused(refused) => refused.run(&config()?.1),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// The configuration that is named, or else the one in the first usual place that has one.
fn find(named: Option<&Path>) -> Result<(PathBuf, Config), Error> {
    let usual = || USUAL_PLACES.into_iter().map(Path::new).find(|place| place.exists());
    let path = named.or_else(usual).ok_or(Error::NoConfig)?;
    Ok((path.to_owned(), config::load(path)?))
}

/// Prints to stdout. Unlike `println!` it survives a reader who went away.
fn say(text: impl Display) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(Error::Output)
}

/// Prints an error and what caused it to stderr; mistakes in a configuration stand alone, so that editors find them.
fn complain(error: &Error) {
    let text = match error {
        Error::Config(config::Error::Invalid(_)) => error.to_string(),
        _ => format!("mediafs: {}", chain(error)),
    };
    // If stderr is gone too, the exit code must do.
    outlet::offer(io::stderr(), format!("{text}\n").as_bytes(), STDERR_PATIENCE);
}

/// An error and what caused it, joined by colons.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_configuration_may_be_named_before_or_after_the_command() {
        for line in [
            ["mediafs", "--config", "x", "check-config"],
            ["mediafs", "check-config", "--config", "x"],
        ] {
            let arguments = Arguments::try_parse_from(line).expect("a command line");
            assert_eq!(arguments.config.as_deref(), Some(Path::new("x")));
        }
    }
}
