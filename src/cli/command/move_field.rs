//! `mediafs move-field`: moves all files of a field to another one, after the configuration was changed.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::assembly;
use crate::cli::control_socket::{self, Request};
use crate::cli::error::Error;
use crate::cli::print::{counted, say, warn};
use crate::config::Config;
use crate::library::names::field_moves::{FieldMove, FieldName, MovedPage};
use crate::library::{self as room, Library};
use words::attachment::{AttachmentId, RowId, TableId};
use words::author::Author;
use words::link::Link;
use words::place::Place;
use words::slot::Name;

/// The most rows of an answer. Nothing else is answered on the control socket meanwhile.
const PAGE: usize = 100;

/// Move all files of a field to another field
#[derive(Debug, Args)]
#[command(
    after_help = "A field that was renamed or removed in the configuration keeps its files, and no name shows them: `mediafs
check-config` and `mediafs status` say so. This command gives them names again. Each is judged as a rename is.
Images that the new field would change move only while the old field is declared too, with the rules that it had.

Examples:
  mediafs move-field user.photo user.avatar        the field was renamed
  mediafs move-field person.avatar user.avatar     the table was renamed
  mediafs move-field user.photos user.photos       the field became a list: its files become items"
)]
pub struct MoveField {
    /// The field that has the files, which the configuration need not have
    #[arg(value_name = "OLD")]
    from: String,

    /// The field that gets them
    #[arg(value_name = "NEW")]
    to: String,
}

impl MoveField {
    pub fn run(&self, config: &Config) -> Result<(), Error> {
        let (mut alone, mut after) = (None, Some(0));
        let (mut moved, mut stayed) = (0, 0);
        while let Some(row) = after {
            let (from, to) = (self.from.clone(), self.to.clone());
            let request = Request::MoveField { from, to, after: row };
            let asked = match alone {
                Some(_) => None,
                None => control_socket::ask::<Value>(&config.library.path, &request)?,
            };
            let page = match (asked, &alone) {
                (Some(page), _) => page,
                (None, Some(library)) => self.page(library, row)?,
                (None, None) => self.page(alone.insert(assembly::open(config)?), row)?,
            };
            moved += page["moved"].as_u64().unwrap_or(0);
            stayed += page["stayed"].as_u64().unwrap_or(0);
            page["reasons"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .for_each(warn);
            after = page["next"].as_u64();
        }
        say(format_args!("moved {} from {} to {}", counted(moved, "file"), self.from, self.to))?;
        if stayed == 0 {
            return Ok(());
        }
        Err(Error::Refused(format!("{} stayed in {}", counted(stayed, "file"), self.from)))
    }

    fn page(&self, library: &Library, after: u64) -> Result<Value, Error> {
        page(library, (&self.from, &self.to), after, |_, _, _| {})
    }
}

/// Moves the files of one page of rows. Calls `told` for each that has moved.
pub fn page(
    library: &Library,
    (from, to): (&str, &str),
    after: u64,
    told: impl Fn(AttachmentId, &Place, &Place),
) -> Result<Value, Error> {
    let (from, to) = (parse(from)?, parse(to)?);
    let author = Author { uid: rustix::process::geteuid().as_raw(), pid: 0 };
    let fields = FieldMove { from: &from, to: &to, author };
    let tell = |link: &Link, place: &Place| told(link.attachment.id, &link.place, place);
    let page = library.field_moves().page(&fields, (RowId(after), PAGE), tell);
    let MovedPage { moved, stayed, reasons, next } = page.map_err(|error| match error {
        room::Error::Missing => Error::Usage(format!(
            "the configuration has no field `{}.{}`; files move to a field that it has",
            to.table, to.field
        )),
        error => error.into(),
    })?;
    if next.is_none() {
        library.hidden.count()?;
    }
    Ok(json!({ "moved": moved, "stayed": stayed, "reasons": reasons, "next": next.map(|it| it.0) }))
}

/// The table that may get rows by the move: the target's, if it is another one.
pub fn other_table(library: &Library, from: &str, to: &str) -> Result<Option<TableId>, Error> {
    let (from, to) = (parse(from)?.table, parse(to)?.table);
    let table = library.lookup.table_named(to.as_str()).filter(|_| from != to);
    Ok(table.map(|table| table.id))
}

/// Parses `user.avatar`.
fn parse(written: &str) -> Result<FieldName, Error> {
    let parts =
        written.split_once('.').map(|(table, field)| (Name::parse(table), Name::parse(field)));
    match parts {
        Some((Ok(table), Ok(field))) => Ok(FieldName { table, field }),
        _ => Err(Error::Usage(format!(
            "{written}: a field is written as TABLE.FIELD, such as user.avatar"
        ))),
    }
}
