//! `mediafs orphans`: what fields with `delete_orphan = false` have lost, and is kept for ever.
//! Does not restore anything.

use clap::Args;
use serde::{Deserialize, Serialize};

use super::control::{self, Request, Response};
use super::{Error, library, say};
use crate::config::Config;
use crate::library::Library;
use words::attachment::AttachmentId;
use words::day::Day;
use words::retired::Retired;

/// What one answer holds: a path has a thousand bytes at most, and a line of the control socket a million.
const PAGE: usize = 200;

/// List what was removed from fields with `delete_orphan = false`
#[derive(Debug, Args)]
#[command(
    after_help = "One line each: number, time of the removal, bytes, key, and the path that it had.
`mediafs restore NUMBER` puts it back.

Examples:
  mediafs orphans
  mediafs orphans --json | jq -r .trash"
)]
pub struct Orphans {
    /// Print a JSON object on each line
    #[arg(long)]
    json: bool,
}

/// What is kept although it hangs from nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orphaned {
    pub id: u64,
    /// The path that it had.
    pub path: String,
    /// When it lost that.
    pub detached: String,
    pub length: u64,
    pub key: String,
    /// Where it lies in the tree: `trash/2026-11-24/user-42-deed.pdf`.
    pub trash: String,
}

impl Orphans {
    pub fn run(&self, config: &Config) -> Result<(), Error> {
        let mut alone = None;
        let mut after = 0;
        loop {
            let asked = match &alone {
                None => control::ask(&config.library.path, &Request::Orphans { after })?,
                Some(_) => None,
            };
            let response = match (asked, &alone) {
                (Some(response), _) => response,
                (None, Some(library)) => page(library, after)?,
                (None, None) => page(alone.insert(library::open(config)?), after)?,
            };
            let orphans = match response {
                Response::Orphans { orphans } => orphans,
                Response::Error { error } => return Err(Error::Refused(error)),
                _ => return Err(Error::ControlAnswer),
            };
            let Some(last) = orphans.last() else { return Ok(()) };
            after = last.id;
            orphans.iter().try_for_each(|orphan| self.print(orphan))?;
        }
    }

    fn print(&self, orphan: &Orphaned) -> Result<(), Error> {
        if self.json {
            return say(serde_json::json!(orphan));
        }
        let Orphaned { id, path, detached, length, key, .. } = orphan;
        say(format_args!("{id}\t{detached}\t{length}\t{key}\t{path}"))
    }
}

/// Those with numbers above `after`, as many as an answer holds.
pub fn page(library: &Library, after: u64) -> Result<Response, Error> {
    let found = library.trash.orphans(AttachmentId(after), PAGE)?;
    let orphans = found.iter().map(|retired| describe(library, retired)).collect::<Result<_, _>>();
    Ok(Response::Orphans { orphans: orphans? })
}

fn describe(library: &Library, retired: &Retired) -> Result<Orphaned, Error> {
    let attachment = &retired.attachment;
    let day = Day::of(retired.at).unwrap_or(Day(0));
    Ok(Orphaned {
        id: attachment.id.0,
        path: retired.slot.to_string(),
        detached: retired.at.as_rfc3339(),
        length: attachment.content.length,
        key: attachment.blob.to_string(),
        trash: format!("trash/{day}/{}", library.trash.name_of(retired)?),
    })
}
