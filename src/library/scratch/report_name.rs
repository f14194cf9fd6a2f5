//! The names of reports: `<name>.REFUSED.txt` beside a file that was refused.

use words::schema::{Field, Report};
use words::scratch::ScratchRecord;
use words::slot::{NAME_MAX, Name};

const SUFFIX: &str = ".REFUSED.txt";

/// Whether a name in a collection is reserved for reports. The names of unfinished files never are.
pub fn is_report_name(field: &Field, name: &Name) -> bool {
    field.report == Report::Sidecar && has_suffix(name)
}

/// Whether a scratch file is a report. In a collection nothing else can have such a name.
pub fn is_report(record: &ScratchRecord) -> bool {
    record.folder.field.is_some() && has_suffix(&record.name)
}

/// Whether a name ends as that of a report, and is not that of an unfinished file.
pub fn has_suffix(name: &Name) -> bool {
    let text = name.as_str();
    text.ends_with(SUFFIX) && !text.starts_with(['.', '~'])
}

/// The name of the report of a file. A name that leaves no room for the suffix is cut short.
pub fn report_name(file: &Name) -> Option<Name> {
    let room = NAME_MAX.saturating_sub(SUFFIX.len());
    let ends = file.as_str().char_indices().map(|(at, char)| at + char.len_utf8());
    let fits = ends.take_while(|end| *end <= room).last().unwrap_or(0);
    Name::parse(&format!("{}{SUFFIX}", &file.as_str()[..fits])).ok()
}
