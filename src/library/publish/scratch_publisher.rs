//! Publishing scratch: a scratch file that is renamed or linked onto a field becomes an attachment (CONTRACT 2.8).

use std::fs::File;
use std::sync::Arc;

use crate::library::error::{Error, Result};
use crate::library::home::staging::Staging;
use crate::library::lookup::target::Target;
use crate::library::publish::metadata::Metadata;
use crate::library::publish::{Published, Publisher, Raw};
use crate::library::refuse::Refusals;
use crate::library::scratch::{Scratch, xattr};
use pipeline::policy;
use words::author::Author;
use words::scratch::ScratchRecord;

pub struct ScratchPublisher {
    pub(in crate::library) staging: Arc<Staging>,
    pub(in crate::library) scratch: Arc<Scratch>,
    pub(in crate::library) refusals: Arc<Refusals>,
    pub(in crate::library) publisher: Arc<Publisher>,
}

/// The outcome for scratch that was renamed onto a field.
#[derive(Debug)]
pub enum Attached {
    Published(Box<Published>),
    /// The file was refused and is in the quarantine, and the client is told success.
    Quarantined,
}

impl ScratchPublisher {
    /// Judges scratch as it is now and attaches it, for a `rename`. On `Ok` the scratch is gone, and the returned file holds the
    /// bytes that were judged. On a refusal both names stay as they were.
    pub fn attach(
        &self,
        record: &ScratchRecord,
        target: &Target,
        author: Author,
    ) -> Result<(Attached, File)> {
        let attached = match self.publish(record, target, author) {
            Ok((published, sent)) => (Attached::Published(Box::new(published)), sent),
            Err(Error::Refused(refusal)) if self.refusals.tells_success(target, &refusal) => {
                let kept = self.refusals.quarantine.open_bytes(refusal.id);
                (Attached::Quarantined, kept.map_err(Error::io("open what was kept"))?)
            }
            Err(error) => return Err(error),
        };
        // The file is published. A record that stays behind only takes space until it expires.
        if let Err(error) = self.scratch.remove(record.id) {
            tracing::warn!(name = %record.name, %error, "attached scratch stays behind");
        }
        Ok(attached)
    }

    /// Attaches scratch like [`ScratchPublisher::attach`], for a `link`: the scratch stays.
    pub fn copy(
        &self,
        record: &ScratchRecord,
        target: &Target,
        author: Author,
    ) -> Result<Published> {
        self.publish(record, target, author).map(|(published, _)| published)
    }

    /// Judges and stores a copy, never the file itself: a program that has the file open could write into the blob.
    fn publish(
        &self,
        record: &ScratchRecord,
        target: &Target,
        author: Author,
    ) -> Result<(Published, File)> {
        let scratch = self.scratch.open(record)?;
        let stat = self.scratch.stat(record)?;
        // Before the copy: scratch may be larger than any field takes.
        if let Err(violation) = policy::judge_size_so_far(&target.field.rules, stat.size) {
            return Err(self.refusals.refuse(target, author, violation, Some(&scratch)).into());
        }
        let attributes = xattr::all(&scratch);
        let sent = self.staging.snapshot(&scratch, stat.size)?;
        let metadata = Metadata::written(record.access, stat.times, attributes);
        let published = self.publisher.publish(Raw::new(&sent)?, target, author, &metadata)?;
        Ok((published, sent))
    }
}
