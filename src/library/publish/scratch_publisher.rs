use crate::catalog::Published;
use crate::library::Library;
use crate::library::error::Error;
use crate::library::lookup::target::Target;
use crate::library::publish::{Metadata, Raw};
use crate::library::scratch::xattr;
use pipeline::policy;
use std::fs::File;
use words::author::Author;
use words::scratch::ScratchRecord;

/// What became of scratch that was renamed onto a field.
#[derive(Debug)]
pub enum Attached {
    Published(Box<Published>),
    /// It was refused, is in the quarantine, and whoever renamed it is told success.
    Quarantined,
}

impl Library {
    /// Judges scratch as it stands and attaches it (CONTRACT 2.8). On `Ok` the scratch is gone, and the file holds what was
    /// judged; on a refusal both names are as they were.
    pub fn attach_scratch(
        &self,
        record: &ScratchRecord,
        target: &Target,
        author: Author,
    ) -> Result<(Attached, File), Error> {
        let attached = match self.publish_scratch(record, target, author) {
            Ok((published, sent)) => (Attached::Published(Box::new(published)), sent),
            Err(Error::Refused(refusal)) if self.refusals.tells_success(target, &refusal) => {
                let kept = self.quarantine.open_bytes(refusal.id);
                (Attached::Quarantined, kept.map_err(Error::io("open what was kept"))?)
            }
            Err(error) => return Err(error),
        };
        // Published: a scratch record that stays behind is only clutter, and expires.
        if let Err(error) = self.scratch.remove(record.id) {
            tracing::warn!(name = %record.name, %error, "attached scratch stays behind");
        }
        Ok(attached)
    }

    /// `link` of scratch to a field: like [`Library::attach_scratch`], but the scratch stays.
    pub fn copy_scratch(
        &self,
        record: &ScratchRecord,
        target: &Target,
        author: Author,
    ) -> Result<Published, Error> {
        self.publish_scratch(record, target, author).map(|(published, _)| published)
    }

    /// A copy is judged and stored, never the file itself: whoever may write to scratch can open it at any moment, also
    /// while it is judged, and a descriptor that can write would reach into the blob.
    fn publish_scratch(
        &self,
        record: &ScratchRecord,
        target: &Target,
        author: Author,
    ) -> Result<(Published, File), Error> {
        let scratch = self.scratch.open(record)?;
        let stat = self.scratch.stat(record)?;
        // Before it is copied: scratch may be larger than any field takes.
        if let Err(violation) = policy::judge_size_so_far(&target.field.rules, stat.size) {
            return Err(self.refusals.refuse(target, author, violation, Some(&scratch)).into());
        }
        let attributes = xattr::all(&scratch);
        // Always a copy: the name stays writable while the file is judged, and after a refusal, when the same bytes lie in
        // the quarantine too. A stored blob must share its inode with neither.
        let sent = self.staging.snapshot(&scratch, stat.size)?;
        let metadata = Metadata::written(record.access, stat.times, attributes);
        let published = self.publish(Raw::new(&sent)?, target, author, &metadata)?;
        Ok((published, sent))
    }
}
