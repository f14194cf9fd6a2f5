//! The machine of the measurements, as /proc and its tools describe it.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use words::timestamp::Timestamp;

use crate::failure::{Outcome, While};
use crate::figure::float;
use crate::program::said;

/// The part of the processors that other programs may use on a quiet machine.
const QUIET: f64 = 0.1;
/// The time for which the processors are watched before a row.
const WATCH: Duration = Duration::from_millis(300);

/// The circumstances without which two tables cannot be compared.
pub struct Machine {
    pub date: String,
    pub kernel: String,
    pub processor: String,
    pub cores: usize,
    pub backing: String,
    /// The load average over one minute before the first row.
    pub load: f64,
    /// The most that other programs used of the processors when a row began, from 0 to 1.
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

    /// Measures the load by other programs. No row may be measured meanwhile.
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

/// The ticks of all processors in use, and all ticks (proc(5), `/proc/stat`).
fn ticks() -> Outcome<(u64, u64)> {
    let text = fs::read_to_string("/proc/stat").during("watch the processors")?;
    let line = text.lines().next().unwrap_or_default();
    let ticks = line.split_whitespace().skip(1).take(8).map(str::parse);
    let ticks = ticks.collect::<Result<Vec<u64>, _>>()?;
    let all = ticks.iter().sum();
    // Idle, and idle with disk I/O outstanding.
    let idle: u64 = ticks.iter().skip(3).take(2).sum();
    Ok((all - idle, all))
}

fn load() -> Outcome<f64> {
    let text = fs::read_to_string("/proc/loadavg").during("read the load")?;
    Ok(text.split_whitespace().next().unwrap_or_default().parse()?)
}

/// Drops the kernel's unused dentries and inodes. Returns false if the caller is not root.
pub fn forget_names() -> bool {
    forget("2")
}

/// Drops the kernel's unused file pages, so that the next read goes to the disk. Returns false if the caller is not root.
pub fn forget_pages() -> bool {
    forget("1")
}

/// Writes to `drop_caches` (the kernel's `vm.rst`).
fn forget(what: &str) -> bool {
    // Dirty pages cannot be dropped.
    rustix::fs::sync();
    fs::write("/proc/sys/vm/drop_caches", what).is_ok()
}
