//! The pipeline: raw bytes in, kept bytes out, and nothing in between that has not passed the rules.
//! Does not know slots, catalogues or the kernel. Every image byte is decoded in a worker process.
//!
//! `Candidate` (identified) -> `Admitted` (rules) -> `Refined` (normalised): each step consumes the last.
//!
//! | limit | value | past it |
//! |---|---|---|
//! | bytes read to identify | [`identify::IDENTIFY_MAX`] | the rest changes nothing |
//! | bytes judged while they arrive | [`policy::PREFIX_MAX`] | what is open is judged at close |
//! | parts of a header | 4,096 segments, chunks or entries | the header counts as corrupt, or its orientation as upright |
//! | pixels, frames, scans, metadata | [`job::Limits`] | a bomb |
//! | workers, queue, time, memory | [`worker`] has the table | |

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use rustix::fs::{OFlags, fcntl_getfl};

use crate::header::Header;
use crate::job::{Fault, Job, Limits, Outcome};
use crate::worker::{Pool, pool};
use words::attachment::Content;
use words::digest::Digest;
use words::dimensions::Dimensions;
use words::media_type::{Format, MediaType};
use words::refusal::Violation;
use words::rule::{Kind, Rules};
use words::variant::Variant;

mod animation;
mod av1;
mod container;
mod decode;
mod encode;
pub mod exif;
mod fault;
pub mod header;
pub mod identify;
pub mod job;
#[cfg(test)]
mod laws;
mod libwebp;
mod planes;
pub mod policy;
mod product;
mod raster;
mod refine;
mod render;
mod step;
mod still;
mod sum;
mod turned;
mod work;
pub mod worker;

pub use sum::Sum;
pub use worker::{PoolStatus, Settings};

/// The pipeline with its pool of workers. Shared by threads.
pub struct Pipeline {
    pool: Pool,
}

/// A whole file of which is known what it is.
#[derive(Debug)]
pub struct Candidate {
    file: File,
    length: u64,
    media_type: MediaType,
    header: Header,
    sum: Sum,
}

/// A candidate that meets the rules, as far as they can be judged without decoding it.
#[derive(Debug)]
pub struct Admitted {
    file: File,
    content: Content,
    sum: Sum,
}

/// What is to be stored: whole, judged, normalised and hashed.
#[derive(Debug)]
pub struct Refined {
    file: File,
    content: Content,
    digest: Digest,
    origin: Origin,
}

/// What was sent, as it was sent, to be kept beside what is stored.
#[derive(Debug)]
pub struct Sent {
    file: File,
    content: Content,
    digest: Digest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The very file that was sent.
    Sent,
    /// A file that a worker wrote.
    Made,
}

impl Candidate {
    /// Identifies a file of this length by its bytes; the extension may only refine text and archives.
    /// The file is read at offsets: its position does not matter and does not move.
    pub fn identify(file: File, length: u64, extension: Option<&str>) -> Result<Self, Error> {
        let head = beginning(&file, length).map_err(Error::Input)?;
        let found = identify::identify(&head);
        let header = header::of_file(&head, &file).map_err(Error::Input)?;
        let media_type = match extension {
            Some(extension) => identify::refine_by_extension(found, extension),
            None => found,
        };
        Ok(Self { file, length, media_type, header, sum: Sum::default() })
    }

    /// The same file, of which this was seen while it was written.
    pub fn seen(self, sum: Sum) -> Self {
        Self { sum, ..self }
    }

    pub fn media_type(&self) -> &MediaType {
        &self.media_type
    }

    /// As shown, where the file is an image with a header that says so.
    pub fn dimensions(&self) -> Option<Dimensions> {
        match self.header {
            Header::Image { dimensions, .. } => Some(dimensions),
            _ => None,
        }
    }

    /// Judges everything that can be judged without decoding. Errors: [`Error::Refused`].
    pub fn admit(self, rules: &Rules) -> Result<Admitted, Error> {
        let dimensions = self.dimensions();
        policy::judge_final(rules, self.length, &self.media_type, dimensions)?;
        if rules.kind == Kind::Image
            && let Header::Broken(flaw) = self.header
        {
            return Err(Error::Refused(fault::in_header(flaw)));
        }
        let content = Content { media_type: self.media_type, length: self.length, dimensions };
        Ok(Admitted { file: self.file, content, sum: self.sum })
    }
}

impl Admitted {
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// What was sent, hashed: for a field that keeps it. It passed the rules, but whether it is whole only refining tells.
    pub fn sent(&self) -> Result<Sent, Error> {
        let file = self.file.try_clone().map_err(Error::Input)?;
        let sum = self.sum.clone();
        let digest = sum.finish(&file, self.content.length).map_err(Error::Input)?;
        Ok(Sent { file, content: self.content.clone(), digest })
    }
}

impl Sent {
    /// Whole, readable from offset 0, and for reading only.
    pub fn file(&self) -> &File {
        &self.file
    }

    pub fn content(&self) -> &Content {
        &self.content
    }

    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl Refined {
    /// Whole, readable from offset 0, and for reading only.
    pub fn file(&self) -> &File {
        &self.file
    }

    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The digest of the bytes of [`Refined::file`].
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether these are the bytes that were sent, bit for bit.
    pub fn is_untouched(&self) -> bool {
        self.origin == Origin::Sent
    }
}

impl Pipeline {
    /// Starts the pool; its workers start when they are needed.
    pub fn start(settings: Settings) -> Result<Self, Error> {
        Pool::start(settings).map(|pool| Self { pool }).map_err(Error::NoWorker)
    }

    pub fn status(&self) -> PoolStatus {
        self.pool.status()
    }

    /// Has a worker wait for the first image. Where none can be started, the first image says so.
    pub fn warm(&self) {
        if let Err(error) = self.pool.warm() {
            tracing::warn!(%error, "no worker waits for the first image");
        }
    }

    /// Brings an admitted file into its normal form. Files are hashed and kept as they are; images are decoded to the
    /// end by a worker, which writes into what `staged` supplies if the normal form differs from what was sent.
    pub fn refine(
        &self,
        admitted: Admitted,
        rules: &Rules,
        staged: impl FnOnce() -> io::Result<File>,
    ) -> Result<Refined, Error> {
        let Admitted { file, content, sum } = admitted;
        let format = content.media_type.format().filter(|_| rules.kind == Kind::Image);
        let Some(format) = format else { return kept(file, content, sum) };
        let limits = limits(rules.max_pixels);
        let job = Job::Refine { format, normal: rules.normal.clone(), limits };
        let output = staged().map_err(Error::Output)?;
        match self.work(&job, &file, &output)? {
            Made::Nothing => kept(file, content, sum),
            Made::Image(content) => made(output, content),
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
        // What is stored passed its field's own limit, which may lie above the default.
        let pixels = match header::of_file(&head, original).map_err(Error::Input)? {
            Header::Image { dimensions, .. } => Some(dimensions.pixels()),
            _ => None,
        };
        let limits = limits(pixels.filter(|pixels| *pixels > Limits::default().max_pixels));
        let job = Job::Render { format, variant, quality, limits };
        match self.work(&job, original, &into)? {
            Made::Image(content) => made(into, content),
            Made::Nothing => Err(Error::Refused(fault::of_lie())),
        }
    }

    fn work(&self, job: &Job, input: &File, output: &File) -> Result<Made, Error> {
        let input = read_only(input).map_err(Error::Input)?;
        let answer = self.pool.run(job, &input, output).map_err(|error| self.blame(error))?;
        let made = match answer.outcome() {
            Outcome::Untouched { .. } => Ok(Made::Nothing),
            Outcome::Fault(fault) => Err(refused(fault)),
            Outcome::Written { format, length, .. } => {
                let Some(content) = measured(output, *format, *length)? else {
                    answer.disbelieve();
                    return Err(Error::Refused(fault::of_lie()));
                };
                Ok(Made::Image(content))
            }
        };
        answer.believe();
        made
    }

    /// Tells the pool's troubles, which are nobody's fault, from an image that brought its worker down.
    fn blame(&self, error: pool::Error) -> Error {
        match error {
            pool::Error::Busy => Error::Busy,
            pool::Error::NoWorker(error) => Error::NoWorker(error),
            pool::Error::Failed(failure) => {
                tracing::warn!(%failure, "an image brought its worker down");
                Error::Refused(fault::of_failure(&failure, self.pool.settings()))
            }
        }
    }
}

enum Made {
    /// The input is what it should be.
    Nothing,
    /// The output holds this.
    Image(Content),
}

fn limits(max_pixels: Option<u64>) -> Limits {
    let default = Limits::default();
    let max_pixels = max_pixels.unwrap_or(default.max_pixels);
    Limits { max_pixels, max_total_pixels: default.max_total_pixels.max(max_pixels), ..default }
}

fn beginning(file: &File, length: u64) -> io::Result<Vec<u8>> {
    let most = usize::try_from(length).unwrap_or(usize::MAX).min(identify::IDENTIFY_MAX);
    let mut head = vec![0; most];
    file.read_exact_at(&mut head, 0)?;
    Ok(head)
}

fn kept(file: File, content: Content, sum: Sum) -> Result<Refined, Error> {
    let digest = sum.finish(&file, content.length).map_err(Error::Input)?;
    Ok(Refined { file, content, digest, origin: Origin::Sent })
}

fn made(file: File, content: Content) -> Result<Refined, Error> {
    let digest = digest(&file, content.length).map_err(Error::Output)?;
    Ok(Refined { file, content, digest, origin: Origin::Made })
}

/// Hashes a file that must have exactly this length.
pub fn digest(file: &File, length: u64) -> io::Result<Digest> {
    Sum::default().finish(file, length)
}

/// A worker that hostile bytes took over could write anything: what is recorded is measured here, not told there.
/// Nothing where that is not what was told.
fn measured(output: &File, told: Format, length: u64) -> Result<Option<Content>, Error> {
    let written = output.metadata().map_err(Error::Output)?.len();
    let head = beginning(output, written).map_err(Error::Output)?;
    Ok(match header::of_file(&head, output).map_err(Error::Output)? {
        Header::Image { format, dimensions, .. } if format == told && written == length => {
            let media_type = format.media_type();
            Some(Content { media_type, length, dimensions: Some(dimensions) })
        }
        _ => None,
    })
}

fn refused(fault: &Fault) -> Error {
    match (fault::of_image(fault), fault) {
        (Some(violation), _) => Error::Refused(violation),
        (None, Fault::Output(number)) => Error::Output(io::Error::from_raw_os_error(*number)),
        (None, Fault::Input(number)) => Error::Input(io::Error::from_raw_os_error(*number)),
        (None, _) => Error::Refused(fault::of_lie()),
    }
}

/// A descriptor of the same file that cannot write to it: a worker must not change what it was given to judge.
fn read_only(file: &File) -> io::Result<File> {
    let access = fcntl_getfl(file)? & OFlags::RWMODE;
    if access == OFlags::RDONLY {
        return file.try_clone();
    }
    OpenOptions::new().read(true).open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file breaks a rule.
    #[error("{}", .0.fact)]
    Refused(Violation),
    #[error("the file that was sent cannot be read")]
    Input(#[source] io::Error),
    /// `ENOSPC` among them.
    #[error("the result cannot be written")]
    Output(#[source] io::Error),
    #[error("no worker can be started")]
    NoWorker(#[source] io::Error),
    #[error("too many images wait for a worker")]
    Busy,
}

impl From<Violation> for Error {
    fn from(violation: Violation) -> Self {
        Self::Refused(violation)
    }
}

#[cfg(test)]
mod tests;
