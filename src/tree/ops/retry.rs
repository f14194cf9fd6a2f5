//! Trying again where what the quarantine keeps was going (`mediafs refused --retry`).
//! Does not list the quarantine.

use crate::library::lookup::table::Table;
use crate::library::lookup::target::Target;
use crate::library::refuse::kept::Kept;
use crate::tree::attr::RenameMode;
use crate::tree::directory::Directory;
use crate::tree::node::Node;
use crate::tree::ops::rename::Goal;
use crate::tree::side::Side;
use crate::tree::{Caller, Error, Result, Tree};
use words::place::Folder;
use words::refusal::RefusalId;
use words::row::RowRecord;
use words::slot::Name;

impl Tree {
    /// Tries again where an entry of the quarantine was going, for the user who sent it.
    /// Errors: [`Error::NotFound`] if there is no such entry, row or field any more; [`Error::Refused`] leaves the entry.
    pub fn retry_refused(&self, id: RefusalId) -> Result<()> {
        let kept = self.library.quarantine.find(id).ok_or(Error::NotFound)?;
        let (target, row) = self.target_of(&kept)?;
        // Its group is not on record: that of the row is as near as one comes.
        let who = Caller { uid: kept.uid, gid: row.access.gid, tid: 0 };
        self.retry(who, id, (&target, Side::Models), RenameMode::Replace)
    }

    /// Where an entry was going, if a field or a collection of that name is there still.
    fn target_of(&self, kept: &Kept) -> Result<(Target, RowRecord)> {
        let names: Option<Vec<_>> =
            kept.path.split('/').map(|part| Name::parse(part).ok()).collect();
        let Some([table, id, rest @ ..]) = names.as_deref() else { return Err(Error::NotFound) };
        let table = self.library.lookup.table_named(table.as_str()).ok_or(Error::NotFound)?;
        let row = self.library.lookup.row(table.id, id)?.ok_or(Error::NotFound)?;
        let written = Name::parse(&kept.name).map_err(|_| Error::NotFound)?;
        let (field, name) = match rest {
            [field] => (None, field),
            [field, _] => (Some(field), &written),
            _ => return Err(Error::NotFound),
        };
        let node = directory(table, &Folder { row: row.id, field: field.cloned() });
        let parent = Directory::of(&self.library, node.ok_or(Error::NotFound)?);
        match self.goal(&parent.ok_or(Error::NotFound)?, name)? {
            Goal::File(place, field) => Ok((self.target(&place, &field, &written)?, row)),
            Goal::Scratch(_) | Goal::Url(..) | Goal::Json(_) => Err(Error::NotFound),
        }
    }
}

fn directory(table: &Table, folder: &Folder) -> Option<Node> {
    match &folder.field {
        Some(field) => Some(Node::Collection(table.number(field)?, folder.row)),
        None => Some(Node::Row(table.id, folder.row)),
    }
}
