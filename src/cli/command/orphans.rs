//! `mediafs orphans`: lists the attachments that were removed from fields with `delete_orphan = false`, which are kept for ever.

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::cli::assembly;
use crate::cli::control_socket::{self, Request};
use crate::cli::error::Error;
use crate::cli::print::{say, warn};
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
`mediafs restore NUMBER` puts it back. What the configuration hides is named on standard error.

Examples:
  mediafs orphans
  mediafs orphans --json | jq -r .trash"
)]
pub struct Orphans {
    /// Print a JSON object on each line
    #[arg(long)]
    json: bool,
}

/// A part of the list. An empty page is the last.
#[derive(Serialize, Deserialize)]
pub struct Page {
    orphans: Vec<Orphaned>,
}

/// An attachment that has lost its last name and is kept for ever.
#[derive(Serialize, Deserialize)]
struct Orphaned {
    id: u64,
    /// The last path.
    path: String,
    /// When it lost that path.
    detached: String,
    length: u64,
    key: String,
    /// The path in the trash: `trash/2026-11-24/user-42-deed.pdf`.
    trash: String,
}

impl Orphans {
    pub fn run(&self, config: &Config) -> Result<(), Error> {
        let (mut alone, mut after) = (None, 0);
        let last = loop {
            let asked = Request::Orphans { after };
            let Page { orphans } = match &alone {
                Some(library) => page(library, after)?,
                None => match control_socket::ask(&config.library.path, &asked)? {
                    Some(page) => page,
                    None => page(alone.insert(assembly::open(config)?), after)?,
                },
            };
            let Some(last) = orphans.last() else { break after };
            after = last.id;
            orphans.iter().try_for_each(|orphan| self.print(orphan))?;
        };
        if last == 0 {
            warn("no field with `delete_orphan = false` has lost a file");
        }
        let hidden = match &alone {
            Some(library) => library.hidden.count()?.to_vec(),
            None => assembly::hidden(config)?,
        };
        for place in &hidden {
            warn(&place.to_string());
        }
        Ok(())
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
pub fn page(library: &Library, after: u64) -> Result<Page, Error> {
    let found = library.trash.orphans(AttachmentId(after), PAGE)?;
    let orphans = found.iter().map(|retired| describe(library, retired)).collect::<Result<_, _>>();
    Ok(Page { orphans: orphans? })
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
