//! `mediafs gc`: deletes what nothing needs any more, now.
//! A running daemon does it when asked, since it holds the library; without one this process opens it.

use clap::Args;

use super::control::{self, Request, Response};
use super::{Error, library, say};
use crate::config::Config;
use crate::library::Library;
use crate::library::sweep::Patience;

/// Delete blobs that no name leads to any more
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mediafs gc --dry-run     what would go?
  mediafs gc               what nobody can want back
  mediafs gc --now         also what was removed a moment ago ([library] hold)")]
pub struct Gc {
    /// Do not wait until what was removed has been held its time
    #[arg(long)]
    now: bool,

    /// Only say what would be deleted
    #[arg(long)]
    dry_run: bool,
}

impl Gc {
    pub fn run(&self, config: &Config) -> Result<(), Error> {
        let request = Request::Gc { now: self.now, dry_run: self.dry_run };
        let response = match control::ask(&config.library.path, &request)? {
            Some(response) => response,
            None => sweep(&library::open(config)?, self.now, self.dry_run)?,
        };
        match response {
            Response::Swept { attachments, blobs } => say(report(attachments, blobs, self.dry_run)),
            Response::Error { error } => Err(Error::Refused(error)),
            Response::Shown(_) => Err(Error::ControlAnswer),
        }
    }
}

/// Sweeps, or counts what a sweep would delete.
pub fn sweep(library: &Library, now: bool, dry_run: bool) -> Result<Response, Error> {
    let patience = if now { Patience::None } else { Patience::Hold };
    let swept = if dry_run { library.sweepable(patience)? } else { library.sweep(patience)? };
    Ok(Response::Swept { attachments: swept.attachments as u64, blobs: swept.blobs as u64 })
}

/// `deleted 3 blobs of 2 attachments`: a blob for each original that nothing else shares, and one for each variant.
fn report(attachments: u64, blobs: u64, dry_run: bool) -> String {
    let verb = if dry_run { "would delete" } else { "deleted" };
    let plural =
        |count: u64, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    format!("{verb} {} of {}", plural(blobs, "blob"), plural(attachments, "attachment"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_says_what_went_or_would_go() {
        assert_eq!(report(1, 3, false), "deleted 3 blobs of 1 attachment");
        assert_eq!(report(0, 0, true), "would delete 0 blobs of 0 attachments");
    }
}
