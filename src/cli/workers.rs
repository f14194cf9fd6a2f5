//! The worker processes of this program: how it starts itself as one, how many there are, and what each may use.
//! Does not know what they do.

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::Error;
use crate::fuse;
use pipeline::worker::pool::Settings;
use pipeline::{Pipeline, worker};

/// Address space of a worker: an image of 100 megapixels at 4 bytes, its result, and room to turn it.
const MEMORY: u64 = 2 << 30;
const JOB_TIMEOUT: Duration = Duration::from_secs(60);
const JOBS_PER_WORKER: u32 = 1_000;

/// Work as a worker process; started by the daemon, not by people
#[derive(Debug, Args)]
pub struct Worker {
    /// Bytes of address space
    memory: u64,
}

impl Worker {
    pub fn run(&self) -> ExitCode {
        worker::serve::serve(self.memory)
    }
}

/// A pipeline whose workers are this very program: one more than requests can render at a time, so that slow thumbnails never
/// keep a `close` waiting.
pub fn pipeline() -> Result<Pipeline, Error> {
    let settings = Settings {
        // Still this program when an update has replaced the file that it was started from.
        program: "/proc/self/exe".into(),
        workers: fuse::pool_threads() + 1,
        job_timeout: JOB_TIMEOUT,
        memory: MEMORY,
        jobs_per_worker: JOBS_PER_WORKER,
    };
    Ok(Pipeline::start(settings)?)
}
