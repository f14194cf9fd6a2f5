//! The document of a row, read and patched.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::catalog::slots::Revision;
use crate::catalog::{self, Catalog};
use crate::library::blob_files::store_names::StoreNames;
use crate::library::error::{Error, Result};
use crate::library::json::composed::{Composed, Texts};
use crate::library::json::describe::{Details, describe};
use crate::library::json::patch::{self, Present, Wrong};
use crate::library::json::{FREE_FIELDS, NAME, ROW, ROW_JSON};
use crate::library::lookup::Lookup;
use crate::library::lookup::table::Table;
use crate::library::refuse::Refusals;
use crate::library::refuse::journal::Journal;
use crate::session_thread;
use words::attachment::Attachment;
use words::author::Author;
use words::link::Link;
use words::place::Place;
use words::row::RowRecord;
use words::schema::{Collection, Field};
use words::timestamp::Timestamp;

/// How often a patch is read again because an attachment came or went meanwhile.
const MAX_TRIES: usize = 8;

/// The changes of a patch.
#[derive(Debug, Default)]
pub struct Revised {
    /// The links that were detached, each with its attachment after the loss.
    pub detached: Vec<(Link, Attachment)>,
    /// The links whose metadata changed.
    pub changed: Vec<Link>,
}

pub struct RowDocuments {
    pub(in crate::library) catalog: Arc<dyn Catalog>,
    pub(in crate::library) lookup: Arc<Lookup>,
    pub(in crate::library) journal: Arc<Journal>,
    pub(in crate::library) refusals: Arc<Refusals>,
    pub(in crate::library) store_names: Arc<StoreNames>,
    /// Guards the texts that were composed a moment ago. Held only to find or to keep one.
    pub(in crate::library) texts: Mutex<Texts>,
}

impl RowDocuments {
    /// The document: each field by name, `null` for an empty field, a list as an array in its order, a dict as an object by
    /// key. `drafts` are the places that are being written to, with their sizes so far. A text is composed anew only after a
    /// change, and in no thread of the session.
    pub fn read(&self, row: &RowRecord, drafts: &[(Place, u64)]) -> Result<Composed> {
        let table = self.lookup.table(row.table).ok_or(Error::Missing)?;
        let (commits, facts) = (self.catalog.commits(), self.facts(table, row, drafts));
        let kept = self.texts.lock().find(row.id, commits, &facts);
        if let Some(kept) = kept {
            return Ok(kept);
        }
        session_thread::leave()?;
        let composed = self.compose(table, row, facts.clone())?;
        if let Some(commits) = commits {
            self.texts.lock().keep(row.id, (commits, facts), composed.clone());
        }
        Ok(composed)
    }

    fn compose(&self, table: &Table, row: &RowRecord, mut facts: Value) -> Result<Composed> {
        let links = self.lookup.links(row.id)?;
        let details = Details::of_row(&*self.catalog, row.id)?;
        let mut document = Map::new();
        let single = |field: &&Arc<Field>| field.collection == Collection::One;
        let free = |field: &&Arc<Field>| links.iter().all(|link| link.place.field != field.name);
        let free = table.fields.iter().filter(single).filter(free);
        facts[FREE_FIELDS] = free.map(|field| field.name.as_str()).collect();
        document.insert(ROW.into(), facts);
        for field in &table.fields {
            let own: Vec<_> = links.iter().filter(|link| link.place.field == field.name).collect();
            document.insert(field.name.to_string(), self.field(field, &details, &own)?);
        }
        let text = format!("{:#}\n", Value::Object(document)).into();
        let changed = links.iter().map(|link| link.attachment.times.changed).max();
        Ok(Composed { text, changed: changed.unwrap_or(row.times.accessed) })
    }

    /// An attachment as JSON (CONTRACT 6).
    pub fn describe(&self, attachment: &Attachment) -> Result<Map<String, Value>> {
        let details = Details::of(&*self.catalog, attachment)?;
        describe(&details, &self.store_names, attachment)
    }

    fn facts(&self, table: &Table, row: &RowRecord, drafts: &[(Place, u64)]) -> Value {
        let path = |place: &Place| match &place.item {
            Some(item) => format!("{}/{item}", place.field),
            None => place.field.to_string(),
        };
        let writing: Map<_, _> =
            drafts.iter().map(|(place, size)| (path(place), json!(size))).collect();
        let refused = self.journal.of_places(row.id).into_iter();
        let errors: Map<_, _> =
            refused.map(|(place, line)| (path(&place), json!(line.message))).collect();
        json!({
            "table": table.name.as_str(),
            "id": row.name.as_str(),
            "writing": writing,
            "errors": errors,
        })
    }

    fn field(&self, field: &Field, details: &Details, links: &[&Link]) -> Result<Value> {
        // A field that was configured otherwise once may have a link without an item, or many.
        let item = |link: &Link| link.place.item.as_ref().map(ToString::to_string);
        let described = |link: &&Link| describe(details, &self.store_names, &link.attachment);
        match field.collection {
            Collection::One => Ok(links.first().map(described).transpose()?.into()),
            Collection::List => {
                let named = |link: &&Link| {
                    let mut object = described(link)?;
                    object.insert(NAME.into(), json!(item(link)));
                    Ok(object)
                };
                links.iter().map(named).collect()
            }
            Collection::Dict => {
                let keyed = |link: &&Link| Ok((item(link).unwrap_or_default(), described(link)?));
                links.iter().map(keyed).collect()
            }
        }
    }

    /// Applies a text that was written to `row.json`. A refused text is recorded, and changes nothing.
    pub fn patch(&self, row: &RowRecord, text: &[u8], author: Author) -> Result<Revised> {
        let table = self.lookup.table(row.table).ok_or(Error::Missing)?;
        for _ in 0..MAX_TRIES {
            let links = self.lookup.links(row.id)?;
            let details = &Details::of_row(&*self.catalog, row.id)?;
            let present = Present { details, store_names: &self.store_names, table, links: &links };
            let revisions = match patch::read(&present, text) {
                Ok(revisions) => revisions,
                Err(Wrong::Document(violation)) => {
                    let folder = format!("{}/{}", table.name, row.name);
                    let refusal = self.refusals.refuse_named(&folder, ROW_JSON, author, violation);
                    return Err(refusal.into());
                }
                Err(Wrong::Library(error)) => return Err(error),
            };
            match self.catalog.revise(row.id, &revisions, Timestamp::now()) {
                // An attachment came or went since the links were looked up: the document is read again.
                Err(catalog::Error::Missing) => {}
                lost => return Ok(revised(&links, &revisions, lost?)),
            }
        }
        Err(Error::Missing)
    }
}

fn revised(links: &[Link], revisions: &[Revision], lost: Vec<Attachment>) -> Revised {
    let links: HashMap<_, _> = links.iter().map(|link| (&link.place, link)).collect();
    let at = |place: &Place| links.get(place).copied().cloned();
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
