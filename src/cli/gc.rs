//! `mediafs gc`: deletes what nothing needs any more, now.
//! A running daemon does it when asked; it holds the library, so nobody else may.

use clap::Args;

use super::control::{self, Request, Response};
use super::{Error, say};
use crate::byte_count::ByteCount;
use crate::config::Config;

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
        match control::ask(&config.library.path, &request)? {
            Some(Response::Swept { blobs, bytes }) => say(report(blobs, bytes, self.dry_run)),
            Some(Response::Error { error }) => Err(Error::Refused(error)),
            Some(Response::Shown(_)) => Err(Error::ControlAnswer),
            None => Err(Error::Refused(format!(
                "no mediafs is running on the library {}",
                config.library.path.display()
            ))),
        }
    }
}

/// `deleted 3 blobs, 5.2 MiB`.
fn report(blobs: u64, bytes: u64, dry_run: bool) -> String {
    let verb = if dry_run { "would delete" } else { "deleted" };
    let noun = if blobs == 1 { "blob" } else { "blobs" };
    format!("{verb} {blobs} {noun}, {}", ByteCount(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_says_what_went_or_would_go() {
        assert_eq!(report(1, 5 << 20, false), "deleted 1 blob, 5 MiB");
        assert_eq!(report(0, 0, true), "would delete 0 blobs, 0 B");
    }
}
