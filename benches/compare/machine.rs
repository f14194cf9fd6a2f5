//! The machine that the figures are from, as /proc and the tools tell it.
//! Does not measure.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use words::timestamp::Timestamp;

use crate::command::said;
use crate::failure::{Outcome, While};
use crate::figure::float;

/// Above this part of the processors the machine was not quiet: somebody else had it.
const QUIET: f64 = 0.1;
/// How long others are watched before a row.
const WATCH: Duration = Duration::from_millis(300);

/// What a reader must know to compare the table with another.
pub struct Machine {
    pub date: String,
    pub kernel: String,
    pub processor: String,
    pub cores: usize,
    pub backing: String,
    /// The mean of the last minute, before the first row was measured.
    pub load: f64,
    /// The most that others had of the processors when a row began, from 0 to 1.
    pub busy: f64,
}

impl Machine {
    pub fn look(backing: &Path) -> Outcome<Self> {
        let date = Timestamp::now().as_rfc3339();
        let mount = said("findmnt", &["-nro", "FSTYPE,OPTIONS", "-T", &backing.to_string_lossy()]);
        Ok(Self {
            date: date.split('T').next().unwrap_or_default().to_owned(),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            processor: processor().unwrap_or_else(|| "unknown".into()),
            cores: thread::available_parallelism()?.get(),
            backing: mount.unwrap_or_else(|| "unknown".into()),
            load: load()?,
            busy: 0.0,
        })
    }

    /// Looks at what others do now; to be called while nothing is measured.
    pub fn watch(&mut self) -> Outcome<()> {
        let (busy, all) = ticks()?;
        thread::sleep(WATCH);
        let (busier, more) = ticks()?;
        let part = float(busier - busy) / float((more - all).max(1));
        self.busy = self.busy.max(part);
        Ok(())
    }

    pub fn is_quiet(&self) -> bool {
        self.busy <= QUIET
    }
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// What all processors have done, and all that they could have (man 5 proc: `/proc/stat`).
fn ticks() -> Outcome<(u64, u64)> {
    let text = fs::read_to_string("/proc/stat").during("watch the processors")?;
    let line = text.lines().next().unwrap_or_default();
    let ticks = line.split_whitespace().skip(1).take(8).map(str::parse);
    let ticks = ticks.collect::<Result<Vec<u64>, _>>()?;
    let all = ticks.iter().sum();
    // Idle, and idle while a disk works.
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    Ok((all - idle, all))
}

fn load() -> Outcome<f64> {
    let text = fs::read_to_string("/proc/loadavg").during("read the load")?;
    Ok(text.split_whitespace().next().unwrap_or_default().parse()?)
}

/// Has the kernel forget the dentries and inodes that nothing holds. Whether it may be asked: only root may.
pub fn forget_names() -> bool {
    forget("2")
}

/// The same of the pages of files: they are read from the disk again.
pub fn forget_pages() -> bool {
    forget("1")
}

/// See `drop_caches` in the kernel's `vm.rst`.
fn forget(what: &str) -> bool {
    // What is dirty cannot be forgotten.
    rustix::fs::sync();
    fs::write("/proc/sys/vm/drop_caches", what).is_ok()
}
