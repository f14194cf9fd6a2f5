//! The document of a row, read and patched.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::{Map, Value, json};

use crate::catalog::slots::Revision;
use crate::catalog::{self, Catalog};
use crate::library::error::{Error, Result};
use crate::library::json::composed::{Composed, Texts};
use crate::library::json::describe::{Details, describe};
use crate::library::json::objection::Wrong;
use crate::library::json::patch::{self, Present};
use crate::library::json::unreadable::{Hidden, May, accesses, outline};
use crate::library::json::{FREE_FIELDS, NAME, PRESETS, ROW, ROW_JSON, URL};
use crate::library::lookup::Lookup;
use crate::library::lookup::table::Table;
use crate::library::read::public_urls::PublicUrls;
use crate::library::refuse::journal::{Journal, Line};
use crate::session_thread;
use words::attachment::Attachment;
use words::author::Author;
use words::link::Link;
use words::place::Place;
use words::refusal::Refusal;
use words::row::RowRecord;
use words::schema::{Collection, Field};
use words::slot::Name;
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

/// A row as one reader is shown it.
#[derive(Clone, Copy)]
struct Shown<'a> {
    row: &'a RowRecord,
    details: &'a Details,
    hidden: &'a Hidden,
}

pub struct RowDocuments {
    pub(in crate::library) catalog: Arc<dyn Catalog>,
    pub(in crate::library) lookup: Arc<Lookup>,
    pub(in crate::library) journal: Arc<Journal>,
    pub urls: Arc<PublicUrls>,
    /// Guards the texts that were composed a moment ago. Held only to find or to keep one.
    pub(in crate::library) texts: Mutex<Texts>,
}

impl RowDocuments {
    /// The document: each field by name, `null` for an empty field, a list as an array in its order, a dict as an object by
    /// key. `drafts` are the places that are being written to, with their sizes so far. The text depends on the
    /// reader by [`Hidden`] alone. It is composed anew only after a change, and in no thread of the session.
    pub fn read(&self, row: &RowRecord, drafts: &[(Place, u64)], may: May<'_>) -> Result<Composed> {
        let table = self.lookup.table(row.table).ok_or(Error::Missing)?;
        let (commits, facts) = (self.catalog.commits(), self.facts(table, row, drafts));
        let kept = self.texts.lock().find(row.id, commits, &facts, may);
        if let Some(kept) = kept {
            return Ok(kept);
        }
        session_thread::leave()?;
        let composed = self.compose(table, row, facts.clone(), may)?;
        if let Some(commits) = commits {
            self.texts.lock().keep(row.id, (commits, facts), composed.clone());
        }
        Ok(composed)
    }

    fn compose(
        &self,
        table: &Table,
        row: &RowRecord,
        mut facts: Value,
        may: May<'_>,
    ) -> Result<Composed> {
        let links = self.links(table, row)?;
        let accesses = accesses(&links);
        let hidden = Hidden::among(&accesses, may);
        let details = Details::of_row(&*self.catalog, row.id)?;
        let shown = Shown { row, details: &details, hidden: &hidden };
        let mut document = Map::new();
        let single = |field: &&Arc<Field>| field.collection == Collection::One;
        let free = |field: &&Arc<Field>| links.iter().all(|link| link.place.field != field.name);
        let free = table.fields.iter().filter(single).filter(free);
        facts[FREE_FIELDS] = free.map(|field| field.name.as_str()).collect();
        document.insert(ROW.into(), facts);
        for field in &table.fields {
            let own: Vec<_> = links.iter().filter(|link| link.place.field == field.name).collect();
            document.insert(field.name.to_string(), self.field(field, &own, shown)?);
        }
        let text = format!("{:#}\n", Value::Object(document)).into();
        let changed = links.iter().map(|link| link.attachment.times.changed).max();
        let changed = changed.unwrap_or(row.times.accessed);
        Ok(Composed { text, changed, accesses, hidden })
    }

    /// An attachment as JSON (CONTRACT 6), with the public URLs of this name.
    pub fn describe(&self, row: &RowRecord, link: &Link) -> Result<Map<String, Value>> {
        let details = Details::of(&*self.catalog, &link.attachment)?;
        self.described(row, link, &details)
    }

    fn described(
        &self,
        row: &RowRecord,
        link: &Link,
        details: &Details,
    ) -> Result<Map<String, Value>> {
        let mut object = describe(details, &self.urls.store_names, &link.attachment)?;
        let Some(url) = self.urls.of(row, link) else { return Ok(object) };
        object.insert(URL.into(), json!(url));
        let presets = self.urls.of_presets(row, link);
        if !presets.is_empty() {
            let presets = presets.into_iter().map(|(name, url)| (name, json!(url)));
            object.insert(PRESETS.into(), Value::Object(presets.collect()));
        }
        for thumbnail in
            object.get_mut("thumbnails").and_then(Value::as_array_mut).into_iter().flatten()
        {
            let name = thumbnail[3]["name"].as_str().unwrap_or_default();
            thumbnail[3][URL] = json!(self.urls.of_variant(row, link, name));
        }
        Ok(object)
    }

    fn facts(&self, table: &Table, row: &RowRecord, drafts: &[(Place, u64)]) -> Value {
        let path = |place: &Place| match &place.item {
            Some(item) => format!("{}/{item}", place.field),
            None => place.field.to_string(),
        };
        let writing: Map<_, _> =
            drafts.iter().map(|(place, size)| (path(place), json!(size))).collect();
        let refused = self.journal.of_places(row.id).into_iter();
        let errors: Map<_, _> = refused.map(|(place, line)| (path(&place), told(&line))).collect();
        json!({
            "table": table.name.as_str(),
            "id": row.name.as_str(),
            "writing": writing,
            "errors": errors,
        })
    }

    /// The links that the tree shows. Files that the configuration hides stay as they are: a document neither names nor detaches
    /// them.
    fn links(&self, table: &Table, row: &RowRecord) -> Result<Vec<Link>> {
        let mut links = self.lookup.links(row.id)?;
        links.retain(|link| {
            let field = table.field(link.place.field.as_str());
            field.is_some_and(|it| link.place.item.is_none() == (it.collection == Collection::One))
        });
        Ok(links)
    }

    fn field(&self, field: &Field, links: &[&Link], shown: Shown<'_>) -> Result<Value> {
        let item = |link: &Link| link.place.item.as_ref().map(ToString::to_string);
        let described = |link: &&Link| match &link.attachment {
            attachment if shown.hidden.has(attachment) => Ok(outline(attachment)),
            _ => self.described(shown.row, link, shown.details),
        };
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
    pub fn patch(
        &self,
        row: &RowRecord,
        text: &[u8],
        author: Author,
        may: May<'_>,
    ) -> Result<Revised> {
        let table = self.lookup.table(row.table).ok_or(Error::Missing)?;
        for _ in 0..MAX_TRIES {
            let links = self.links(table, row)?;
            let details = &Details::of_row(&*self.catalog, row.id)?;
            let store_names = &self.urls.store_names;
            let present = Present { details, store_names, table, links: &links, may };
            let read = patch::read(&present, text);
            let revisions = read.map_err(|wrong| self.refuse(table, row, author, wrong))?;
            match self.catalog.revise(row.id, &revisions, Timestamp::now()) {
                // An attachment came or went since the links were looked up: the document is read again.
                Err(catalog::Error::Missing) => {}
                lost => {
                    let revised = revised(&links, &revisions, lost?);
                    self.journal.clear(&own_place(row));
                    return Ok(revised);
                }
            }
        }
        Err(Error::Missing)
    }

    /// Judges a text as [`RowDocuments::patch`] does, and changes nothing.
    pub fn check(&self, row: &RowRecord, text: &[u8], author: Author, may: May<'_>) -> Result<()> {
        session_thread::leave()?;
        let table = self.lookup.table(row.table).ok_or(Error::Missing)?;
        let links = self.links(table, row)?;
        let (details, store_names) =
            (&Details::of_row(&*self.catalog, row.id)?, &self.urls.store_names);
        let present = Present { details, store_names, table, links: &links, may };
        let read = patch::read(&present, text);
        read.map(|_| ()).map_err(|wrong| self.refuse(table, row, author, wrong))
    }

    /// Records why a document is refused, as the last refusal of the row's `row.json`.
    fn refuse(&self, table: &Table, row: &RowRecord, author: Author, wrong: Wrong) -> Error {
        let violation = match wrong {
            Wrong::Document(violation) => violation,
            Wrong::Library(error) => return error,
        };
        let path = format!("{}/{}/{ROW_JSON}", table.name, row.name);
        let (id, field) = (self.journal.next_id(), ROW_JSON.to_owned());
        let refusal = Refusal { id, path, field, violation };
        self.journal.record(&refusal, Some(&own_place(row)), author, None);
        refusal.into()
    }
}

/// The place of refused documents among the places of the row.
fn own_place(row: &RowRecord) -> Place {
    Place::one(row.id, Name::parse(ROW_JSON).expect("`row.json` is a name"))
}

/// A refusal as a program reads it.
fn told(line: &Line) -> Value {
    let Line { id, rule, measured, allowed, message, hint, .. } = line;
    json!({
        "message": message,
        "hint": hint,
        "rule": rule,
        "measured": measured,
        "allowed": allowed,
        "id": id,
    })
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
