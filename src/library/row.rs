//! `row.json`: a row with all that is attached, as one document; what is written to it is applied whole or not at all.
//! Does not know handles, nor what a patch may say: `patch.rs` does.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::catalog;
use crate::catalog::slots::Revision;
use crate::library::patch::{Patch, Wrong};
use crate::library::publish::MAX_TRIES;
use crate::library::refuse::Author;
use crate::library::{Error, Library, Table};
use words::attachment::Attachment;
use words::link::Link;
use words::place::Place;
use words::refusal::{Refusal, Violation};
use words::row::RowRecord;
use words::schema::{Collection, Field};
use words::timestamp::Timestamp;

/// The document's name in a row.
pub const ROW_JSON: &str = "row.json";
/// What is told of the row itself; no field has this name. Not patched.
pub(super) const ROW: &str = "$row";
/// Which fields held nothing, among what is told of the row: a whole document that says `null` there detaches nothing that
/// came since.
pub(super) const FREE_FIELDS: &str = "free";
/// The name of a list's item; the order of a list is that of its names.
pub(super) const NAME: &str = "name";

/// What a patch changed.
#[derive(Debug, Default)]
pub struct Revised {
    /// What lost its name: as it hung there, and the attachment after the loss.
    pub detached: Vec<(Link, Attachment)>,
    /// What has other metadata now.
    pub changed: Vec<Link>,
}

impl Library {
    /// The document: each field by name, `null` where nothing is attached, a list as an array in its order, a dict as an
    /// object by key. `drafts` are the places that somebody is writing to, with the bytes so far.
    pub fn row_json(&self, row: &RowRecord, drafts: &[(Place, u64)]) -> Result<String, Error> {
        let table = self.table(row.table).ok_or(Error::Missing)?;
        let links = self.catalog.links(row.id)?;
        let mut document = Map::new();
        let single = |field: &&Arc<Field>| field.collection == Collection::One;
        let free = |field: &&Arc<Field>| links.iter().all(|link| link.place.field != field.name);
        let free = table.fields.iter().filter(single).filter(free);
        let mut facts = self.row_facts(table, row, drafts);
        facts[FREE_FIELDS] = free.map(|field| field.name.as_str()).collect();
        document.insert(ROW.into(), facts);
        for field in &table.fields {
            let own: Vec<_> = links.iter().filter(|link| link.place.field == field.name).collect();
            document.insert(field.name.to_string(), self.field_json(field, &own)?);
        }
        Ok(format!("{:#}\n", Value::Object(document)))
    }

    fn row_facts(&self, table: &Table, row: &RowRecord, drafts: &[(Place, u64)]) -> Value {
        let path = |place: &Place| match &place.item {
            Some(item) => format!("{}/{item}", place.field),
            None => place.field.to_string(),
        };
        let writing: Map<_, _> =
            drafts.iter().map(|(place, size)| (path(place), json!(size))).collect();
        let errors: Map<_, _> = self
            .refusals
            .of_places(row.id)
            .into_iter()
            .map(|(place, line)| (path(&place), json!(line.message)))
            .collect();
        json!({
            "table": table.name.as_str(),
            "id": row.name.as_str(),
            "writing": writing,
            "errors": errors,
        })
    }

    fn field_json(&self, field: &Field, links: &[&Link]) -> Result<Value, Error> {
        let item = |link: &Link| link.place.item.as_ref().map(ToString::to_string);
        Ok(match field.collection {
            Collection::One => match links.first() {
                Some(link) => Value::Object(self.describe(&link.attachment)?),
                None => Value::Null,
            },
            Collection::List => {
                let named = |link: &&Link| {
                    let mut told = self.describe(&link.attachment)?;
                    told.insert(NAME.into(), json!(item(link)));
                    Ok(Value::Object(told))
                };
                links.iter().map(named).collect::<Result<_, Error>>()?
            }
            Collection::Dict => {
                let keyed = |link: &&Link| {
                    let told = Value::Object(self.describe(&link.attachment)?);
                    Ok((item(link).unwrap_or_default(), told))
                };
                Value::Object(links.iter().map(keyed).collect::<Result<_, Error>>()?)
            }
        })
    }

    /// Applies what was written to `row.json`. A refusal is on record and nothing has changed.
    pub fn patch_row(
        &self,
        row: &RowRecord,
        text: &[u8],
        author: Author,
    ) -> Result<Revised, Error> {
        let table = self.table(row.table).ok_or(Error::Missing)?;
        for _ in 0..MAX_TRIES {
            let links = self.catalog.links(row.id)?;
            let revisions = match Patch::read(self, table, &links, text) {
                Ok(revisions) => revisions,
                Err(Wrong::Document(violation)) => {
                    return Err(self.refuse_row(row, table, author, violation).into());
                }
                Err(Wrong::Library(error)) => return Err(error),
            };
            match self.catalog.revise(row.id, &revisions, Timestamp::now()) {
                // Something was attached or detached since it was looked at: what the document says of that is asked anew.
                Err(catalog::Error::Missing) => {}
                lost => return Ok(revised(&links, &revisions, lost?)),
            }
        }
        Err(Error::Missing)
    }

    fn refuse_row(
        &self,
        row: &RowRecord,
        table: &Table,
        author: Author,
        violation: Violation,
    ) -> Refusal {
        let path = format!("{}/{}/{ROW_JSON}", table.name, row.name);
        let field = ROW_JSON.to_owned();
        let refusal = Refusal { id: self.refusals.next_id(), path, field, violation };
        self.refusals.record(&refusal, None, author, None);
        refusal
    }
}

fn revised(links: &[Link], revisions: &[Revision], lost: Vec<Attachment>) -> Revised {
    let at = |place: &Place| links.iter().find(|link| link.place == *place).cloned();
    let gone = revisions.iter().filter_map(|revision| match revision {
        Revision::Detach(place) => at(place),
        _ => None,
    });
    let mut changed: Vec<_> = revisions
        .iter()
        .filter_map(|revision| match revision {
            Revision::Rename { place, .. } | Revision::Annotate { place, .. } => at(place),
            _ => None,
        })
        .collect();
    changed.dedup_by(|one, other| one.place == other.place);
    Revised { detached: gone.zip(lost).collect(), changed }
}
