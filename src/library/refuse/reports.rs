//! Sidecars: the report of a refusal as `<name>.REFUSED.txt` beside the refused name, for whoever sees nothing but the
//! collection (a scanner, an FTP user).
//! Does not judge. A report is scratch that everybody may read, nobody may write, and no quarantine wants.

use std::io::Write;
use std::time::Duration;

use crate::library::Library;
use crate::library::error::Error;
use crate::library::lookup::target::Target;
use crate::library::refuse::journal::Line;
use crate::library::scratch::remove_file;
use crate::library::scratch::report_name::{is_report, report_name};
use words::access::Fixed;
use words::attachment::Access;
use words::author::Author;
use words::place::{Folder, Place};
use words::schema::{Collection, Report};
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

/// Reports that lie in a collection at a time: the oldest give way.
pub const MAX_REPORTS: usize = 100;
pub(crate) const MODE: u32 = 0o644;

/// Where the reports of an item lie, if its field has any. A name that leaves no room for the suffix is cut short.
fn of(target: &Target) -> Option<(Folder, Name)> {
    let Target { place, field, .. } = target;
    if field.report != Report::Sidecar || field.collection == Collection::One {
        return None;
    }
    let Place { item: Some(item), .. } = place else { return None };
    Some((place.folder(), report_name(item)?))
}

impl Library {
    /// Lays the report of a refusal beside the refused name, where the field says so. It is one way of telling among others:
    /// failing to is logged, never fatal.
    pub(crate) fn report(&self, target: &Target, author: Author, line: &Line) {
        let Some((folder, name)) = of(target) else { return };
        let fixed = Fixed { mode: Some(MODE), ..self.lookup.fixed(target) };
        let uid = fixed.uid.unwrap_or(author.uid);
        let access = fixed.of(Access { uid, gid: uid, mode: MODE });
        if let Err(error) = self.write_report(&folder, &name, access, &line.text()) {
            tracing::warn!(slot = %target.slot, error = &error as &dyn std::error::Error, "a refusal is not told beside the file");
        }
    }

    /// The name took a file: what it was refused before no longer matters.
    pub(crate) fn withdraw_report(&self, target: &Target) {
        let Some((folder, name)) = of(target) else { return };
        if let Err(error) = self.remove_report(&folder, &name) {
            tracing::warn!(slot = %target.slot, error = &error as &dyn std::error::Error, "the report of an old refusal stays");
        }
    }

    pub(crate) fn write_report(
        &self,
        folder: &Folder,
        name: &Name,
        access: Access,
        text: &str,
    ) -> Result<(), Error> {
        self.remove_report(folder, name)?;
        let (record, mut file) = self.new_scratch(folder, name, access)?;
        let written = file.write_all(text.as_bytes()).map_err(Error::io("write a report"));
        if let Err(error) = written.and_then(|()| self.sync(&file)) {
            self.remove_scratch(record.id)?;
            return Err(error);
        }
        let reports = self.catalog.scratches(folder)?.into_iter().filter(is_report);
        let reports: Vec<_> = reports.collect();
        for old in reports.iter().take(reports.len().saturating_sub(MAX_REPORTS)) {
            self.remove_scratch(old.id)?;
        }
        Ok(())
    }

    pub(crate) fn remove_report(&self, folder: &Folder, name: &Name) -> Result<(), Error> {
        match self.catalog.scratch(folder, name)? {
            Some(old) => self.remove_scratch(old.id),
            None => Ok(()),
        }
    }

    /// Removes reports whose bytes the quarantine would have dropped by now, and those of fields that have none any more.
    pub(crate) fn expire_report(&self, record: &ScratchRecord) -> Result<(), Error> {
        let age: Duration = Timestamp::now().since(record.created);
        if age <= self.quarantine.bounds().age && self.reports_to(&record.folder)? {
            return Ok(());
        }
        self.catalog.remove_scratch(record.id, Timestamp::now())?;
        remove_file(&self.scratch_path(record));
        Ok(())
    }

    fn reports_to(&self, folder: &Folder) -> Result<bool, Error> {
        let Some(row) = self.lookup.row_by_id(folder.row)? else { return Ok(false) };
        let field = folder.field.as_ref().map_or("", Name::as_str);
        let field = self.lookup.table(row.table).and_then(|table| table.field(field));
        Ok(field.is_some_and(|field| field.report == Report::Sidecar))
    }
}
