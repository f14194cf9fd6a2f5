//! `mediafs orphans`: lists the attachments that were removed from fields with `delete_orphan = false`, which are kept for ever.

use clap::Args;

use crate::cli::assembly;
use crate::cli::control_socket::{self, Orphaned, Request, Response};
use crate::cli::error::Error;
use crate::cli::print::say;
use crate::config::Config;
use crate::library::Library;
use words::attachment::AttachmentId;
use words::day::Day;
use words::retired::Retired;

/// The most entries of an answer. A path has at most a thousand bytes, and a line of the control socket a million.
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

impl Orphans {
    pub fn run(&self, config: &Config) -> Result<(), Error> {
        let mut alone = None;
        let mut after = 0;
        loop {
            let asked = match &alone {
                None => control_socket::ask(&config.library.path, &Request::Orphans { after })?,
                Some(_) => None,
            };
            let response = match (asked, &alone) {
                (Some(response), _) => response,
                (None, Some(library)) => page(library, after)?,
                (None, None) => page(alone.insert(assembly::open(config)?), after)?,
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

/// The orphans with numbers above `after`, as many as an answer holds.
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
