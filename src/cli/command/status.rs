//! `mediafs status`: prints `/.mediafs/status.json` for people.

use std::fmt::Write;
use std::sync::Arc;

use clap::Args;
use serde_json::{Map, Value};

use crate::cli::assembly;
use crate::cli::control_socket::{self, Request};
use crate::cli::error::Error;
use crate::cli::print::{counted, say};
use crate::config::Config;
use crate::library::lookup::hidden::HiddenPlace;
use crate::tree::Tree;
use crate::tree::open::processes::Processes;
use words::byte_count::ByteCount;

/// Show what the library holds and what the daemon is at
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mediafs status
  mediafs status --json | jq .refusals

The same is in /.mediafs/status.json, and more of it, for Prometheus, in /.mediafs/metrics.")]
pub struct Status {
    /// Print the whole as JSON
    #[arg(long)]
    json: bool,
}

impl Status {
    pub fn run(&self, config: &Config) -> Result<(), Error> {
        let asked = control_socket::ask(&config.library.path, &Request::Status {})?;
        let serving = asked.is_some();
        let status = if let Some(status) = asked {
            status
        } else {
            let tree = Tree::new(Arc::new(assembly::open(config)?), Processes::Kernel);
            tree.library.hidden.count()?;
            tree.view.control.status.value()?
        };
        if self.json { say(format_args!("{status:#}")) } else { say(told(&status, serving)) }
    }
}

/// The status as text, a line for each subject.
fn told(status: &Value, serving: bool) -> String {
    let counted = |path: &str, noun: &str| counted(number(status, path), noun);
    let bytes = |path: &str| ByteCount(number(status, path));
    let said = |path: &str| status.pointer(path).and_then(Value::as_str);
    let mut text = String::new();
    let mut line = |subject: &str, what: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{subject:<12}{what}");
    };
    let since = said("/started").unwrap_or("?");
    line("daemon", if serving { format!("serving since {since}") } else { "none".into() });
    if let Some(because) = said("/fenced/because") {
        let since = said("/fenced/since").unwrap_or("?");
        line("fenced", format!("since {since}: nothing is stored any more ({because})"));
        line("", "look at the disk (dmesg, smartctl -a), then start the daemon again".into());
    }
    line(
        "library",
        format!(
            "{} in {}; {} of {}, {} among them",
            counted("/library/attachments", "file"),
            counted("/library/rows", "row"),
            counted("/library/blobs", "blob"),
            bytes("/library/bytes"),
            counted("/library/variants", "variant"),
        ),
    );
    line("trash", format!("{} of {}", counted("/trash/files", "file"), bytes("/trash/bytes")));
    let expiry = said("/scratch/next_expiry").and_then(|time| time.get(..16));
    let expiry = expiry
        .map_or_else(String::new, |time| format!(", first expires {} UTC", time.replace('T', " ")));
    let (files, size) = (counted("/scratch/files", "file"), bytes("/scratch/bytes"));
    line("scratch", format!("{files}, {size}{expiry}"));
    line("quarantine", counted("/quarantine", "file"));
    if number(status, "/awaiting_quarantine/files") > 0 {
        let waiting = counted("/awaiting_quarantine/files", "interrupted file");
        let size = bytes("/awaiting_quarantine/bytes");
        let why = "that the quarantine cannot take; the next start tries again";
        line("waiting", format!("{waiting} of {size} {why}"));
    }
    for place in status["hidden"].as_array().into_iter().flatten() {
        let place = serde_json::from_value::<HiddenPlace>(place.clone());
        line("hidden", place.map_or_else(|error| error.to_string(), |place| place.to_string()));
    }
    for (table, used) in members(status, "tables") {
        line("table", format!("{table}: {}", usage(used)));
    }
    for (store, used) in members(status, "stores") {
        line("store", format!("{store}: {}", room(used)));
    }
    if serving {
        let (handles, drafts) =
            (counted("/open/handles", "handle"), counted("/open/drafts", "draft"));
        line("open", format!("{handles}, {drafts}"));
        let workers = counted("/workers/live", "worker");
        let [busy, waiting] = ["/workers/busy", "/workers/waiting"].map(|it| number(status, it));
        line("images", format!("{workers}, {busy} busy, {waiting} awaited"));
        line("refused", refusals(&members(status, "refusals")));
    }
    text.trim_end().to_owned()
}

fn number(status: &Value, path: &str) -> u64 {
    status.pointer(path).and_then(Value::as_u64).unwrap_or(0)
}

fn members<'a>(status: &'a Value, key: &str) -> Vec<(&'a String, &'a Value)> {
    status.get(key).and_then(Value::as_object).map(Map::iter).into_iter().flatten().collect()
}

/// A table's usage and quota: `1 file of 9, 1 KiB of 1 MiB`.
fn usage(used: &Value) -> String {
    let quota = |path: &str| used.pointer(path).and_then(Value::as_u64);
    let files = quota("/quota/files").map_or_else(String::new, |it| format!(" of {it}"));
    let bytes =
        quota("/quota/bytes").map_or_else(String::new, |it| format!(" of {}", ByteCount(it)));
    let (has, size) = (counted(number(used, "/files"), "file"), ByteCount(number(used, "/bytes")));
    format!("{has}{files}, {size}{bytes}")
}

fn room(used: &Value) -> String {
    let bytes = ByteCount(number(used, "/bytes"));
    match used["free"].as_u64() {
        Some(free) => format!("{bytes}, {} free", ByteCount(free)),
        None => format!("{bytes}, closed"),
    }
}

fn refusals(by_rule: &[(&String, &Value)]) -> String {
    if by_rule.is_empty() {
        return "0 since the start".into();
    }
    let total: u64 = by_rule.iter().filter_map(|(_, count)| count.as_u64()).sum();
    let parts: Vec<_> = by_rule.iter().map(|(rule, count)| format!("{rule} {count}")).collect();
    format!("{total} since the start ({})", parts.join(", "))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_status_is_told_in_a_line_for_each_matter() {
        let status = json!({
            "started": "2026-11-25T09:00:00.000Z",
            "library": { "rows": 2, "attachments": 1, "blobs": 3, "variants": 2, "bytes": 2048 },
            "trash": { "files": 0, "bytes": 0 },
            "scratch": { "files": 12, "bytes": 35_651_584, "next_expiry": "2026-11-30T19:10:07.123Z" },
            "awaiting_quarantine": { "files": 1, "bytes": 1024 },
            "quarantine": 1,
            "hidden": [{ "table": "user", "field": "memo", "in_items": false, "files": 3, "why": "no_field" }],
            "tables": { "user": { "files": 1, "bytes": 1024, "quota": { "bytes": 1_048_576 } } },
            "stores": { "archive": { "bytes": 0, "free": null }, "default": { "bytes": 2048, "free": 4096 } },
            "open": { "handles": 4, "drafts": 1 },
            "workers": { "live": 2, "busy": 1, "waiting": 0 },
            "refusals": { "content_types": 2, "truncated": 1 },
        });
        let expected = "\
daemon      serving since 2026-11-25T09:00:00.000Z
library     1 file in 2 rows; 3 blobs of 2 KiB, 2 variants among them
trash       0 files of 0 B
scratch     12 files, 34 MiB, first expires 2026-11-30 19:10 UTC
quarantine  1 file
waiting     1 interrupted file of 1 KiB that the quarantine cannot take; the next start tries again
hidden      user.memo: 3 files, kept and not shown: the configuration has no such field; put it back, or move the files with `mediafs move-field user.memo user.FIELD`
table       user: 1 file, 1 KiB of 1 MiB
store       archive: 0 B, closed
store       default: 2 KiB, 4 KiB free
open        4 handles, 1 draft
images      2 workers, 1 busy, 0 awaited
refused     3 since the start (content_types 2, truncated 1)";
        assert_eq!(told(&status, true), expected);
        let fence = json!({ "since": "2026-11-25T09:30:00.000Z", "because": "it failed" });
        let fenced = told(&json!({ "fenced": fence }), true);
        let said =
            "fenced      since 2026-11-25T09:30:00.000Z: nothing is stored any more (it failed)";
        assert!(fenced.contains(said), "{fenced}");
        let alone = told(&status, false);
        assert!(alone.starts_with("daemon      none\n"), "{alone}");
        assert!(!alone.contains("refused"), "a daemon's own numbers are not told without one");
    }
}
