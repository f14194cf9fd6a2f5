//! All files of a field move to another one: after it was renamed, or its table, or got another shape in the configuration.

use std::sync::Arc;

use crate::library::blob_files::Blobs;
use crate::library::error::{Error, Result};
use crate::library::home::staging::Staging;
use crate::library::lookup::Lookup;
use crate::library::lookup::table::Table;
use crate::library::lookup::target::Target;
use crate::library::names::naming::{Links, Move};
use crate::library::names::rows::Rows;
use pipeline::Pipeline;
use pipeline::candidate::Candidate;
use words::access::Fixed;
use words::attachment::{Attachment, Content, RowId};
use words::author::Author;
use words::link::{Collision, Link};
use words::place::Place;
use words::row::RowRecord;
use words::rule::Rules;
use words::schema::{Collection, Field};
use words::slot::{Name, Row, Slot};

/// The most files that a page names because they stay.
const NAMED: usize = 100;

pub struct FieldMoves {
    pub(in crate::library) lookup: Arc<Lookup>,
    pub(in crate::library) links: Arc<Links>,
    pub(in crate::library) rows: Arc<Rows>,
    pub(in crate::library) blobs: Arc<Blobs>,
    pub(in crate::library) pipeline: Arc<Pipeline>,
    pub(in crate::library) staging: Arc<Staging>,
}

/// A field by its names. It need not be declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldName {
    pub table: Name,
    pub field: Name,
}

/// The fields that files move between, and by whom.
#[derive(Debug)]
pub struct FieldMove<'m> {
    pub from: &'m FieldName,
    pub to: &'m FieldName,
    pub author: Author,
}

/// The outcome for the rows of one page.
#[derive(Debug, Default)]
pub struct MovedPage {
    pub moved: u64,
    /// How many files stay.
    pub stayed: u64,
    /// Why, for some of them.
    pub reasons: Vec<String>,
    /// The row after which the next page begins; none after the last.
    pub next: Option<RowId>,
}

impl FieldMoves {
    /// Moves the files of up to `limit` rows with numbers above `after`. Each is judged as a rename is; one that the target does
    /// not take stays, as do files of an undeclared field that the target would change. Between two shapes of one field only the
    /// files move that its present shape hides. Calls `told` for each that has moved. Errors: [`Error::Missing`] if the target is not declared.
    pub fn page(
        &self,
        fields: &FieldMove<'_>,
        (after, limit): (RowId, usize),
        told: impl Fn(&Link, &Place),
    ) -> Result<MovedPage> {
        let table = self.lookup.table_named(fields.to.table.as_str()).ok_or(Error::Missing)?;
        let field = table.field(fields.to.field.as_str()).ok_or(Error::Missing)?;
        let from = self.lookup.any_table(&fields.from.table)?;
        let is_declared = self.declared(fields.from).is_some();
        let rows = self.lookup.rows(from, after, limit)?;
        let next = rows.last().filter(|_| rows.len() == limit).map(|row| row.id);
        let mut page = MovedPage { next, ..MovedPage::default() };
        for row in &rows {
            for link in self.lookup.links(row.id)? {
                let is_shown = (link.place.item.is_none()) == (field.collection == Collection::One);
                if link.place.field != fields.from.field || (fields.from == fields.to && is_shown) {
                    continue;
                }
                match self.transfer(fields, row, &link, (table, field)) {
                    Ok(to) => {
                        page.moved += 1;
                        told(&link, &to);
                    }
                    // Another client was faster.
                    Err(Error::Missing) => {}
                    Err(error @ (Error::Refused(_) | Error::Taken | Error::WouldChange)) => {
                        page.stayed += 1;
                        if page.reasons.len() < NAMED {
                            let Place { field, item, .. } = &link.place;
                            let item = item.as_ref().map_or(String::new(), |it| format!("/{it}"));
                            let row = format!("{}/{}", fields.from.table, row.name);
                            let more = hint(&error, is_declared);
                            page.reasons.push(format!("{row}/{field}{item} stays: {error}{more}"));
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(page)
    }

    fn transfer(
        &self,
        fields: &FieldMove<'_>,
        row: &RowRecord,
        link: &Link,
        (table, field): (&Table, &Arc<Field>),
    ) -> Result<Place> {
        let to = self.row(fields, row, table)?;
        let (item, written) = names(link, field);
        let place = Place { row: to.id, field: field.name.clone(), item: item.clone() };
        if let (Some(most), Some(_)) = (field.max_items, &item)
            && self.lookup.count_items(&place)? >= most
        {
            return Err(Error::Taken);
        }
        let slot_row = Row { table: table.name.clone(), id: row.name.clone() };
        let slot = Slot { row: slot_row, field: field.name.clone(), item };
        let (field, directory) = (Arc::clone(field), to.access);
        let target = Target { place, slot, field, written, directory };
        let old = self.declared(fields.from);
        // The rules of a field that is not declared any more are unknown. A file that already meets the target's may have them.
        let unknown = Rules::file();
        let rules = match old {
            Some(old) => &old.rules,
            None if self.meets(&link.attachment, &target.field.rules)? => &target.field.rules,
            None => &unknown,
        };
        let (back, collision) = (Fixed::default(), Collision::Refuse);
        let way = Move { from: link, rules, back, target: &target, collision };
        self.links.rename(&way, fields.author)?;
        Ok(target.place)
    }

    /// Whether a field with these rules would store the bytes as they are: an image is decoded to its last byte.
    fn meets(&self, attachment: &Attachment, rules: &Rules) -> Result<bool> {
        let file = self.blobs.open(attachment)?.try_clone().map_err(Error::io("read a file"))?;
        let Content { length, media_type, .. } = &attachment.content;
        let candidate = Candidate::identify(file, *length, media_type.extension())?;
        let staged = || self.staging.nameless();
        match candidate.admit(rules).and_then(|it| self.pipeline.refine(it, rules, staged)) {
            Ok(refined) => Ok(refined.is_untouched()),
            Err(pipeline::Error::Refused(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn declared(&self, name: &FieldName) -> Option<&Arc<Field>> {
        self.lookup.table_named(name.table.as_str())?.field(name.field.as_str())
    }

    /// The row of the target table, made if it is missing.
    fn row(&self, fields: &FieldMove<'_>, row: &RowRecord, table: &Table) -> Result<RowRecord> {
        if fields.from.table == fields.to.table {
            return Ok(row.clone());
        }
        if let Some(found) = self.lookup.row(table.id, &row.name)? {
            return Ok(found);
        }
        if !table.rule.allows(&row.name) {
            return Err(Error::WouldChange);
        }
        self.rows.make(table.id, &row.name, row.access)
    }
}

/// The way to move a file of an undeclared field that the target would change.
fn hint(error: &Error, is_declared: bool) -> &'static str {
    match error {
        Error::WouldChange if !is_declared => ", or declare the old field too until it has moved",
        _ => "",
    }
}

/// The item and the written name of a link in its new field. A file that becomes an item is called as it was sent.
fn names(link: &Link, field: &Field) -> (Option<Name>, Name) {
    if field.collection == Collection::One {
        return (None, field.name.clone());
    }
    let sent = Name::parse(&link.attachment.original_filename).ok();
    let sent = sent.filter(|it| link.place.item.is_none() && !it.as_str().starts_with('.'));
    let written = sent.unwrap_or_else(|| link.written.clone());
    (Some(field.item(&written)), written)
}
