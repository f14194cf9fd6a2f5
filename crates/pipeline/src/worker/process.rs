//! One worker process: its start, its jobs, its end.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::de::DeserializeOwned;

use crate::job::{Job, Outcome};
use crate::worker::protocol::{self, Ready, Request};

/// How long a new worker may take to be ready.
pub const START_TIMEOUT: Duration = Duration::from_secs(20);

/// Settings of glibc's allocator. Large pages for large buffers: a picture of 24 megapixels is 18,000 small pages, each of
/// which costs a fault. A fixed threshold: larger buffers are returned to the kernel when they are freed.
const TUNABLES: &str = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=8388608";

/// A running worker. Dropping it kills the process and waits for its end.
pub struct Worker {
    child: Child,
    socket: OwnedFd,
    /// How many jobs it was given.
    pub(super) jobs: u32,
}

/// The failure of a worker, which cannot be used any more.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("the worker did not answer in time")]
    TimedOut,
    #[error("the worker ended ({0})")]
    Died(ExitStatus),
    #[error("the worker answered nonsense")]
    Garbage(#[source] protocol::Error),
    /// A failure of the kernel or the daemon: no more descriptors, or no memory for messages.
    #[error("the connection to the worker failed")]
    Connection(#[source] io::Error),
}

impl Worker {
    /// Starts `program worker <memory>`. The worker dies with the calling thread, which must live as long as the worker may.
    pub fn spawn(program: &Path, memory: u64) -> io::Result<Self> {
        let (socket, theirs) = protocol::connection()?;
        let mut command = Command::new(program);
        command
            .arg("worker")
            .arg(memory.to_string())
            .env_clear()
            .env("GLIBC_TUNABLES", TUNABLES)
            .current_dir("/")
            .stdin(theirs)
            .stdout(Stdio::null())
            // Ctrl-C is sent to the whole process group of a terminal, but the worker's image must still be judged.
            .process_group(0);
        let child = command.spawn()?;
        // The command holds the worker's end of the socket: while it lives, the worker's death does not close the connection.
        drop(command);
        Ok(Self { child, socket, jobs: 0 })
    }

    /// Waits until a new worker is ready. A failure until then is not the fault of an image.
    pub fn wait_until_ready(&mut self) -> Result<(), Failure> {
        let ready: Ready = self.answer(START_TIMEOUT)?;
        if ready.version == protocol::VERSION {
            return Ok(());
        }
        Err(Failure::Garbage(protocol::Error::Version(ready.version)))
    }

    /// Does one job. After a [`Failure`] the worker must be dropped.
    pub fn work(
        &mut self,
        job: &Job,
        input: &File,
        output: &File,
        timeout: Duration,
    ) -> Result<Outcome, Failure> {
        self.jobs += 1;
        // Wall time limits the job; CPU time ends a worker whose daemon has died and no longer watches the clock.
        let cpu_secs = timeout.as_secs() + 1;
        let request = Request { job: job.clone(), cpu_secs };
        let sent = protocol::send(&self.socket, &request, &[input.as_fd(), output.as_fd()]);
        sent.map_err(|error| self.failure(error))?;
        self.answer(timeout)
    }

    /// Whether the worker can be given a job: it is alive and has not sent anything unasked.
    pub fn is_idle(&self) -> bool {
        matches!(is_readable(&self.socket, Duration::ZERO), Ok(false))
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn answer<T: DeserializeOwned>(&mut self, timeout: Duration) -> Result<T, Failure> {
        let readable = is_readable(&self.socket, timeout);
        if !readable.map_err(|error| self.failure(error.into()))? {
            return Err(Failure::TimedOut);
        }
        let (message, descriptors) =
            protocol::receive(&self.socket).map_err(|error| self.failure(error))?;
        // An honest worker sends no descriptors.
        drop(descriptors);
        Ok(message)
    }

    fn failure(&mut self, error: protocol::Error) -> Failure {
        let gone = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
        };
        let error = match error {
            protocol::Error::Io(error) if !gone(&error) => return Failure::Connection(error),
            protocol::Error::Io(_) | protocol::Error::Closed => protocol::Error::Closed,
            nonsense => return Failure::Garbage(nonsense),
        };
        // The kernel closes the socket of a dying process a little before its status is there. A worker that closes its socket
        // and lives on has none, and is killed when it is dropped.
        match self.ended(Duration::from_secs(1)) {
            Some(status) => Failure::Died(status),
            None => Failure::Garbage(error),
        }
    }

    /// Waits for the end of the process, at most so long. `None` if it does not end.
    pub(super) fn ended(&mut self, patience: Duration) -> Option<ExitStatus> {
        let pidfd = pidfd_open(self.pid(), PidfdFlags::empty()).ok()?;
        is_readable(&pidfd, patience).ok()?;
        self.child.try_wait().ok()?
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail only if the process has ended and was waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a descriptor is readable, or was closed at the other end. Returns false if it is not in this time.
fn is_readable(descriptor: impl AsFd, timeout: Duration) -> io::Result<bool> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
        let mut asked = [PollFd::new(&descriptor, PollFlags::IN)];
        match poll(&mut asked, Some(&left)) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
