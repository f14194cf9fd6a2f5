//! `[tables.<name>]`: the tables, with the access that each fixes for its rows.

use super::section::Section;
use super::{access_keys, field_section, quota_section, value};
use words::schema::{IdRule, Table};
use words::slot::Name;

pub(super) fn read(section: &Section<'_>, stores: &[Name]) -> Vec<Table> {
    let children = section.sections();
    if children.is_empty() {
        section.reject("no table is declared; write a section such as [tables.user]");
    }
    children.iter().filter_map(|(name, child)| table(name, child, stores)).collect()
}

fn table(name: &str, section: &Section<'_>, stores: &[Name]) -> Option<Table> {
    let name = section.name(name);
    let rules = [("integer", IdRule::Integer), ("uuid", IdRule::Uuid), ("name", IdRule::Name)];
    let hint = "say what a row is called: id = \"integer\", \"uuid\" or \"name\"";
    let id = section.required("id", hint, |value| value::one_of(value, &rules));
    let children = section.section_or_empty("fields").sections();
    if children.is_empty() {
        section.reject("the table has no field, so nothing could be written to it");
    }
    let fields = children
        .iter()
        .filter_map(|(name, child)| field_section::read(child.name(name)?, child, stores));
    let fields = fields.collect();
    let access = access_keys::of_table(section);
    quota_section::elsewhere(section);
    section.refuse("max_rows", "not yet supported");
    section.finish();
    Some(Table { name: name?, id: id?, access, fields })
}
