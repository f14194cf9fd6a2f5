//! The pipeline from the bytes that were sent to those that are stored. Only a file that meets its field's rules reaches a
//! store, and every image is decoded in a worker process.
//!
//! [`candidate::Candidate`] (identified) -> [`Admitted`] (rules) -> [`Refined`] (normalised): each step consumes the last.
//!
//! | limit | value | past it |
//! |---|---|---|
//! | bytes read to identify | [`identify::IDENTIFY_MAX`] | the rest changes nothing |
//! | bytes judged while they arrive | [`policy::PREFIX_MAX`] | what is open is judged at close |
//! | parts of a header | 4,096 segments, blocks or entries, 65,536 chunks of a PNG | the header counts as corrupt, or its orientation as upright |
//! | pixels, frames, scans, metadata | [`job::Limits`] | a bomb |
//! | workers, queue, time, memory | [`worker`] has the table | |

pub mod candidate;
mod error;
pub mod exif;
mod format;
pub mod identify;
pub mod image_header;
pub mod job;
#[cfg(test)]
mod laws;
mod planes;
pub mod policy;
mod raster;
mod refine;
pub mod running_digest;
mod step;
mod transcode;
mod violation;
pub mod worker;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;

use rustix::fs::{OFlags, fcntl_getfl};

use crate::candidate::{Admitted, Refined};
use crate::identify::beginning;
use crate::image_header::Header;
use crate::job::{Job, Limits, Outcome};
use crate::worker::process_pool::{self, Pool, PoolStatus, Settings};
use words::attachment::Content;
use words::dimensions::Dimensions;
use words::media_type::Format;
use words::rule::{Kind, Rules};
use words::variant::Variant;

pub use error::Error;

/// The pipeline with its pool of workers. Shared by threads.
pub struct Pipeline {
    pool: Pool,
}

impl Pipeline {
    /// Starts the pool; its workers start when they are needed.
    pub fn start(settings: Settings) -> Result<Self, Error> {
        Pool::start(settings).map(|pool| Self { pool }).map_err(Error::NoWorker)
    }

    pub fn status(&self) -> PoolStatus {
        self.pool.status()
    }

    /// Starts a worker that waits for the first image. A failure is logged; the first image then tries again.
    pub fn warm(&self) {
        if let Err(error) = self.pool.warm() {
            tracing::warn!(%error, "no worker waits for the first image");
        }
    }

    /// Brings an admitted file into its normal form. Only an image in an image field is decoded: by a worker, which writes into
    /// a file from `staged` if the normal form differs from what was sent.
    pub fn refine(
        &self,
        admitted: Admitted,
        rules: &Rules,
        staged: impl FnOnce() -> io::Result<File>,
    ) -> Result<Refined, Error> {
        let format = admitted.content().media_type.format().filter(|_| rules.kind == Kind::Image);
        let Some(format) = format else { return Refined::untouched(admitted) };
        let limits = limits(rules.max_pixels);
        let job = Job::Refine { format, normal: rules.normal.clone(), limits };
        let output = staged().map_err(Error::Output)?;
        match self.work(&job, admitted.file(), &output)? {
            None => Refined::untouched(admitted),
            Some(content) => Refined::written(output, content),
        }
    }

    /// Renders a variant of a stored original into a file.
    pub fn render(
        &self,
        original: &File,
        format: Format,
        variant: Variant,
        quality: Option<u8>,
        into: File,
    ) -> Result<Refined, Error> {
        let length = original.metadata().map_err(Error::Input)?.len();
        let head = beginning(original, length).map_err(Error::Input)?;
        // The original passed the limit of its field, which may be above the default.
        let header = image_header::of_file(&head, original).map_err(Error::Input)?;
        let pixels = header.dimensions().map_or(0, Dimensions::pixels);
        let limits = limits(Some(pixels.max(Limits::default().max_pixels)));
        let job = Job::Render { format, variant, quality, limits };
        match self.work(&job, original, &into)? {
            Some(content) => Refined::written(into, content),
            None => Err(Error::Refused(violation::of_false_report())),
        }
    }

    /// Has a worker do a job. Returns what it wrote to the output, `None` if the input needs no change.
    fn work(&self, job: &Job, input: &File, output: &File) -> Result<Option<Content>, Error> {
        let input = read_only(input).map_err(Error::Input)?;
        let answer = self.pool.run(job, &input, output).map_err(|error| self.failed(error))?;
        let written = match &answer.outcome {
            Outcome::Untouched { .. } => Ok(None),
            Outcome::Fault(fault) => Err(violation::of_fault(fault)),
            Outcome::Written { format, length, .. } => {
                let Some(content) = measured(output, *format, *length)? else {
                    answer.reject();
                    return Err(Error::Refused(violation::of_false_report()));
                };
                Ok(Some(content))
            }
        };
        answer.accept();
        written
    }

    /// The error of a job without an answer: a refusal only if the image may have caused it.
    fn failed(&self, error: process_pool::Error) -> Error {
        match error {
            process_pool::Error::Busy => Error::Busy,
            process_pool::Error::NoWorker(error) => Error::NoWorker(error),
            process_pool::Error::Failed(failure) => {
                tracing::warn!(%failure, "an image brought its worker down");
                Error::Refused(violation::of_failure(&failure, &self.pool.settings))
            }
        }
    }
}

fn limits(max_pixels: Option<u64>) -> Limits {
    let default = Limits::default();
    let max_pixels = max_pixels.unwrap_or(default.max_pixels);
    Limits { max_pixels, max_total_pixels: default.max_total_pixels.max(max_pixels), ..default }
}

/// The content of an output. `None` if it differs from the report of the worker, which hostile bytes may have taken over.
fn measured(output: &File, reported: Format, length: u64) -> Result<Option<Content>, Error> {
    let written = output.metadata().map_err(Error::Output)?.len();
    let head = beginning(output, written).map_err(Error::Output)?;
    Ok(match image_header::of_file(&head, output).map_err(Error::Output)? {
        Header::Image { format, dimensions, .. } if format == reported && written == length => {
            let media_type = format.media_type();
            Some(Content { media_type, length, dimensions: Some(dimensions) })
        }
        _ => None,
    })
}

/// A descriptor of the same file for reading only: a worker must not be able to change the file that it judges.
fn read_only(file: &File) -> io::Result<File> {
    let access = fcntl_getfl(file)? & OFlags::RWMODE;
    if access == OFlags::RDONLY {
        return file.try_clone();
    }
    OpenOptions::new().read(true).open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::FileExt;

    use super::*;

    #[test]
    fn a_worker_cannot_write_to_the_file_that_it_judges() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"bytes").unwrap();
        let reopened = read_only(&file).unwrap();
        assert!(reopened.write_at(b"x", 0).is_err());
        assert!(read_only(&reopened).unwrap().write_at(b"x", 0).is_err());
        let digest = running_digest::of_file(&reopened, 5).unwrap();
        assert_eq!(digest, words::digest::Digest::of(b"bytes"));
    }
}
