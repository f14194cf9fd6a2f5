//! The command line: the commands that people type, their output, and the exit codes, which are chosen here alone.

mod assembly;
mod command;
pub mod control_socket;
mod error;
mod logging;
mod print;
pub mod service;
pub mod signal;
mod store_folders;
pub mod workers;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgAction, Parser, Subcommand};

use crate::cli::command::{
    attach, check_config, gc, guard, init, mount, move_field, orphans, refused, restore, show,
    status, try_files, unmount,
};
use crate::cli::error::Error;
use crate::cli::print::complain;
use crate::config::{self, Config};
use crate::fuse::mount::probe;
use pipeline::worker;

/// The places where a configuration is looked for, in this order, when none is named.
const USUAL_PLACES: [&str; 2] = ["mediafs.toml", "/etc/mediafs/mediafs.toml"];

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
    MoveField(move_field::MoveField),
    /// Watch over a daemon; started by it, not by people
    #[command(hide = true)]
    Guard {
        /// The daemon's process
        daemon: i32,
    },
    /// Ask a mount whether it answers; started by other commands, not by people
    #[command(hide = true)]
    Probe {
        mountpoint: PathBuf,
    },
    /// Work as a worker process; started by the daemon, not by people
    #[command(hide = true)]
    Worker {
        /// Bytes of address space
        memory: u64,
    },
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    logging::start(arguments.verbose);
    match run(&arguments) {
        Ok(code) => code,
        // The reader of the output has closed the pipe, as `head` does.
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
        Command::Guard { daemon } => return Ok(guard::run(*daemon)),
        Command::Probe { mountpoint } => return Ok(probe::answer(mountpoint)),
        Command::Worker { memory } => return Ok(worker::serve::serve(*memory)),
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
        Command::MoveField(fields) => fields.run(&config()?.1),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Loads the configuration that is named, or else the first that exists in [`USUAL_PLACES`].
fn find(named: Option<&Path>) -> Result<(PathBuf, Config), Error> {
    let usual = || USUAL_PLACES.into_iter().map(Path::new).find(|place| place.exists());
    let path = named.or_else(usual).ok_or(Error::NoConfig)?;
    Ok((path.to_owned(), config::load(path)?))
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
