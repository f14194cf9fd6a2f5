//! The objections to a document that was written to `row.json`.

use crate::library::error::Error;
use words::place::Place;
use words::refusal::{Rule, Violation};

/// The reason why a patch is not applied.
pub(super) enum Wrong {
    Document(Violation),
    Library(Error),
}

impl From<Error> for Wrong {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

pub(super) fn broken(error: &serde_json::Error) -> Wrong {
    let (line, column) = (error.line(), error.column());
    wrong(&format!("line {line}, column {column} is no JSON ({error})"), "JSON")
}

/// The present value is not named: a refusal is read by users who may not read the file.
pub(super) fn fixed(key: &str) -> Wrong {
    let fact = format!(
        "`{key}` is not what is stored and cannot be set; the file may have changed meanwhile"
    );
    wrong(&fact, "original_filename, attributes, and keys of your own")
}

pub(super) fn not_writable(place: &Place) -> Violation {
    Violation {
        rule: Rule::Permission,
        fact: format!("the file at `{}` may not be written by this user", place.name()),
        measured: "no permission".into(),
        allows: "takes metadata of files that one may write".into(),
        allowed: "the permission to write the file".into(),
        hint: "leave the file out, or ask its owner".into(),
    }
}

pub(super) fn wrong(fact: &str, takes: &str) -> Wrong {
    Wrong::Document(Violation {
        rule: Rule::Json,
        fact: fact.to_owned(),
        measured: fact.to_owned(),
        allows: format!("takes {takes}"),
        allowed: takes.to_owned(),
        hint: "read row.json again, change that, and write it back".into(),
    })
}
