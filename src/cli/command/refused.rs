//! `mediafs refused`: lists the quarantine, attaches an entry again, or deletes one. A running daemon does it on request, because
//! it holds the library; without one this process opens the library.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::command;
use crate::cli::control_socket::Request;
use crate::cli::error::Error;
use crate::cli::print::{say, warn};
use crate::config::Config;
use crate::library::Library;
use crate::library::refuse::kept::Kept;
use crate::tree::Tree;
use crate::tree::open::processes::Processes;
use words::byte_count::ByteCount;
use words::refusal::RefusalId;

/// The most entries of an answer: as many of the longest as fit into a line of the control socket.
const PAGE: usize = 256;

/// List what was refused and is kept, try again, or drop it
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mediafs refused                        what is kept, oldest first
  mediafs refused --json | jq .path
  mediafs refused --retry 1k3x9a7c0q2    attach it where it was going, by the rules of today
  mediafs refused --drop 1k3x9a7c0q2     nobody wants it back")]
pub struct Refused {
    /// One JSON object a line
    #[arg(long)]
    json: bool,

    /// Try again where the file was going
    #[arg(long, value_name = "ID", conflicts_with = "drop")]
    retry: Option<String>,

    /// Delete the file
    #[arg(long, value_name = "ID", conflicts_with = "json")]
    drop: Option<String>,
}

impl Refused {
    pub fn run(&self, config: &Config) -> Result<(), Error> {
        let (id, request, done) = match (&self.retry, &self.drop) {
            (Some(id), _) => (id, Request::Retry { id: id.clone() }, "attached"),
            (None, Some(id)) => (id, Request::Drop { id: id.clone() }, "dropped"),
            (None, None) => return self.list(config),
        };
        parse(id)?;
        ask(config, &request)?;
        say(format_args!("{id}: {done}"))
    }

    fn list(&self, config: &Config) -> Result<(), Error> {
        let (mut after, mut is_empty) = (None, true);
        loop {
            let page = ask(config, &Request::Refused { after: after.take() })?;
            for entry in page["refused"].as_array().into_iter().flatten() {
                after = entry["id"].as_str().map(str::to_owned);
                is_empty = false;
                if self.json { say(entry)? } else { say(describe(entry))? }
            }
            if after.is_none() {
                if is_empty {
                    warn("nothing that was refused is kept");
                }
                return Ok(());
            }
        }
    }
}

fn ask(config: &Config, request: &Request) -> Result<Value, Error> {
    let tree = |library: Library| Tree::new(library.into(), Processes::Simulated);
    command::ask(config, request, |library| answer(&tree(library), request))
}

/// Answers the requests of this command. Errors: [`Error::ControlAnswer`] for any other request.
pub fn answer(tree: &Tree, request: &Request) -> Result<Value, Error> {
    let quarantine = &tree.library.quarantine;
    match request {
        Request::Refused { after } => {
            let after = after.as_deref().map(parse).transpose()?;
            let entries = quarantine.list().into_iter();
            let rest = entries.filter(|(id, _)| after.is_none_or(|after| *id > after));
            let page: Vec<_> = rest.take(PAGE).map(|(_, kept)| entry(&kept)).collect();
            Ok(json!({ "refused": page }))
        }
        Request::Retry { id } => {
            let kept = find(tree, id)?;
            match tree.retry_refused(parse(id)?) {
                Err(crate::tree::Error::NotFound) => Err(Error::Refused(format!(
                    "{}: there is no such field any more; move the file onto one",
                    kept.path
                ))),
                Err(error) => Err(error.into()),
                Ok(()) => Ok(json!({ "retried": id })),
            }
        }
        Request::Drop { id } => {
            find(tree, id)?;
            let path = tree.library.home.quarantine();
            let failed = |source| Error::File { action: "empty", path, source };
            quarantine.remove(parse(id)?).map_err(failed)?;
            Ok(json!({ "dropped": id }))
        }
        _ => Err(Error::ControlAnswer),
    }
}

fn find(tree: &Tree, id: &str) -> Result<Kept, Error> {
    let nothing = || Error::Refused(format!("{id}: the quarantine has no such entry"));
    tree.library.quarantine.find(parse(id)?).ok_or_else(nothing)
}

fn parse(id: &str) -> Result<RefusalId, Error> {
    RefusalId::parse(id).ok_or_else(|| Error::Usage(format!("{id}: an id has eleven characters")))
}

fn entry(kept: &Kept) -> Value {
    json!({
        "id": kept.id,
        "time": kept.time.as_rfc3339(),
        "path": kept.path,
        "name": kept.name,
        "uid": kept.uid,
        "rule": kept.rule,
        "message": kept.message,
        "hint": kept.hint,
        "bytes": kept.length,
    })
}

/// `1k3x9a7c0q2  2026-11-24T04:00:00Z  uid 1000  12 KiB  user/42/avatar: image is 40x40; ...`
fn describe(entry: &Value) -> String {
    let text = |key: &str| entry[key].as_str().unwrap_or("?");
    let bytes = ByteCount(entry["bytes"].as_u64().unwrap_or(0));
    let uid = &entry["uid"];
    let (id, time, message) = (text("id"), text("time"), text("message"));
    format!("{id}  {time}  uid {uid}  {bytes}  {message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_line_that_says_what_whose_and_why() {
        let line = describe(&json!({
            "id": "1k3x9a7c0q2", "time": "2026-11-24T04:00:00Z", "uid": 7, "bytes": 2048,
            "message": "user/42/avatar: image is 40x40; avatar takes at least 64x64 (min_width)",
        }));
        assert_eq!(
            line,
            "1k3x9a7c0q2  2026-11-24T04:00:00Z  uid 7  2 KiB  \
             user/42/avatar: image is 40x40; avatar takes at least 64x64 (min_width)"
        );
    }
}
