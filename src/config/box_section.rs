//! `[boxes.<name>]`: the drop boxes, which are directories below `/drop`.

use std::time::Duration;

use super::section::Section;
use super::{section_name, value};
use words::schema::{DropBox, Table};
use words::slot::Name;
use words::template::Template;

/// The default time after which a file that nobody writes to is complete.
const SETTLE: Duration = Duration::from_secs(5);

pub(super) fn read(section: &Section<'_>, tables: &[Table]) -> Vec<DropBox> {
    let children = section.sections();
    children.iter().filter_map(|(name, child)| one(name, child, tables)).collect()
}

fn one(name: &str, section: &Section<'_>, tables: &[Table]) -> Option<DropBox> {
    let name = section_name::checked(name, section);
    let into = section.key("into", |value| {
        let written = value::text(value)?;
        find(&written, tables).ok_or_else(|| unknown(&written, tables))
    });
    if !section.has("into") {
        section.missing("into", "say where its files go: into = \"table.field\"");
    }
    let template = into.and_then(|(table, _)| {
        section.key("id", |value| {
            let template = Template::parse(&value::text(value)?)?;
            table.id.check(&template).map(|()| template).map_err(str::to_owned)
        })
    });
    if !section.has("id") {
        section
            .missing("id", "say what a new row is called: \"{counter}\", \"{uuid}\" or \"{stem}\"");
    }
    let settle = section.key("settle", value::duration).unwrap_or(SETTLE);
    section.finish();
    let (table, field) = into?;
    Some(DropBox {
        name: name?,
        table: table.name.clone(),
        field: field.clone(),
        id: template?,
        settle,
    })
}

/// The table and field that `table.field` stands for.
fn find<'a>(written: &str, tables: &'a [Table]) -> Option<(&'a Table, &'a Name)> {
    let (table, field) = written.split_once('.')?;
    let table = tables.iter().find(|known| known.name.as_str() == table)?;
    table.field(field).map(|field| (table, &field.name))
}

fn unknown(written: &str, tables: &[Table]) -> String {
    let fields = tables.iter().flat_map(|table| {
        table.fields.iter().map(move |field| format!("{}.{}", table.name, field.name))
    });
    let known: Vec<_> = fields.collect();
    format!("`{written}` is no field of a table; there are {}", known.join(", "))
}
