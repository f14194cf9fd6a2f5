//! One worker process: started, asked, killed, and never left behind.
//! Does not know how many there are, nor what is asked.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use serde::de::DeserializeOwned;

use crate::job::{Job, Outcome};
use crate::worker::protocol::{self, Ready, Request};

/// How long a new worker may take until it is ready.
pub const START_TIMEOUT: Duration = Duration::from_secs(20);

/// What the C library's allocator is told (`glibc.malloc` in the GNU C Library's manual; other libraries have no such
/// words): large pages for large buffers, because a picture of 24 megapixels is 18,000 small ones, each of which costs a
/// fault; and buffers from this size on are given back when they are freed, whatever was freed before.
const TUNABLES: &str = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=8388608";

/// A live worker. Dropping it kills it and waits for its end.
pub struct Worker {
    child: Child,
    socket: OwnedFd,
    jobs: u32,
}

/// Why a worker is of no more use.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("the worker did not answer in time")]
    TimedOut,
    #[error("the worker ended ({0})")]
    Died(ExitStatus),
    #[error("the worker answered nonsense")]
    Garbage(#[source] protocol::Error),
    /// The kernel's fault or the daemon's: out of descriptors or of memory for messages.
    #[error("the connection to the worker failed")]
    Connection(#[source] io::Error),
}

impl Worker {
    /// Starts `program worker <memory>`, to be greeted. Its death signal is tied to the calling thread, which must live
    /// as long as the worker may.
    pub fn spawn(program: &Path, memory: u64) -> io::Result<Self> {
        let (socket, theirs) = protocol::connection()?;
        let mut command = Command::new(program);
        command.arg("worker").arg(memory.to_string());
        command
            .env_clear()
            .env("GLIBC_TUNABLES", TUNABLES)
            .current_dir("/")
            .stdin(theirs)
            .stdout(Stdio::null());
        // Ctrl-C goes to the whole group of a terminal: the image that a worker has then must still be judged.
        command.process_group(0);
        let child = command.spawn()?;
        // The command keeps the worker's end open: with it alive the worker's death would not close the connection.
        drop(command);
        Ok(Self { child, socket, jobs: 0 })
    }

    /// Waits until a new worker is ready. Until then a failure is nobody's file's fault.
    pub fn greet(&mut self) -> Result<(), Failure> {
        let ready: Ready = self.answer(START_TIMEOUT)?;
        if ready.version == protocol::VERSION {
            return Ok(());
        }
        Err(Failure::Garbage(protocol::Error::Version(ready.version)))
    }

    /// Has one job done. After a [`Failure`] the worker is to be dropped.
    pub fn work(
        &mut self,
        job: &Job,
        input: &File,
        output: &File,
        timeout: Duration,
    ) -> Result<Outcome, Failure> {
        self.jobs += 1;
        // The clock on the wall rules; this one ends a worker whose daemon is no longer there to look at it.
        let cpu_secs = timeout.as_secs() + 1;
        let request = Request { job: job.clone(), cpu_secs };
        let sent = protocol::send(&self.socket, &request, &[input.as_fd(), output.as_fd()]);
        sent.map_err(|error| self.failure(error))?;
        self.answer(timeout)
    }

    /// Whether it can be given a job: alive, and with nothing to say that nobody asked for.
    pub fn is_idle(&self) -> bool {
        matches!(wait(&self.socket, Duration::ZERO), Ok(Heard::Nothing))
    }

    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// How many jobs it was given.
    pub fn jobs(&self) -> u32 {
        self.jobs
    }

    fn answer<T: DeserializeOwned>(&mut self, timeout: Duration) -> Result<T, Failure> {
        match wait(&self.socket, timeout) {
            Ok(Heard::Something) => {}
            Ok(Heard::Nothing) => return Err(Failure::TimedOut),
            Err(error) => return Err(self.failure(error.into())),
        }
        let (message, descriptors) =
            protocol::receive(&self.socket).map_err(|error| self.failure(error))?;
        // A worker has no descriptors to give.
        drop(descriptors);
        Ok(message)
    }

    fn failure(&mut self, error: protocol::Error) -> Failure {
        let gone = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
        };
        let error = match error {
            protocol::Error::Closed => protocol::Error::Closed,
            protocol::Error::Io(error) if gone(&error) => protocol::Error::Closed,
            protocol::Error::Io(error) => return Failure::Connection(error),
            nonsense => return Failure::Garbage(nonsense),
        };
        // A worker that closes its socket and lives on is killed here: otherwise the wait could last for ever. One that
        // is dying keeps its own status, because the kernel closes the socket before the process is a zombie.
        match self.ended(Duration::from_secs(1)) {
            Some(status) => Failure::Died(status),
            None => Failure::Garbage(error),
        }
    }

    /// Waits for the end of the process, but not for long; nothing where it does not end.
    pub(super) fn ended(&mut self, patience: Duration) -> Option<ExitStatus> {
        let pidfd = pidfd_open(self.pid(), PidfdFlags::empty()).ok()?;
        wait(&pidfd, patience).ok()?;
        self.child.try_wait().ok()?
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Both fail only where the process has ended and was waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

enum Heard {
    Nothing,
    Something,
}

/// Waits until a descriptor is readable or closed at the other end.
fn wait(descriptor: impl AsFd, timeout: Duration) -> io::Result<Heard> {
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
        let mut asked = [PollFd::new(&descriptor, PollFlags::IN)];
        match poll(&mut asked, Some(&left)) {
            Ok(0) => return Ok(Heard::Nothing),
            Ok(_) => return Ok(Heard::Something),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// What the end of a worker says of the image that it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Death {
    /// Out of memory: killed by the kernel, or an allocation that could not be met.
    Memory,
    /// More CPU time than allowed.
    Time,
    /// More bytes written than allowed.
    Output,
    /// A crash of the decoder.
    Crash,
}

impl Death {
    pub fn of(status: ExitStatus) -> Self {
        let is = |signal: Signal| status.signal() == Some(signal.as_raw());
        match () {
            () if is(Signal::KILL) || is(Signal::ABORT) => Self::Memory,
            () if is(Signal::XCPU) => Self::Time,
            () if is(Signal::XFSZ) => Self::Output,
            () => Self::Crash,
        }
    }
}
