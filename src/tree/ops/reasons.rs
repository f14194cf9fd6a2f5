//! The words of a refusal that no rule of a field gives: a file in the wrong place, a name that cannot be, a full disk. They go where
//! every refusal goes (CONTRACT 4), at a bounded rate for each user.

use std::ffi::OsStr;

use crate::fence::chain;
use crate::tree::error::{Error, Result};
use crate::tree::node::{Ino, Node};
use crate::tree::open::handles::{Fh, Handle};
use crate::tree::ops::Tree;
use crate::tree::request::Caller;
use words::author::Author;
use words::place::Folder;
use words::refusal::{Refusal, Rule, Violation};
use words::schema::Collection;

/// The most names of tables or fields that are listed.
const MAX_NAMES: usize = 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    File,
    Directory,
    Special,
    Symlink,
    Link,
    Rename,
    Remove,
    Change,
}

#[derive(Debug, Clone, Copy)]
pub enum At<'a> {
    Name(Ino, &'a OsStr),
    Node(Ino),
}

/// A request that changes something: its sender, and the name or inode that it is for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub who: Caller,
    pub act: Act,
    pub at: At<'a>,
}

impl Tree {
    pub(super) fn explained<T>(&self, asked: Asked<'_>, outcome: Result<T>) -> Result<T> {
        outcome.inspect_err(|error| self.explain(asked, error))
    }

    #[cold]
    pub(super) fn explain(&self, Asked { who, act, at }: Asked<'_>, error: &Error) {
        let Some((rule, fact)) = reason(error) else { return };
        let (directory, path) = match at {
            At::Node(ino) => (ino, self.path(ino)),
            At::Name(parent, name) => {
                (parent, format!("{}/{}", self.path(parent), printable(name)))
            }
        };
        let (subject, allows) = self.takes(directory);
        let fact = match (rule, act) {
            (Rule::WrongPlace, Act::File) => "a file cannot be made here".to_owned(),
            (Rule::WrongPlace, Act::Directory) if Node::of(directory) == Some(Node::Models) => {
                "there is no such table".to_owned()
            }
            (Rule::WrongPlace, Act::Directory) => "a directory cannot be made here".to_owned(),
            (Rule::WrongPlace, Act::Special) => {
                "devices, sockets and fifos cannot be kept".to_owned()
            }
            (Rule::WrongPlace, Act::Symlink) => "a symbolic link must lead to a URL".to_owned(),
            (Rule::WrongPlace, Act::Link) => "a link cannot be made here".to_owned(),
            (Rule::WrongPlace, Act::Rename) => "it cannot be moved here".to_owned(),
            (Rule::WrongPlace, Act::Remove) => "it cannot be removed".to_owned(),
            _ => fact,
        };
        self.note(self.open.processes.author(who), path, subject, violation(rule, fact, allows));
    }

    /// Explains a refusal that the tree did not decide: a full queue, or a file that is being read past its page cache. The path is
    /// that of the inode, where it is known.
    #[cold]
    pub fn explain_outside(&self, who: Caller, ino: Option<Ino>, error: &Error) {
        let Some((rule, fact)) = reason(error) else { return };
        let (subject, allows) = ino.map_or_else(unknown, |ino| self.takes(ino));
        let path = ino.map_or_else(|| "?".to_owned(), |ino| self.path(ino));
        self.note(self.open.processes.author(who), path, subject, violation(rule, fact, allows));
    }

    /// Explains a refusal of bytes. The path is that of the file that is being written.
    #[cold]
    pub(super) fn explain_by_handle(&self, fh: Fh, error: &Error) {
        let Some((rule, fact)) = reason(error) else { return };
        let Ok(handle) = self.open.handles.find(fh) else { return };
        let (author, ino) = match &*handle {
            Handle::Draft { open, .. } => (open.draft.author(), Node::Draft(open.id).ino()),
            Handle::Scratch(scratch) => {
                (scratch.opener.author(scratch.access.uid), Node::Scratch(scratch.id).ino())
            }
            // A document is refused as a whole, in words of its own; the others are not written to.
            Handle::Document(_)
            | Handle::Blob { .. }
            | Handle::Text(_)
            | Handle::Nothing(_)
            | Handle::Litter(_) => return,
        };
        let (subject, allows) = self.takes(ino);
        self.note(author, self.path(ino), subject, violation(rule, fact, allows));
    }

    fn note(&self, author: Author, path: String, field: String, violation: Violation) {
        let id = self.library.journal.next_id();
        self.library.journal.note(&Refusal { id, path, field, violation }, author);
    }

    /// The path of an inode: `user/42/avatar` below `/models`, `/thumbs` elsewhere, and nothing for the root.
    fn path(&self, ino: Ino) -> String {
        let lookup = &self.library.lookup;
        let folder = |folder: Folder| lookup.folder_path(&folder).ok();
        let known = match Node::of(ino).map(Node::as_model) {
            Some(Node::Root) => Some(String::new()),
            Some(Node::Table(table) | Node::DelayedRows(table)) => {
                lookup.table(table).map(|table| table.name.to_string())
            }
            Some(Node::Row(_, row) | Node::RowJson(_, row) | Node::Delayed(_, row)) => {
                folder(Folder::row(row))
            }
            Some(Node::Collection(field, row) | Node::DelayedItems(field, row)) => {
                let field = lookup.field(field).map(|(_, field)| field.name.clone());
                folder(Folder { row, field })
            }
            Some(node @ Node::Attachment(..)) => {
                let place = self.places.names_of(node).ok().and_then(|mut places| places.pop());
                place.and_then(|place| lookup.slot_of(&place).ok()?).map(|slot| slot.to_string())
            }
            Some(Node::Draft(id)) => {
                let noted = |id| {
                    let place = self.open.redirects.place_inode(id)?.spot.place.clone();
                    Some(lookup.slot_of(&place).ok()??.to_string())
                };
                match self.open.drafts.find(id) {
                    Ok(open) => Some(open.draft.target().slot.to_string()),
                    Err(_) => noted(id),
                }
            }
            Some(Node::Scratch(id)) => {
                let record = self.library.scratch.by_id(id).ok().flatten();
                record.and_then(|it| Some(format!("{}/{}", folder(it.folder)?, it.name)))
            }
            Some(node) => top(node).map(str::to_owned),
            None => None,
        };
        known.unwrap_or_else(|| "?".to_owned())
    }

    /// Names a directory and the entries that can be made in it, as a subject and a predicate.
    fn takes(&self, ino: Ino) -> (String, String) {
        let lookup = &self.library.lookup;
        let table = |id| lookup.table(id).map(|table| (table, table.name.to_string()));
        let of_row = |row| table(lookup.row_by_id(row).ok()??.table);
        let row = match Node::of(ino).map(Node::as_model) {
            Some(Node::Table(id) | Node::DelayedRows(id)) => {
                let Some((_, name)) = table(id) else { return unknown() };
                return (name, "takes rows, which mkdir makes".to_owned());
            }
            Some(Node::Row(id, _) | Node::Delayed(id, _)) => table(id),
            Some(Node::Collection(_, row) | Node::DelayedItems(_, row)) => of_row(row),
            Some(
                Node::Attachment(..)
                | Node::Draft(_)
                | Node::Scratch(_)
                | Node::DropBox(_)
                | Node::DesktopTrash(_)
                | Node::DesktopTrashFiles(_)
                | Node::DesktopTrashInfo(_)
                | Node::DesktopTrashNote(_),
            ) => return unknown(),
            Some(Node::Root | Node::Models | Node::Drop) => {
                let names = lookup.tables().iter().map(|table| table.name.as_str());
                return ("the tree".to_owned(), format!("has the tables {}", list(names)));
            }
            _ => return ("this part of the tree".to_owned(), "is read-only".to_owned()),
        };
        let Some((table, name)) = row else { return unknown() };
        let fields = table.fields.iter().map(|field| match field.collection {
            Collection::One => field.name.to_string(),
            Collection::List | Collection::Dict => format!("{}/", field.name),
        });
        (name, format!("takes files in {}", list(fields)))
    }
}

fn unknown() -> (String, String) {
    ("the tree".to_owned(), "refuses it".to_owned())
}

fn list<T: ToString>(names: impl Iterator<Item = T>) -> String {
    let mut names = names.map(|name| name.to_string());
    let first: Vec<_> = names.by_ref().take(MAX_NAMES).collect();
    let more = if names.next().is_some() { ", ..." } else { "" };
    first.join(", ") + more
}

/// The directory in the root that a node belongs to.
fn top(node: Node) -> Option<&'static str> {
    Some(match node {
        Node::Models => "/models",
        Node::Drop | Node::DropBox(_) => "/drop",
        Node::Trash | Node::TrashDay(_) | Node::Trashed(_) => "/trash",
        Node::Thumbs
        | Node::ThumbTable(_)
        | Node::ThumbRow(..)
        | Node::ThumbCollection(..)
        | Node::ThumbField(..)
        | Node::GuardedThumbs(..)
        | Node::Variant(_) => "/thumbs",
        Node::Control
        | Node::Status
        | Node::Metrics
        | Node::Errors
        | Node::LastError
        | Node::Quarantine
        | Node::QuarantineEntry(_)
        | Node::QuarantineBytes(_)
        | Node::QuarantineReason(_) => "/.mediafs",
        _ => return None,
    })
}

/// A name as text: control characters and bytes that are no UTF-8 are written as escapes.
fn printable(name: &OsStr) -> String {
    let escaped = |char: char| {
        if char.is_control() { char.escape_default().to_string() } else { char.into() }
    };
    name.to_string_lossy().chars().map(escaped).collect()
}

fn violation(rule: Rule, fact: String, allows: String) -> Violation {
    let (measured, allowed) = (String::new(), String::new());
    Violation { rule, fact, measured, allows, allowed, hint: hint(rule).to_owned() }
}

fn hint(rule: Rule) -> &'static str {
    match rule {
        Rule::WrongPlace => "write to a field of a row, as in models/user/42/avatar",
        Rule::Name => "choose another name",
        Rule::ReadOnly => "change the file under /models that it is made from",
        Rule::Owner => "ask its owner, or root",
        Rule::InUse => "try again when the other program has closed it",
        Rule::Space => "free space on the disk of the library, then send the file again",
        Rule::Quota => "remove something, or ask for a larger quota",
        Rule::OpenFiles => "raise the daemon's limit of descriptors (LimitNOFILE)",
        Rule::Busy => "try again in a moment",
        _ => "the log of the daemon has more",
    }
}

/// The rule and the fact of an error that no other part has explained. None for an answer that programs expect and go on with, and
/// for what was explained: by a refusal, and by the fence, of which every channel tells. An
/// operation that must run elsewhere is run again.
fn reason(error: &Error) -> Option<(Rule, String)> {
    let rule = match error {
        Error::Refused(_)
        | Error::Fenced(_)
        | Error::NotFound
        | Error::Exists
        | Error::NotEmpty
        | Error::NotDirectory
        | Error::IsDirectory
        | Error::CrossDevice
        | Error::Stale
        | Error::BadHandle
        | Error::NoAttribute
        | Error::AttributeExists
        | Error::NotSupported
        | Error::NoData
        | Error::Elsewhere(_) => return None,
        Error::NotPermitted => Rule::WrongPlace,
        Error::ReadOnly => Rule::ReadOnly,
        Error::Denied => Rule::Owner,
        Error::BadName(reason) => {
            return Some((Rule::Name, format!("the name cannot be used: {reason}")));
        }
        Error::Invalid(_) => Rule::Request,
        Error::Busy | Error::BeingRead => Rule::InUse,
        Error::AttributeTooLong => Rule::Attributes,
        Error::TooLarge => Rule::MaxSize,
        Error::OverQuota(_) => Rule::Quota,
        Error::NoSpace => Rule::Space,
        Error::TooManyFiles => Rule::OpenFiles,
        Error::TooBusy => Rule::Busy,
        Error::Damaged | Error::Failed(_) => Rule::Failed,
    };
    Some((rule, chain(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_printed_without_control_characters() {
        assert_eq!(printable(OsStr::new("a\n\u{1b}b")), "a\\n\\u{1b}b");
        assert_eq!(list(["a", "b"].into_iter()), "a, b");
        assert!(list(0..99).ends_with("19, ..."));
    }
}
