//! `mediafs show`: prints one attachment as JSON, in the layout of sqlalchemy-media's dictionary (CONTRACT 6).

use clap::Args;
use serde_json::{Value, json};

use crate::cli::command::ask;
use crate::cli::control_socket::Request;
use crate::cli::error::Error;
use crate::cli::print::say;
use crate::config::Config;
use crate::library::Library;
use words::attachment::Access;
use words::place::Place;
use words::schema::{Collection, Schema};
use words::slot::{Name, Row, Slot};

/// Print what is attached at a path of the tree, as JSON
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mediafs show user/42/avatar
  mediafs show /models/user/42/avatar.jpg | jq .width")]
pub struct Show {
    /// user/42/avatar or user/42/photos/front.jpg, or the path in the mount
    #[arg(value_name = "PATH-IN-TREE")]
    path: String,
}

impl Show {
    pub fn run(&self, config: &Config) -> Result<(), Error> {
        let slot = parse(&self.path, &config.schema)?;
        let request = Request::Show { path: slot.to_string() };
        let alone = |library: Library| find(&library, &config.schema, &self.path);
        say(format_args!("{:#}", ask(config, &request, alone)?))
    }
}

/// Describes the attachment at a path of the tree: its own dictionary, with its place and owner.
pub fn find(library: &Library, schema: &Schema, path: &str) -> Result<Value, Error> {
    let slot = parse(path, schema)?;
    let nothing = || Error::Refused(format!("{slot}: nothing is attached"));
    let row = match library.lookup.table_named(slot.row.table.as_str()) {
        Some(table) => library.lookup.row(table.id, &slot.row.id)?,
        None => None,
    };
    let row = row.ok_or_else(nothing)?;
    let place = Place { row: row.id, field: slot.field.clone(), item: slot.item.clone() };
    let link = library.lookup.link(&place)?.ok_or_else(nothing)?;
    let mut told = Value::from(library.row_documents.describe(&row, &link)?);
    let Access { uid, gid, mode } = link.attachment.access;
    told["path"] = json!(slot.to_string());
    told["links"] = json!(link.attachment.links);
    told["uid"] = json!(uid);
    told["gid"] = json!(gid);
    told["mode"] = json!(format!("{mode:04o}"));
    Ok(told)
}

/// `user/42` of that, of `/models/user/42`, and of the path in a mount, `/srv/media/models/user/42`.
pub fn inside<'p>(path: &'p str, schema: &Schema) -> &'p str {
    let plain = path.trim_start_matches("./").trim_matches('/');
    let after = plain.strip_prefix("models/").or_else(|| Some(plain.rsplit_once("/models/")?.1));
    let is_place = |it: &&str| it.split('/').next().is_some_and(|it| schema.table(it).is_some());
    after.filter(is_place).unwrap_or(plain)
}

/// Parses `user/42/avatar` or an alias of it, as [`inside`] reads paths. Table and field must be declared.
pub fn parse(path: &str, schema: &Schema) -> Result<Slot, Error> {
    let usage = |reason: String| Error::Usage(format!("{path}: {reason}"));
    let inside = inside(path, schema);
    let (table, id, field, item) = match *inside.split('/').collect::<Vec<_>>().as_slice() {
        [table, id, field] => (table, id, field, None),
        [table, id, field, item] => (table, id, field, Some(item)),
        _ => {
            return Err(usage(
                "a path is written as TABLE/ID/FIELD or TABLE/ID/COLLECTION/NAME, such as user/42/avatar"
                    .into(),
            ));
        }
    };
    let found = schema.table(table).ok_or_else(|| usage(format!("there is no table `{table}`")))?;
    let id = Name::parse(id).map_err(|error| usage(error.to_string()))?;
    if !found.id.allows(&id) {
        return Err(usage(format!("a row of {table} is called by {}", found.id.describe())));
    }
    // No field has a dot in its name: a dot begins the extension of an alias.
    let (stem, _) = field.split_once('.').unwrap_or((field, ""));
    let field = found.field(stem).ok_or_else(|| usage(format!("{table} has no field `{stem}`")))?;
    let item = match (item, field.collection) {
        (None, Collection::One) => None,
        (Some(_), Collection::One) => return Err(usage(format!("{stem} holds one file"))),
        (None, _) => return Err(usage(format!("{stem} is a directory; add the name of an item"))),
        (Some(written), _) => {
            let written = Name::parse(written).map_err(|error| usage(error.to_string()))?;
            Some(field.item(&written))
        }
    };
    Ok(Slot { row: Row { table: found.name.clone(), id }, field: field.name.clone(), item })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn slot(path: &str) -> Result<String, String> {
        let schema = config::parse(config::SAMPLE, "sample").expect("the sample").schema;
        parse(path, &schema).map(|slot| slot.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_path_in_the_tree_has_several_spellings() {
        for path in [
            "user/42/avatar",
            "/models/user/42/avatar",
            "models/user/42/avatar.jpg",
            "./media/models/user/42/avatar",
            "/srv/models/models/user/42/avatar.png",
        ] {
            assert_eq!(slot(path), Ok("user/42/avatar".into()), "{path}");
        }
        assert_eq!(slot("/models/user/42/photos/a.jpg"), Ok("user/42/photos/a.jpg".into()));
    }

    #[test]
    fn a_path_that_the_tree_cannot_have_is_refused_with_the_reason() {
        let told = |path| slot(path).expect_err("a refusal");
        assert!(told("user/42").contains("TABLE/ID/FIELD"));
        assert!(told("users/42/avatar").contains("no table `users`"));
        assert!(told("user/mary/avatar").contains("a whole number"));
        assert!(told("user/42/photo").contains("no field `photo`"));
        assert!(told("user/42/photos").contains("photos is a directory"));
        assert!(told("user/42/avatar/a.jpg").contains("avatar holds one file"));
        assert!(told("user/42/photos/a./b").contains("TABLE/ID/COLLECTION/NAME"));
    }
}
