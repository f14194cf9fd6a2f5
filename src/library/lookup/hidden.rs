//! Files in places that the configuration does not have: a table or field was removed or renamed, or a field got another shape.
//! They are kept, and no name shows them.

use std::fmt::{self, Display};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::catalog::Catalog;
use crate::catalog::summary::{Census, Occupied};
use crate::library::error::Result;
use crate::library::lookup::Lookup;
use words::place::Place;
use words::row::RowRecord;
use words::schema::{Collection, Field, Schema};
use words::slot::Name;

/// The most places that are remembered. Those beyond it are counted, and not named.
const MOST: usize = 1_000;

/// Counts hidden places, and remembers what it has counted.
pub struct Hidden {
    pub(in crate::library) catalog: Arc<dyn Catalog>,
    pub(in crate::library) lookup: Arc<Lookup>,
    /// Guards the places as they were counted last. Held only to copy or to replace them.
    pub(in crate::library) known: Mutex<Option<Arc<Vec<HiddenPlace>>>>,
}

/// A table, or a field of one, with files or rows that no name shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HiddenPlace {
    pub table: String,
    /// None for a table that is not declared.
    pub field: Option<String>,
    /// Whether the files are items of the field.
    pub in_items: bool,
    pub files: u64,
    pub why: Why,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The table is not declared. The files are rows.
    NoTable,
    NoField,
    /// They are items, and the field holds one file now.
    HoldsOne,
    /// They have no name of their own, and the field holds items now.
    HoldsItems,
    /// The originals of files that are shown: the field keeps none now.
    NoOriginals,
}

impl Hidden {
    /// Counts anew. Walks the catalogue: not for a thread that answers requests.
    pub fn count(&self) -> Result<Arc<Vec<HiddenPlace>>> {
        let mut found = compare(self.lookup.schema(), &self.catalog.census()?);
        found.truncate(MOST);
        let found = Arc::new(found);
        *self.known.lock() = Some(Arc::clone(&found));
        Ok(found)
    }

    /// The places as they were counted last; none before that.
    pub fn known(&self) -> Option<Arc<Vec<HiddenPlace>>> {
        self.known.lock().clone()
    }

    /// The hidden places of one row. Makes a query for each that its table has.
    pub fn in_row(&self, row: &RowRecord, table: &Name) -> Result<Vec<HiddenPlace>> {
        let known = self.known().unwrap_or_default();
        let mut found = Vec::new();
        for place in known.iter().filter(|it| it.table == table.as_str()) {
            let Some(field) = place.field.as_deref().and_then(|it| Name::parse(it).ok()) else {
                continue;
            };
            let files = match place.why {
                Why::NoOriginals => 0,
                _ if place.in_items => self.catalog.count_items(row.id, &field)?,
                _ => u64::from(self.catalog.find(&Place::one(row.id, field))?.is_some()),
            };
            if files > 0 {
                found.push(HiddenPlace { files, ..place.clone() });
            }
        }
        Ok(found)
    }
}

/// The places of a census that a configuration does not show.
pub fn compare(schema: &Schema, census: &Census) -> Vec<HiddenPlace> {
    let mut found = Vec::new();
    // No configured table has a `$` in its name: those are internal.
    let declared =
        |table: &Name| table.as_str().contains('$') || schema.table(table.as_str()).is_some();
    for (table, rows) in census.rows.iter().filter(|(table, _)| !declared(table)) {
        let (table, field, in_items) = (table.to_string(), None, false);
        found.push(HiddenPlace { table, field, in_items, files: *rows, why: Why::NoTable });
    }
    for place in &census.places {
        let Some(table) = schema.table(place.table.as_str()) else { continue };
        if let Some((why, files)) = why(table.field(place.field.as_str()), place) {
            let (table, field) = (place.table.to_string(), Some(place.field.to_string()));
            found.push(HiddenPlace { table, field, in_items: place.in_items, files, why });
        }
    }
    found
}

fn why(field: Option<&Field>, place: &Occupied) -> Option<(Why, u64)> {
    let Some(field) = field else { return Some((Why::NoField, place.files)) };
    match (field.collection == Collection::One, place.in_items) {
        (true, true) => Some((Why::HoldsOne, place.files)),
        (false, false) => Some((Why::HoldsItems, place.files)),
        _ if place.originals > 0 && !field.keep_original => {
            Some((Why::NoOriginals, place.originals))
        }
        _ => None,
    }
}

/// `user.memo: 12 files, kept and not shown: the configuration has no such field; put it back, or ...`
impl Display for HiddenPlace {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, field, files, why, .. } = self;
        let place = field.as_ref().map_or(table.clone(), |field| format!("{table}.{field}"));
        let noun = match why {
            Why::NoTable => "row",
            Why::NoOriginals => "original",
            Why::NoField | Why::HoldsOne | Why::HoldsItems => "file",
        };
        let several = if *files == 1 { "" } else { "s" };
        write!(out, "{place}: {files} {noun}{several}, kept and not shown: ")?;
        match why {
            Why::NoTable => write!(
                out,
                "the configuration has no such table; put [tables.{table}] back, or move each of its fields with `mediafs move-field {table}.FIELD TABLE.FIELD`"
            ),
            Why::NoField => write!(
                out,
                "the configuration has no such field; put it back, or move the files with `mediafs move-field {place} {table}.FIELD`"
            ),
            Why::HoldsOne => write!(
                out,
                "they are items, and the field holds one file; say collection = \"list\" or \"dict\" again, or move them with `mediafs move-field {place} {table}.FIELD`"
            ),
            Why::HoldsItems => write!(
                out,
                "the field was no collection when they came; take `collection` out again, or make them its items with `mediafs move-field {place} {place}`"
            ),
            Why::NoOriginals => {
                write!(out, "the field keeps none any more; say keep_original = true again")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::rule::Rules;
    use words::schema::{IdRule, Table};

    fn name(text: &str) -> Name {
        Name::parse(text).expect("a name")
    }

    fn schema() -> Schema {
        let field = |field| Field::new(name(field), Rules::file());
        let photos = Field { collection: Collection::List, ..field("photos") };
        let fields = vec![field("avatar"), photos];
        let (id, access) = (IdRule::Integer, words::access::Policy::default());
        let user = Table { name: name("user"), id, access, fields };
        Schema { tables: vec![user], boxes: Vec::new() }
    }

    fn occupied(table: &str, field: &str, in_items: bool, originals: u64) -> Occupied {
        Occupied { table: name(table), field: name(field), in_items, files: 2, originals }
    }

    #[test]
    fn what_a_configuration_has_is_not_hidden() {
        let places =
            vec![occupied("user", "avatar", false, 0), occupied("user", "photos", true, 0)];
        let census = Census { rows: vec![(name("$drop"), 1), (name("user"), 2)], places };
        assert_eq!(compare(&schema(), &census), []);
    }

    #[test]
    fn each_way_to_hide_files_is_told_with_its_way_out() {
        let places = vec![
            occupied("person", "avatar", false, 0),
            occupied("user", "avatar", false, 1),
            occupied("user", "avatar", true, 0),
            occupied("user", "memo", false, 0),
            occupied("user", "photos", false, 0),
        ];
        let census = Census { rows: vec![(name("person"), 1), (name("user"), 2)], places };
        let found = compare(&schema(), &census);
        let told: Vec<_> = found.iter().map(ToString::to_string).collect();
        let begin = [
            "person: 1 row, kept and not shown: the configuration has no such table; put [tables.person] back",
            "user.avatar: 1 original, kept and not shown: the field keeps none any more",
            "user.avatar: 2 files, kept and not shown: they are items, and the field holds one",
            "user.memo: 2 files, kept and not shown: the configuration has no such field; put it back",
            "user.photos: 2 files, kept and not shown: the field was no collection when they came",
        ];
        assert_eq!(told.len(), begin.len(), "{told:?}");
        for (told, begin) in told.iter().zip(begin) {
            assert!(told.starts_with(begin), "{told}");
        }
    }
}
