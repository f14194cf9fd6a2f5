//! `[boxes.<name>]`: the drop boxes, which are directories below `/drop`.

use std::time::Duration;

use super::section::Section;
use super::value;
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
    let name = section.name(name);
    let hint = "say where its files go: into = \"table.field\"";
    let into = section.required("into", hint, |value| find(&value::text(value)?, tables));
    let hint = "say what a new row is called: \"{counter}\", \"{uuid}\" or \"{stem}\"";
    let id = section.required("id", hint, |value| {
        let template = Template::parse(&value::text(value)?)?;
        into.map_or(Ok(()), |(table, _)| table.id.check(&template))?;
        Ok(template)
    });
    let settle = section.key("settle", value::duration).unwrap_or(SETTLE);
    section.finish();
    let (table, field) = into?;
    Some(DropBox { name: name?, table: table.name.clone(), field: field.clone(), id: id?, settle })
}

/// The table and field that `table.field` stands for. Errors: there is none.
fn find<'a>(written: &str, tables: &'a [Table]) -> Result<(&'a Table, &'a Name), String> {
    let fields =
        || tables.iter().flat_map(|it| it.fields.iter().map(move |field| (it, &field.name)));
    let name = |(table, field): (&Table, &Name)| format!("{}.{field}", table.name);
    fields().find(|field| name(*field) == written).ok_or_else(|| {
        let known: Vec<_> = fields().map(name).collect();
        format!("`{written}` is no field of a table; there are {}", known.join(", "))
    })
}
