//! Raw bytes: what was sent, before it is judged.

use std::fs::File;

use crate::library::error::Error;
use pipeline::running_digest::RunningDigest;
use words::refusal::RefusalId;

/// Bytes as they were sent, which nobody can change any more.
#[derive(Debug)]
pub struct Raw {
    pub(super) file: File,
    pub(super) length: u64,
    /// What was computed of them while they were written.
    pub(super) sum: RunningDigest,
    /// Their path below the quarantine, if they are kept there already.
    pub(super) kept: Option<String>,
}

impl Raw {
    /// `sent` must be open for reading only.
    pub fn new(sent: &File) -> Result<Self, Error> {
        let file = sent.try_clone().map_err(Error::io("reopen what was sent"))?;
        let length = file.metadata().map_err(Error::io("stat what was sent"))?.len();
        Ok(Self { file, length, sum: RunningDigest::default(), kept: None })
    }

    /// Adds what was computed of the bytes while they were written.
    pub(in crate::library) fn seen(self, sum: RunningDigest) -> Self {
        Self { sum, ..self }
    }

    /// Bytes of the quarantine. If they are refused again, they are not kept twice.
    pub fn quarantined(sent: &File, id: RefusalId, name: &str) -> Result<Self, Error> {
        Ok(Self { kept: Some(format!("{id}/{name}")), ..Self::new(sent)? })
    }
}
