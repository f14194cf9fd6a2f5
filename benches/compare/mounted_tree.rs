//! Mounted trees: mediafs, its read-only second mount, and bindfs.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::failure::{Failure, Outcome, While};
use crate::program;
use crate::usage;

/// The mediafs program of the same build.
pub const MEDIAFS: &str = env!("CARGO_BIN_EXE_mediafs");

/// The time that a daemon has to end after SIGTERM.
const PATIENCE: Duration = Duration::from_secs(40);

/// A mounted library. Dropping this ends the daemon.
pub struct Daemon {
    process: Child,
    mountpoint: PathBuf,
    /// The time from the start of the daemon to its first answer.
    pub ready: Duration,
}

/// The kind of mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The daemon that owns the library.
    Writing,
    /// A second mount of the same library, for reading only.
    Reading,
}

impl Daemon {
    /// Mounts the library of `home`, which has a `mediafs.toml`, on a directory in it.
    pub fn start(home: &Path, side: Side) -> Outcome<Self> {
        let mountpoint = home.join(if side == Side::Writing { "mnt" } else { "mnt-ro" });
        clear(&mountpoint)?;
        let log = File::create(home.join("log"))?;
        let begun = Instant::now();
        let mut process = Command::new(MEDIAFS)
            .arg("--config")
            .arg(home.join("mediafs.toml"))
            .arg("mount")
            .args((side == Side::Reading).then_some("--read-only"))
            .arg(&mountpoint)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .during(MEDIAFS)?;
        let said = process.stdout.take().map(first_line).transpose()?.unwrap_or_default();
        let daemon = Self { process, mountpoint, ready: begun.elapsed() };
        if said.starts_with("mounted on ") {
            return Ok(daemon);
        }
        drop(daemon);
        Err(Failure::new(fs::read_to_string(home.join("log"))?.trim()))
    }

    /// The directory of the rows of a table.
    pub fn table(&self, table: &str) -> PathBuf {
        self.mountpoint.join("models").join(table)
    }

    pub fn path(&self, below: impl AsRef<Path>) -> PathBuf {
        self.mountpoint.join(below)
    }

    /// Seconds of processor time so far, with the workers'.
    pub fn cpu(&self) -> Outcome<f64> {
        usage::cpu(self.process.id())
    }

    /// Bytes of memory now, with the workers'.
    pub fn memory(&self) -> Outcome<f64> {
        usage::memory(self.process.id())
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        let told = pid.map(|pid| kill_process(pid, Signal::TERM));
        let deadline = Instant::now() + PATIENCE;
        while told.is_some_and(|told| told.is_ok()) && Instant::now() < deadline {
            if let Ok(Some(_)) = self.process.try_wait() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // Kills the daemon and unmounts in any case.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = clear(&self.mountpoint);
    }
}

/// bindfs over a directory, with its default options. Dropping this unmounts.
pub struct Bindfs {
    mountpoint: PathBuf,
}

impl Bindfs {
    pub fn start(source: &Path, mountpoint: &Path, threads: usize) -> Outcome<Self> {
        clear(mountpoint)?;
        let mut arguments = vec![source, mountpoint];
        if threads > 1 {
            arguments.insert(0, Path::new("--multithreaded"));
        }
        program::run("bindfs", &arguments)?;
        Ok(Self { mountpoint: mountpoint.to_owned() })
    }

    pub fn path(&self) -> &Path {
        &self.mountpoint
    }
}

impl Drop for Bindfs {
    fn drop(&mut self) {
        let _ = clear(&self.mountpoint);
    }
}

/// Makes a directory, and unmounts a mount that a killed run has left on it.
fn clear(mountpoint: &Path) -> Outcome<()> {
    let mounts = fs::read_to_string("/proc/self/mounts")?;
    // The path as the kernel writes it. A path that cannot be resolved is missing or a dead mount, and absolute.
    let place = fs::canonicalize(mountpoint).unwrap_or_else(|_| mountpoint.to_owned());
    let place = place.to_string_lossy();
    if mounts.lines().any(|line| line.split(' ').nth(1) == Some(&*place)) {
        program::run("fusermount3", &["-u", "-z", &*place])?;
    }
    Ok(fs::create_dir_all(mountpoint)?)
}

fn first_line(said: impl std::io::Read) -> Outcome<String> {
    let mut line = String::new();
    BufReader::new(said).read_line(&mut line)?;
    Ok(line)
}
