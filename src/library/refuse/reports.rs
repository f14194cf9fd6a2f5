//! Reports: the reason of a refusal as `<name>.REFUSED.txt` beside the refused name, for clients that see nothing but the
//! collection (a scanner, an FTP user).
//!
//! A report is scratch that everybody may read and nobody may write. No quota counts it, and it is never quarantined.

use std::error::Error as StdError;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::library::error::{Error, Result};
use crate::library::lookup::Lookup;
use crate::library::lookup::target::Target;
use crate::library::refuse::journal::Line;
use crate::library::scratch::Scratch;
use crate::library::scratch::report_name::{is_report, report_name};
use words::access::Fixed;
use words::attachment::Access;
use words::author::Author;
use words::place::Folder;
use words::schema::Report;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

/// The most reports in one collection. The oldest are removed first.
const MAX_REPORTS: usize = 100;
pub(in crate::library) const MODE: u32 = 0o644;

pub struct Reports {
    pub(in crate::library) lookup: Arc<Lookup>,
    pub(in crate::library) scratch: Arc<Scratch>,
    /// How long a report stays: as long as the quarantine keeps the bytes.
    pub(in crate::library) max_age: Duration,
}

impl Reports {
    /// Writes the report of a refusal beside the refused name, if the field wants one. A failure is only logged.
    pub(super) fn report(&self, target: &Target, author: Author, line: &Line) {
        let Some((folder, name)) = beside(target) else { return };
        let fixed = Fixed { mode: Some(MODE), ..self.lookup.fixed(target) };
        let uid = fixed.uid.unwrap_or(author.uid);
        let access = fixed.of(Access { uid, gid: uid, mode: MODE });
        if let Err(error) = self.write(&folder, &name, access, &line.text()) {
            tracing::warn!(slot = %target.slot, error = &error as &dyn StdError, "a refusal is not told beside the file");
        }
    }

    /// Removes the report of an earlier refusal.
    pub(super) fn withdraw(&self, target: &Target) {
        let Some((folder, name)) = beside(target) else { return };
        if let Err(error) = self.remove(&folder, &name) {
            tracing::warn!(slot = %target.slot, error = &error as &dyn StdError, "the report of an old refusal stays");
        }
    }

    /// Writes a report in place of the one of this name. Durable when it returns.
    pub(in crate::library) fn write(
        &self,
        folder: &Folder,
        name: &Name,
        access: Access,
        text: &str,
    ) -> Result<()> {
        self.remove(folder, name)?;
        let (record, mut file) = self.scratch.make_uncounted(folder, name, access)?;
        let written = file.write_all(text.as_bytes()).map_err(Error::io("write a report"));
        if let Err(error) = written.and_then(|()| self.scratch.sync(&file)) {
            self.scratch.remove(record.id)?;
            return Err(error);
        }
        let reports = self.scratch.list(folder)?.into_iter().filter(is_report);
        let reports: Vec<_> = reports.collect();
        for old in reports.iter().take(reports.len().saturating_sub(MAX_REPORTS)) {
            self.scratch.remove(old.id)?;
        }
        Ok(())
    }

    /// Removes a report, if there is one of this name.
    pub(in crate::library) fn remove(&self, folder: &Folder, name: &Name) -> Result<()> {
        let old = self.scratch.find(folder, name)?;
        old.map_or(Ok(()), |old| self.scratch.remove(old.id))
    }

    /// Removes a report that is too old, or whose field no longer wants reports.
    pub(in crate::library) fn expire(&self, record: &ScratchRecord) -> Result<()> {
        let age = Timestamp::now().since(record.created);
        if age <= self.max_age && self.wants_reports(&record.folder)? {
            return Ok(());
        }
        self.scratch.forget(record)?;
        self.scratch.remove_file(record);
        Ok(())
    }

    fn wants_reports(&self, folder: &Folder) -> Result<bool> {
        let Some(row) = self.lookup.row_by_id(folder.row)? else { return Ok(false) };
        let field = folder.field.as_ref().map_or("", Name::as_str);
        let field = self.lookup.table(row.table).and_then(|table| table.field(field));
        Ok(field.is_some_and(|field| field.report == Report::Sidecar))
    }
}

/// The folder and name of the report of an item, if its field wants reports.
fn beside(target: &Target) -> Option<(Folder, Name)> {
    let Target { place, field, .. } = target;
    let item = place.item.as_ref().filter(|_| field.report == Report::Sidecar)?;
    Some((place.folder(), report_name(item)?))
}
