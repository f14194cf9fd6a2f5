//! The worker processes: their number, and the memory and time of each.

use std::time::Duration;

use crate::cli::error::Error;
use crate::fuse;
use pipeline::Pipeline;
use pipeline::worker::process_pool::Settings;

/// Address space of a worker in bytes: room for an image of 100 megapixels at 4 bytes, its result, and a copy to rotate it.
const MEMORY: u64 = 2 << 30;
const JOB_TIMEOUT: Duration = Duration::from_secs(60);
const JOBS_PER_WORKER: u32 = 1_000;

/// A pipeline whose workers run this program. There is one worker more than requests can render at a time, so that slow
/// thumbnails never make a `close` wait.
pub fn pipeline() -> Result<Pipeline, Error> {
    let settings = Settings {
        // Names this program even after an update has replaced its file.
        program: "/proc/self/exe".into(),
        workers: fuse::pool_threads() + 1,
        job_timeout: JOB_TIMEOUT,
        memory: MEMORY,
        jobs_per_worker: JOBS_PER_WORKER,
    };
    Ok(Pipeline::start(settings)?)
}
