//! The errors of the pipeline: why it returns no result.

use std::io;

use words::refusal::Violation;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{}", .0.fact)]
    Refused(Violation),
    #[error("the file that was sent cannot be read")]
    Input(#[source] io::Error),
    /// `ENOSPC` among others.
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
