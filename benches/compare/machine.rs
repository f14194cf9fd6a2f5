//! The machine that the figures are from, as /proc and the tools tell it.
//! Does not measure.

use std::fs;
use std::path::Path;
use std::thread;

use mediafs::timestamp::Timestamp;

use crate::command::said;
use crate::failure::{Outcome, While};

/// Above this load the machine was not quiet: somebody else had a good part of a processor.
const QUIET: f64 = 0.5;

/// What a reader must know to compare the table with another.
pub struct Machine {
    pub date: String,
    pub kernel: String,
    pub processor: String,
    pub cores: usize,
    pub backing: String,
    /// The mean of the last minute, before the first row was measured.
    pub load: f64,
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
        })
    }

    pub fn is_quiet(&self) -> bool {
        self.load <= QUIET
    }
}

fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn load() -> Outcome<f64> {
    let text = fs::read_to_string("/proc/loadavg").during("read the load")?;
    Ok(text.split_whitespace().next().unwrap_or_default().parse()?)
}

/// Has the kernel forget the dentries and inodes that nothing holds. Whether it may be asked: only root may.
pub fn forget_names() -> bool {
    // What is dirty cannot be forgotten.
    rustix::fs::sync();
    fs::write("/proc/sys/vm/drop_caches", "2").is_ok()
}
