//! `.~tmp~`, the directory in which `rsync --delay-updates` keeps each finished file until it renames all of them. Every row and
//! collection has one, unlisted. It is a view: `.~tmp~/a.jpg` is the scratch file `.~tmp~a.jpg` of the directory above. A table has
//! one for the litter beside its rows.

use std::borrow::Cow;
use std::ffi::OsStr;

use crate::tree::error::{Error, Result};
use crate::tree::node::meaning::DELAYED;
use crate::tree::node::{Ino, Node};
use crate::tree::ops::Tree;
use crate::tree::request::NameIn;
use crate::tree::show::attr::{Attr, Entry};
use crate::tree::show::listing::Listed;
use words::slot::Name;

/// The directory and the name that a name in `.~tmp~` stands for.
pub fn placed(parent: Ino, name: &OsStr) -> (Ino, Cow<'_, OsStr>) {
    let above = match Node::of(parent) {
        Some(Node::Delayed(table, row)) => Node::Row(table, row),
        Some(Node::DelayedItems(field, row)) => Node::Collection(field, row),
        Some(Node::DelayedRows(table)) => Node::Table(table),
        _ => return (parent, Cow::Borrowed(name)),
    };
    let mut placed = OsStr::new(DELAYED).to_owned();
    placed.push(name);
    (above.ino(), Cow::Owned(placed))
}

/// [`placed`], for a name that is handed on as one.
pub fn placed_name<'a>(at: NameIn<'a>, name: &'a mut Cow<'a, OsStr>) -> NameIn<'a> {
    let (parent, placed) = placed(at.parent, at.name);
    *name = placed;
    NameIn { parent, name }
}

/// The directory, if a name in a row, a collection or a table is its name.
pub fn directory(parent: Ino, name: &OsStr) -> Option<Node> {
    match Node::of(parent).filter(|_| name == DELAYED)? {
        Node::Row(table, row) => Some(Node::Delayed(table, row)),
        Node::Collection(field, row) => Some(Node::DelayedItems(field, row)),
        Node::Table(table) => Some(Node::DelayedRows(table)),
        _ => None,
    }
}

impl Tree {
    /// It has its row's owner, mode and times.
    pub(super) fn show_delayed(&self, node: Node) -> Result<Entry> {
        let (Node::Delayed(_, row) | Node::DelayedItems(_, row)) = node else {
            let (above, _) = placed(node.ino(), OsStr::new(""));
            let attr = self.show.fixed(Node::at(above)?);
            return Ok(Entry::fleeting(Attr { ino: node.ino(), ..attr }));
        };
        let row = self.places.row_of_inode(row)?;
        Ok(Entry::fleeting(Attr::directory(node, row.access, row.times)))
    }

    pub(super) fn list_delayed(&self, node: Node) -> Result<Vec<Listed>> {
        let (above, _) = placed(node.ino(), OsStr::new(""));
        if matches!(node, Node::DelayedRows(_)) {
            return Ok(Vec::new());
        }
        self.view.tables.leave_for_scratch()?;
        let found = self.library.scratch.list(&self.places.directory(above)?.folder())?;
        let inside = found.iter().filter_map(|record| {
            let name = Name::parse(record.name.as_str().strip_prefix(DELAYED)?).ok()?;
            Some(Listed { name: name.as_str().into(), ..Listed::scratch(record) })
        });
        Ok(inside.collect())
    }

    /// `rmdir`: it is there all the same at the next lookup.
    pub(super) fn clear_delayed(&self, directory: Node) -> Result<()> {
        if self.list_delayed(directory)?.is_empty() { Ok(()) } else { Err(Error::NotEmpty) }
    }
}
