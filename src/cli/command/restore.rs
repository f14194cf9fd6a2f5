//! `mediafs restore`: attaches a removed file again, or all that a row has lost. The rules of the field decide, as for `mv` out of the trash.

use std::collections::BTreeMap;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::cli::command::{ask, show};
use crate::cli::control_socket::{Request, Wish};
use crate::cli::error::Error;
use crate::cli::print::{complain, say};
use crate::config::Config;
use crate::library::keep::trash::Position;
use crate::library::lookup::target::Target;
use crate::library::{self as room, Library};
use words::access::DIR_MODE;
use words::attachment::{Access, AttachmentId, TableId};
use words::author::Author;
use words::day::Day;
use words::link::Collision;
use words::place::Place;
use words::retired::Retired;
use words::row::RowRecord;
use words::schema::{Collection, Schema};
use words::slot::{Name, Slot};

/// How many entries of the trash one query reads in the search for a key.
const PAGE: usize = 512;

/// The most files that are put back together. Their numbers fit into a line of the control socket.
const MOST: usize = 20_000;

/// Put back what was removed
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mediafs restore /trash/2026-11-24/user-42-avatar.png
  mediafs restore user/42                    all that was removed from the row, and the row
  mediafs restore user/42/avatar             what was removed there last
  mediafs restore 17                         the number, as `mediafs orphans` lists it
  mediafs restore 17 user/43/avatar          somewhere else than where it was
  mediafs restore --replace 17               although there is something else by now")]
pub struct Restore {
    /// A path in the trash, a path in the tree, the key of a blob, or a number
    #[arg(value_name = "WHAT")]
    what: String,

    /// Where to: user/42/avatar [default: where it was]
    #[arg(value_name = "TARGET")]
    target: Option<String>,

    /// Take the place of what is there by now, which goes to the trash
    #[arg(long)]
    replace: bool,
}

/// The slot that a file is attached to again.
#[derive(Serialize, Deserialize)]
pub struct Restored {
    restored: String,
}

/// The numbers of removed files.
#[derive(Serialize, Deserialize)]
pub struct Lost {
    lost: Vec<u64>,
}

/// A restore whose file and target were found. Nothing has changed yet, except that a missing row was made.
pub struct Restoration {
    pub retired: Retired,
    pub table: TableId,
    pub target: Target,
    pub collision: Collision,
    pub author: Author,
}

impl Restore {
    pub fn run(&self, config: &Config) -> Result<(), Error> {
        if !self.what.contains('/') || trash_path(&self.what).is_some() {
            return self.one(config, &self.what);
        }
        let request = Request::Lost { path: self.what.clone() };
        let alone = |library: Library| lost(&library, &config.schema, &self.what);
        let Lost { lost } = ask(config, &request, alone)?;
        if lost.is_empty() {
            return Err(gone(&self.what));
        }
        if self.target.is_some() && lost.len() > 1 {
            let many = format!("{}: {} files were removed there; name one", self.what, lost.len());
            return Err(Error::Usage(many));
        }
        let mut failed = None;
        for id in lost {
            // One that cannot be put back does not keep the others from it.
            if let Err(error) = self.one(config, &id.to_string()) {
                failed.replace(error).iter().for_each(complain);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn one(&self, config: &Config, what: &str) -> Result<(), Error> {
        let (target, replace) = (self.target.clone(), self.replace);
        let wish = Wish { what: what.to_owned(), target, replace };
        // Without a daemon no kernel holds names of this library.
        let alone = |library: Library| {
            restore(&library, &config.schema, &wish, |it| {
                library.links.restore(&it.retired, &it.target, it.collision, it.author)?;
                Ok(())
            })
        };
        let Restored { restored } = ask(config, &Request::Restore(wish.clone()), alone)?;
        say(format_args!("restored {restored}"))
    }
}

/// Finds the file and its target, and calls `put`. Makes the target's row again if it was removed.
pub fn restore(
    library: &Library,
    schema: &Schema,
    wish: &Wish,
    put: impl FnOnce(&Restoration) -> Result<(), Error>,
) -> Result<Restored, Error> {
    let retired = find(library, &wish.what)?;
    let (slot, written) = destination(&retired, wish.target.as_deref(), schema)?;
    let collision = if wish.replace { Collision::Replace } else { Collision::Refuse };
    let author = Author { uid: rustix::process::geteuid().as_raw(), pid: 0 };
    let (row, target) = target(library, &retired, slot, written)?;
    let (restored, table) = (target.slot.to_string(), row.record.table);
    match put(&Restoration { retired, table, target, collision, author }) {
        Ok(()) => Ok(Restored { restored }),
        Err(error) => {
            // A row that was made in vain is removed, unless it has got files meanwhile.
            if row.is_new {
                let _ = library.rows.remove(&row.record);
            }
            Err(explain(error, &wish.what, &restored))
        }
    }
}

/// The row of a target.
struct Row {
    record: RowRecord,
    /// It was made for this restore.
    is_new: bool,
}

fn explain(error: Error, what: &str, slot: &str) -> Error {
    use crate::tree;
    match error {
        Error::Library(room::Error::Taken) | Error::Tree(tree::Error::Exists) => {
            Error::Refused(format!("{slot} is taken; --replace sends what is there to the trash"))
        }
        Error::Library(room::Error::Missing) | Error::Tree(tree::Error::NotFound) => gone(what),
        Error::Library(room::Error::WouldChange) | Error::Tree(tree::Error::CrossDevice) => {
            Error::Refused(format!("{slot}: its rules would change the bytes; copy the file there"))
        }
        other => other,
    }
}

fn gone(what: &str) -> Error {
    Error::Refused(format!("{what}: there is nothing like this in the trash"))
}

/// Finds a removed attachment by path, key or number.
fn find(library: &Library, what: &str) -> Result<Retired, Error> {
    let found = if let Ok(id) = what.parse() {
        library.trash.by_id(AttachmentId(id))?
    } else if let Some((day, name)) = trash_path(what) {
        library.trash.find(day, &name)?
    } else if what.contains('/') {
        return Err(Error::Usage(format!(
            "{what}: a path in the trash is written as trash/DATE/NAME"
        )));
    } else {
        find_by_key(library, what)?
    };
    found.ok_or_else(|| gone(what))
}

/// The last two parts of a path: the same whatever the mountpoint.
fn trash_path(path: &str) -> Option<(Day, Name)> {
    let (before, name) = path.rsplit_once('/')?;
    let day = before.rsplit_once('/').map_or(before, |(_, day)| day);
    Some((Day::parse(day)?, Name::parse(name).ok()?))
}

/// Finds an attachment by its blob. Reads the whole trash if need be. Of several the one that was removed last.
fn find_by_key(library: &Library, key: &str) -> Result<Option<Retired>, Error> {
    let mut found = None;
    each(library, |it| {
        if it.attachment.blob.to_string() == key {
            found = Some(it);
        }
    })?;
    Ok(found)
}

/// The files that were removed at a path of the tree or below it: of each place the one that was removed last.
pub fn lost(library: &Library, schema: &Schema, path: &str) -> Result<Lost, Error> {
    // An alias of a field is one name of it.
    let slot = show::parse(path, schema).map(|slot| slot.to_string());
    let place = slot.unwrap_or_else(|_| show::inside(path, schema).to_owned());
    let below = format!("{place}/");
    let mut last = BTreeMap::new();
    each(library, |it| {
        let slot = it.slot.to_string();
        if (slot == place || slot.starts_with(&below))
            && (last.len() < MOST || last.contains_key(&slot))
        {
            last.insert(slot, it.attachment.id.0);
        }
    })?;
    Ok(Lost { lost: last.into_values().collect() })
}

/// Visits the whole trash, in the order of removal.
fn each(library: &Library, mut visit: impl FnMut(Retired)) -> Result<(), Error> {
    let mut from = Day(0);
    while let Some(day) = library.trash.first_day(from)? {
        let mut position = Position { at: day.start(), skip: 0 };
        loop {
            let page = library.trash.list(day, position, PAGE)?;
            let Some(last) = page.last() else { break };
            position = last.next;
            for it in page {
                visit(it.retired);
            }
        }
        from = day.next();
    }
    Ok(())
}

/// The target's slot and its written name.
fn destination(
    retired: &Retired,
    target: Option<&str>,
    schema: &Schema,
) -> Result<(Slot, Name), Error> {
    let Some(path) = target else { return Ok((retired.slot.clone(), retired.written.clone())) };
    let slot = show::parse(path, schema)?;
    let last = path.rsplit('/').next().unwrap_or(path);
    let written = Name::parse(last).map_err(|error| Error::Usage(format!("{path}: {error}")))?;
    Ok((slot, written))
}

fn target(
    library: &Library,
    retired: &Retired,
    slot: Slot,
    written: Name,
) -> Result<(Row, Target), Error> {
    let unknown = |what| Error::Refused(format!("{slot}: there is no such {what}; name a TARGET"));
    let table = library.lookup.table_named(slot.row.table.as_str());
    let table = table.ok_or_else(|| unknown("table any more"))?;
    let field = table.field(slot.field.as_str()).ok_or_else(|| unknown("field any more"))?;
    if (field.collection == Collection::One) != slot.item.is_none() {
        return Err(unknown("place in the field"));
    }
    let row = row(library, retired, table.id, &slot.row.id)?;
    let place = Place { row: row.record.id, field: field.name.clone(), item: slot.item.clone() };
    let field = std::sync::Arc::clone(field);
    if let (Some(most), Some(_)) = (field.max_items, &place.item)
        && library.lookup.count_items(&place)? >= most
        && library.lookup.link(&place)?.is_none()
    {
        return Err(Error::Refused(format!("{slot}: {} has {most} items (max_items)", field.name)));
    }
    let directory = row.record.access;
    Ok((row, Target { place, slot, field, written, directory }))
}

/// Finds the row, or makes it again for the attachment's owner.
fn row(library: &Library, retired: &Retired, table: TableId, id: &Name) -> Result<Row, Error> {
    if let Some(record) = library.lookup.row(table, id)? {
        return Ok(Row { record, is_new: false });
    }
    let access = retired.attachment.access;
    match library.rows.make(table, id, Access { mode: DIR_MODE, ..access }) {
        // Another process has made the row meanwhile.
        Err(room::Error::Taken) => {
            let record = library.lookup.row(table, id)?.ok_or(room::Error::Missing)?;
            Ok(Row { record, is_new: false })
        }
        made => Ok(Row { record: made?, is_new: true }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_in_the_trash_is_known_by_its_end() {
        let name = Name::parse("user-42-avatar.png").expect("a name");
        let day = Day::parse("2026-11-24").expect("a day");
        for path in [
            "2026-11-24/user-42-avatar.png",
            "trash/2026-11-24/user-42-avatar.png",
            "/srv/media/trash/2026-11-24/user-42-avatar.png",
        ] {
            assert_eq!(trash_path(path), Some((day, name.clone())), "{path}");
        }
        for path in ["user-42-avatar.png", "trash/yesterday/x", "2026-11-24/"] {
            assert_eq!(trash_path(path), None, "{path}");
        }
    }
}
