//! A merge patch (RFC 7396) of a row's metadata, read into the catalogue's revisions. Nothing is changed here.
//!
//! Free keys, attributes and `original_filename` are set and removed; an array gives the order of a list; `null` detaches. Keys
//! that say what the bytes are must have their present values: a document that was read before the file changed is refused.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value};

use crate::catalog::slots::Revision;
use crate::library::blob_files::store_names::StoreNames;
use crate::library::json::describe::{Details, describe};
use crate::library::json::merge::merge;
use crate::library::json::objection::{Wrong, broken, fixed, not_writable, wrong};
use crate::library::json::unreadable::{May, outline};
use crate::library::json::{DETACH, FACTS, FREE_FIELDS, NAME, PRESETS, ROW, URL};
use crate::library::limit::permission::{self, Act};
use crate::library::lookup::table::Table;
use crate::library::names::attributes::{FREE, MAX_BYTES, is_ours};
use crate::library::publish::metadata::ORIGIN;
use words::link::Link;
use words::place::Place;
use words::schema::{Collection, Field};
use words::slot::Name;

/// The most bytes of a key that a user gives. With `FREE` before it, the key is within the limit of an attribute's name.
const MAX_KEY: usize = 240;
/// The most bytes of an original name, or of an attribute's name.
const MAX_NAME: usize = 255;
/// The most values in a document, which take much memory. A row of 10,000 items with some variants each has fewer.
const MAX_VALUES: usize = 1 << 20;
/// The most changes of one document, during which no other file is committed.
const MAX_CHANGES: usize = 1 << 15;

/// The row that a document is compared with.
pub(super) struct Present<'a> {
    pub details: &'a Details,
    pub store_names: &'a StoreNames,
    pub table: &'a Table,
    pub links: &'a [Link],
    /// The permissions of the document's author.
    pub may: May<'a>,
}

/// A document that is being read.
struct Patch<'a> {
    present: &'a Present<'a>,
    /// The links by field and item.
    links: HashMap<(&'a str, Option<&'a str>), &'a Link>,
    revisions: Vec<Revision>,
    /// The fields that were empty when the document was read. None are known of a document that was written by hand.
    free: Vec<String>,
    /// The collections that are to be emptied.
    emptied: Vec<String>,
}

/// Reads the changes that the document asks for.
pub(super) fn read(present: &Present<'_>, text: &[u8]) -> Result<Vec<Revision>, Wrong> {
    let links = present.links.iter().map(|link| (slot(&link.place), link)).collect();
    let (revisions, free, emptied) = (Vec::new(), Vec::new(), Vec::new());
    let mut patch = Patch { present, links, revisions, free, emptied };
    patch.document(text)?;
    if patch.revisions.iter().map(changes).sum::<usize>() > MAX_CHANGES {
        return Err(too_much());
    }
    Ok(patch.revisions)
}

fn too_much() -> Wrong {
    wrong("the document changes too much", "up to 32,768 changes at a time")
}

/// How many changes a revision counts as. Each item of a new order is written.
fn changes(revision: &Revision) -> usize {
    match revision {
        Revision::Require { .. } => 0,
        Revision::Arrange { order, .. } => order.len(),
        _ => 1,
    }
}

impl<'a> Patch<'a> {
    fn document(&mut self, text: &[u8]) -> Result<(), Wrong> {
        // Commas and brackets in strings count too: there are never more values than this.
        let values = text.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count();
        if values > MAX_VALUES {
            return Err(wrong("the document has too many values", "up to a million values"));
        }
        let document: Value = serde_json::from_slice(text).map_err(|error| broken(&error))?;
        let Value::Object(mut fields) = document else {
            return Err(wrong("the document is no JSON object", "an object with the row's fields"));
        };
        if let Some(own) = fields.remove(ROW) {
            self.free = free_fields(&own)?;
        }
        if let Some(emptied) = fields.remove(DETACH) {
            self.emptied = emptied_fields(&emptied, &fields)?;
        }
        let table = self.present.table;
        for (key, value) in fields {
            let Some(field) = table.field(&key) else {
                let known: Vec<_> = table.fields.iter().map(|field| field.name.as_str()).collect();
                let fact = format!("`{key}` is no field of {}", table.name);
                return Err(wrong(&fact, &format!("the fields {}", known.join(", "))));
            };
            self.field(field, value)?;
        }
        Ok(())
    }

    fn field(&mut self, field: &Field, value: Value) -> Result<(), Wrong> {
        let name = &field.name;
        match (field.collection, value) {
            (_, Value::Null) => {
                let mut own =
                    self.present.links.iter().filter(|link| link.place.field == *name).peekable();
                if own.peek().is_some() && self.free.iter().any(|free| free == name.as_str()) {
                    let fact = format!("a file was attached at `{name}` meanwhile");
                    return Err(wrong(&fact, "documents that were read since"));
                }
                let is_meant = self.emptied.iter().any(|emptied| emptied == name.as_str());
                if field.collection != Collection::One && own.peek().is_some() && !is_meant {
                    let fact = format!("null would detach all {} items of `{name}`", own.count());
                    let takes = format!(
                        "that only beside \"{DETACH}\": [\"{name}\"]; null by item otherwise"
                    );
                    return Err(wrong(&fact, &takes));
                }
                own.try_for_each(|link| self.detach(link))
            }
            (Collection::One, Value::Object(patch)) => {
                self.attachment(self.link(field, None)?, patch)
            }
            (Collection::List, Value::Array(items)) => self.list(field, items),
            (Collection::List | Collection::Dict, Value::Object(items)) => {
                items.into_iter().try_for_each(|(item, value)| self.item(field, &item, value))
            }
            (Collection::List, _) => {
                Err(wrong(&format!("`{name}` is no array"), "an array of a list's items, in order"))
            }
            _ => Err(wrong(&format!("`{name}` is no object"), "an object, or null to detach")),
        }
    }

    /// Items by name, or objects with a name, in the new order of the list. Other items follow in their own order.
    fn list(&mut self, field: &Field, items: Vec<Value>) -> Result<(), Wrong> {
        let (mut order, mut named) = (Vec::new(), HashSet::new());
        for value in items {
            let (item, patch) = match value {
                Value::String(item) => (item, None),
                Value::Object(mut patch) => match patch.remove(NAME) {
                    Some(Value::String(item)) => (item, Some(patch)),
                    _ => return Err(wrong("an item has no `name`", "items with their names")),
                },
                _ => {
                    let fact = "an item is neither name nor object";
                    return Err(wrong(fact, "items by their names"));
                }
            };
            let link = self.link(field, Some(&item))?;
            if !named.insert(&link.place.item) {
                return Err(wrong(&format!("`{item}` stands there twice"), "each item once"));
            }
            order.extend(link.place.item.clone());
            if let Some(patch) = patch {
                self.attachment(link, patch)?;
            }
        }
        let there = self.present.links.iter().filter(|link| link.place.field == field.name);
        let changes =
            !there.filter_map(|link| link.place.item.as_ref()).zip(&order).all(|(a, b)| a == b);
        if changes {
            self.revisions.push(Revision::Arrange { field: field.name.clone(), order });
        }
        Ok(())
    }

    fn item(&mut self, field: &Field, item: &str, value: Value) -> Result<(), Wrong> {
        match value {
            Value::Null => {
                // An item that is not there needs no detaching.
                self.link(field, Some(item)).map_or(Ok(()), |link| self.detach(link))
            }
            Value::Object(patch) => self.attachment(self.link(field, Some(item))?, patch),
            _ => Err(wrong(&format!("`{item}` is no object"), "an object, or null to detach")),
        }
    }

    fn detach(&mut self, link: &Link) -> Result<(), Wrong> {
        if !(self.present.may)(Act::Displace, link.attachment.access) {
            return Err(Wrong::Document(permission::sticky()));
        }
        // The permission is that of this attachment, not of one that replaced it since.
        let (place, id) = (link.place.clone(), link.attachment.id);
        self.revisions.push(Revision::Require { place: place.clone(), id });
        self.revisions.push(Revision::Detach(place));
        Ok(())
    }

    fn link(&self, field: &Field, item: Option<&str>) -> Result<&'a Link, Wrong> {
        self.links.get(&(field.name.as_str(), item)).copied().ok_or_else(|| {
            let path = item.map_or(field.name.to_string(), |item| format!("{}/{item}", field.name));
            let fact = format!("nothing is attached at `{path}`");
            wrong(&fact, "metadata of what is attached; write a file there first")
        })
    }

    fn attachment(&mut self, link: &Link, patch: Map<String, Value>) -> Result<(), Wrong> {
        let &Present { details, store_names, may, .. } = self.present;
        let access = link.attachment.access;
        // A fact that the author cannot read must not be found by trying values.
        let object = if may(Act::Read, access) {
            describe(details, store_names, &link.attachment)?
        } else {
            outline(&link.attachment)
        };
        let (place, id, begun) = (&link.place, link.attachment.id, self.revisions.len());
        // The document speaks of this attachment, not of one that replaced it since.
        self.revisions.push(Revision::Require { place: place.clone(), id });
        for (key, value) in patch {
            let before = object.get(&key);
            if before == Some(&value) {
                continue;
            }
            match key.as_str() {
                // They may have changed by themselves since the document was read.
                "thumbnails" | URL | PRESETS | NAME => {}
                "original_filename" => self.revisions.push(rename(place, &value)?),
                "attributes" => self.attributes(place, before, value)?,
                fact @ ("key" | "hash" | "extension" | "content_type" | "length" | "width"
                | "height" | "ratio" | "timestamp" | "reproducible" | "store_id"
                | "version" | "source" | "original") => return Err(fixed(fact)),
                _ => self.free(place, &key, before, value)?,
            }
        }
        if self.revisions.len() == begun + 1 {
            // Nothing of it changes.
            self.revisions.truncate(begun);
        } else if !may(Act::Describe, access) {
            return Err(Wrong::Document(not_writable(place)));
        }
        if self.revisions.len() - begun > MAX_CHANGES {
            return Err(too_much());
        }
        self.check_room(link, begun)
    }

    fn attributes(
        &mut self,
        place: &Place,
        before: Option<&Value>,
        value: Value,
    ) -> Result<(), Wrong> {
        let Value::Object(wanted) = value else {
            return Err(wrong("`attributes` is no object", "an object of attributes by name"));
        };
        for (name, value) in wanted {
            let before = before.and_then(|before| before.get(&name));
            if before.unwrap_or(&Value::Null) == &value {
                continue;
            }
            let value = match value {
                Value::Null => None,
                Value::String(text) => Some(text.into_bytes()),
                _ => return Err(wrong(&format!("`{name}` is no text"), "attributes as text")),
            };
            let foreign = name.starts_with("user.") && !is_ours(&name) && name != ORIGIN;
            if !foreign || name.len() > MAX_NAME {
                let fact = format!("`{name}` is no attribute that can be set");
                return Err(wrong(&fact, "attributes such as user.note"));
            }
            self.annotate(place, name, value);
        }
        Ok(())
    }

    /// Sets a key that the user gives. Objects are merged; `null` removes the key.
    fn free(
        &mut self,
        place: &Place,
        key: &str,
        before: Option<&Value>,
        value: Value,
    ) -> Result<(), Wrong> {
        if key.is_empty() || key.len() > MAX_KEY {
            return Err(wrong("a key is empty or too long", "keys of 1 to 240 bytes"));
        }
        let before = before.unwrap_or(&Value::Null);
        let mut merged = before.clone();
        merge(&mut merged, value);
        if merged == *before {
            return Ok(());
        }
        let value = (!merged.is_null()).then(|| merged.to_string().into_bytes());
        self.annotate(place, format!("{FREE}{key}"), value);
        Ok(())
    }

    fn annotate(&mut self, place: &Place, name: String, value: Option<Vec<u8>>) {
        self.revisions.push(Revision::Annotate { place: place.clone(), name, value });
    }

    /// Checks the limit that attributes and free keys of one attachment share, whose revisions begin at this one.
    fn check_room(&self, link: &Link, begun: usize) -> Result<(), Wrong> {
        let kept = self.present.details.attributes(link.attachment.id).iter();
        let mut all: BTreeMap<_, _> = kept.map(|(name, value)| (name, value.len())).collect();
        for revision in &self.revisions[begun..] {
            if let Revision::Annotate { name, value, .. } = revision {
                match value {
                    Some(value) => all.insert(name, value.len()),
                    None => all.remove(name),
                };
            }
        }
        let used: usize = all.iter().map(|(name, length)| name.len() + length).sum();
        if used > MAX_BYTES {
            return Err(wrong("the metadata has more than 64 KiB", "64 KiB of it for each file"));
        }
        Ok(())
    }
}

/// The fields that were empty, by the facts of the row that the document was read with.
fn free_fields(own: &Value) -> Result<Vec<String>, Wrong> {
    let facts = own.as_object().ok_or_else(|| {
        wrong(&format!("`{ROW}` is no object"), "the facts of the row as they were read, or none")
    })?;
    if let Some(key) = facts.keys().find(|key| !FACTS.contains(&key.as_str())) {
        let fact = format!("`{key}` is no fact of a row");
        return Err(wrong(&fact, &format!("{} in `{ROW}`, and changes none", FACTS.join(", "))));
    }
    let free = facts.get(FREE_FIELDS).and_then(Value::as_array).into_iter().flatten();
    Ok(free.filter_map(Value::as_str).map(str::to_owned).collect())
}

/// The collections that `$detach` names, each of which the document sets to `null`.
fn emptied_fields(emptied: &Value, fields: &Map<String, Value>) -> Result<Vec<String>, Wrong> {
    let is_null = |name: &&str| fields.get(*name).is_some_and(Value::is_null);
    let names: Option<Vec<_>> = emptied.as_array().and_then(|names| {
        names.iter().map(|name| name.as_str().filter(is_null).map(str::to_owned)).collect()
    });
    names.ok_or_else(|| {
        wrong(&format!("`{DETACH}` is no array of fields that are null"), "such an array, or none")
    })
}

fn slot(place: &Place) -> (&str, Option<&str>) {
    (place.field.as_str(), place.item.as_ref().map(Name::as_str))
}

fn rename(place: &Place, value: &Value) -> Result<Revision, Wrong> {
    let is_name =
        |text: &&str| (1..=MAX_NAME).contains(&text.len()) && !text.contains(char::is_control);
    let name = value.as_str().filter(is_name);
    let name =
        name.ok_or_else(|| wrong("`original_filename` is no name", "a name of 1 to 255 bytes"))?;
    Ok(Revision::Rename { place: place.clone(), original_filename: name.to_owned() })
}
