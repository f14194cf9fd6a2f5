//! `mediafs gc`: sweeps at once. A running daemon sweeps on request, because it holds the library; without one this process opens
//! the library.

use clap::Args;

use crate::cli::command::ask;
use crate::cli::control_socket::Request;
use crate::cli::error::Error;
use crate::cli::print::{counted, say};
use crate::config::Config;
use crate::library::Library;
use crate::library::keep::sweeper::{Patience, Swept};

/// Delete blobs that no name leads to any more
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mediafs gc --dry-run               what would go?
  mediafs gc                         what nobody can want back
  mediafs gc --now                   also what was removed a moment ago ([library] hold)
  mediafs gc --now --empty-trash     also what lies in /trash ([library] trash)

What fields with `delete_orphan = false` have lost stays in any case.")]
pub struct Gc {
    /// Do not wait until what was removed has been held its time
    #[arg(long)]
    now: bool,

    /// Do not leave the trash its time either
    #[arg(long, requires = "now")]
    empty_trash: bool,

    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,
}

impl Gc {
    pub fn run(&self, config: &Config) -> Result<(), Error> {
        let Self { now, dry_run, empty_trash } = *self;
        let request = Request::Gc { now, dry_run, empty_trash };
        let alone = |library: Library| sweep(&library, patience(now, empty_trash), dry_run);
        say(report(ask(config, &request, alone)?, dry_run))
    }
}

/// The patience that the options ask for.
pub fn patience(now: bool, empty_trash: bool) -> Patience {
    match (now, empty_trash) {
        (true, true) => Patience::None,
        (true, false) => Patience::Trash,
        (false, _) => Patience::Hold,
    }
}

/// Sweeps, or counts what a sweep would delete.
pub fn sweep(library: &Library, patience: Patience, dry_run: bool) -> Result<Swept, Error> {
    let sweeper = &library.sweeper;
    Ok(if dry_run { sweeper.due(patience)? } else { sweeper.sweep(patience)? })
}

/// `deleted 3 blobs of 2 attachments, 57712 bytes`. Counts one blob for each unshared original and one for each variant.
fn report(swept: Swept, dry_run: bool) -> String {
    let verb = if dry_run { "would delete" } else { "deleted" };
    let (blobs, bytes) = (counted(swept.blobs as u64, "blob"), counted(swept.bytes, "byte"));
    format!("{verb} {blobs} of {}, {bytes}", counted(swept.attachments as u64, "attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_says_what_went_or_would_go() {
        let swept = Swept { attachments: 1, blobs: 3, bytes: 1 };
        assert_eq!(report(swept, false), "deleted 3 blobs of 1 attachment, 1 byte");
        let nothing = "would delete 0 blobs of 0 attachments, 0 bytes";
        assert_eq!(report(Swept::default(), true), nothing);
    }

    #[test]
    fn what_lies_in_the_trash_goes_before_its_time_only_if_both_are_asked_for() {
        assert_eq!(patience(false, false), Patience::Hold);
        assert_eq!(patience(true, false), Patience::Trash);
        assert_eq!(patience(true, true), Patience::None);
    }
}
