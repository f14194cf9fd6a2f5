//! Trying again with what the quarantine keeps: by `mv` onto a field, or where it was going (`mediafs refused --retry`).
//! Does not list the quarantine.

use crate::attachment::Times;
use crate::library::Target;
use crate::library::publish::{Metadata, Raw};
use crate::library::quarantine::Kept;
use crate::refusal::RefusalId;
use crate::slot::Name;
use crate::timestamp::Timestamp;
use crate::tree::attr::RenameMode;
use crate::tree::ops::files::failed;
use crate::tree::ops::rename::{Goal, outlives};
use crate::tree::{Caller, Error, Result, Tree};

impl Tree {
    /// `mv` out of the quarantine onto a field tries again.
    pub(super) fn retry(
        &self,
        who: Caller,
        id: RefusalId,
        target: &Target,
        mode: RenameMode,
    ) -> Result<()> {
        let before = self.way_in(&target.place, mode)?;
        let before = before.filter(|link| outlives(link, &target.written));
        let quarantine = self.library.quarantine();
        let entry = quarantine.find(id).ok_or(Error::NotFound)?;
        let kept = quarantine.open_bytes(id).map_err(failed)?;
        let length = kept.metadata().map_err(failed)?.len();
        // Expired scratch may still be open for writing.
        let sent = self.library.snapshot(&kept, length)?;
        let author = Self::author(who, &self.processes.owner(who.tid));
        let metadata = Metadata {
            access: self.library.file_access(who.uid, who.gid, &target.field),
            times: Times::all(Timestamp::now()),
            attributes: Vec::new(),
            source: None,
        };
        let raw = Raw::quarantined(&sent, id, &entry.name)?;
        let published = self.library.publish(raw, target, author, &metadata)?;
        self.published(&target.place, &published, before.as_ref());
        quarantine.remove(id).map_err(failed)
    }

    /// Tries again where an entry of the quarantine was going, for the user who sent it.
    /// Errors: [`Error::NotFound`] if there is no such entry, row or field any more; [`Error::Refused`] leaves the entry.
    pub fn retry_refused(&self, id: RefusalId) -> Result<()> {
        let kept = self.library.quarantine().find(id).ok_or(Error::NotFound)?;
        let target = self.target_of(&kept)?;
        let row = self.row(target.place.row)?;
        // Its group is not on record: that of the row is as near as one comes.
        let who = Caller { uid: kept.uid, gid: row.access.gid, tid: 0 };
        self.retry(who, id, &target, RenameMode::Replace)
    }

    /// Where an entry was going, if a field of that name is there still.
    fn target_of(&self, kept: &Kept) -> Result<Target> {
        let mut parts = kept.path.splitn(3, '/');
        let mut part = || parts.next().ok_or(Error::NotFound);
        let table = self.library.table_named(part()?).ok_or(Error::NotFound)?;
        let id = Name::parse(part()?).map_err(|_| Error::NotFound)?;
        let row = self.library.row(table.id, &id)?.ok_or(Error::NotFound)?;
        let field = part()?;
        let written = Name::parse(&kept.name).map_err(|_| Error::NotFound)?;
        match self.goal(table.id, row.id, &Name::parse(field).map_err(|_| Error::NotFound)?)? {
            Goal::Field(place, field) => self.target(&place, &field, &written),
            Goal::Scratch(_) | Goal::Json(_) => Err(Error::NotFound),
        }
    }
}
