//! Processor time and memory of a process and its descendants, from /proc.

use std::collections::BTreeMap;
use std::fs;

use crate::failure::{Failure, Outcome, While};
use crate::figure::float;

/// `USER_HZ`: 100 on every architecture that Linux runs mediafs on (proc(5)).
const TICKS: f64 = 100.0;

/// Fields of /proc/PID/stat.
struct Stat {
    parent: u32,
    /// User and system time, with that of children that have ended and were waited for.
    ticks: u64,
}

/// Seconds of user and system time of a process, its descendants, and those that have ended.
pub fn cpu(root: u32) -> Outcome<f64> {
    let processes = processes()?;
    let family = family(root, &processes);
    let ticks = family.iter().filter_map(|pid| processes.get(pid)).map(|stat| stat.ticks).sum();
    Ok(float(ticks) / TICKS)
}

/// Bytes of memory of a process and its descendants, with shared pages counted once (PSS).
pub fn memory(root: u32) -> Outcome<f64> {
    let pages = family(root, &processes()?);
    Ok(float(pages.into_iter().filter_map(proportional).sum()))
}

/// The PSS of a process in bytes; `None` if it has just ended.
fn proportional(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

fn family(root: u32, processes: &BTreeMap<u32, Stat>) -> Vec<u32> {
    let mut found = vec![root];
    let mut at = 0;
    while let Some(parent) = found.get(at).copied() {
        found.extend(
            processes.iter().filter(|(_, stat)| stat.parent == parent).map(|(pid, _)| *pid),
        );
        at += 1;
    }
    found
}

fn processes() -> Outcome<BTreeMap<u32, Stat>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir("/proc").during("list the processes")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may have ended since it was listed.
        if let Ok(text) = fs::read_to_string(format!("/proc/{pid}/stat")) {
            found.insert(pid, stat(&text).ok_or_else(|| Failure::new("/proc/PID/stat is odd"))?);
        }
    }
    Ok(found)
}

/// The fields after the name, which may contain anything. Field N of proc(5) is at N - 3.
fn stat(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
    Some(Stat { parent: fields.get(1)?.parse().ok()?, ticks })
}
