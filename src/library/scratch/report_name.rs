//! The names of reports: `<name>.REFUSED.txt`.

use words::schema::{Field, Report};
use words::scratch::ScratchRecord;
use words::slot::{NAME_MAX, Name};

const SUFFIX: &str = ".REFUSED.txt";

/// Whether a name in a collection is kept for reports. Names of files under way never are.
pub fn is_report_name(field: &Field, name: &Name) -> bool {
    field.report == Report::Sidecar && has_suffix(name)
}

/// Whether scratch is a report: in a collection its name can belong to nothing else.
pub fn is_report(record: &ScratchRecord) -> bool {
    record.folder.field.is_some() && has_suffix(&record.name)
}

/// Whether a name is one that reports have.
pub fn has_suffix(name: &Name) -> bool {
    let text = name.as_str();
    text.ends_with(SUFFIX) && !text.starts_with(['.', '~'])
}

/// The name of the report of a file.
pub(crate) fn report_name(file: &Name) -> Option<Name> {
    let room = NAME_MAX.saturating_sub(SUFFIX.len());
    let ends = file.as_str().char_indices().map(|(at, char)| at + char.len_utf8());
    let fits = ends.take_while(|end| *end <= room).last().unwrap_or(0);
    Name::parse(&format!("{}{SUFFIX}", &file.as_str()[..fits])).ok()
}
