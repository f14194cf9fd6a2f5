//! `mkdir` and `rmdir`. A program makes and removes rows. Collections and directories of variants can be emptied: they exist
//! again at the next lookup, so that `rm -r` of a row succeeds. A collection that its caller was not shown can be made.

use std::ffi::OsStr;

use crate::library;
use crate::session_thread;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::Change;
use crate::tree::node::meaning::{self, Directory, Meaning};
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use crate::tree::ops::Tree;
use crate::tree::ops::delayed;
use crate::tree::request::Caller;
use crate::tree::show::attr::Entry;
use words::attachment::TableId;
use words::refusal::{Refusal, Rule, Violation};
use words::row::RowRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

impl Tree {
    /// `mkdir` makes a row, and lets a program believe that it makes a collection.
    pub(super) fn make_directory(
        &self,
        who: Caller,
        parent: Ino,
        name: &OsStr,
        mode: u32,
    ) -> Result<Entry> {
        let name = self.made(parent, name)?;
        let node = Node::at(parent)?;
        let table = match node.as_model() {
            Node::Table(table) => table,
            Node::Row(..) => return self.make_collection(parent, &name),
            other => return Err(other.refusal()),
        };
        let declared = self.places.table(table)?;
        if !declared.rule.allows(&name) {
            return Err(self.bad_id(who, table, &name)?.into());
        }
        let directory = declared.directory(self.show.daemon());
        let access = directory.of_directory_inside(who.makes(mode));
        let row = self.library.rows.make(table, &name, access)?;
        let nodes = declared.collections().map(|(number, _)| Node::Collection(number, row.id));
        self.open.unseen.note(who, nodes);
        self.kernel.tell(&Change::Table { table, at: Timestamp::now() });
        Ok(self.show.row(Side::of(node).row(table, row.id), &row))
    }

    /// Other directories than collections cannot be made in a row.
    fn make_collection(&self, row: Ino, name: &Name) -> Result<Entry> {
        let directory = self.places.directory(row)?;
        let Meaning::Collection(number) = meaning::meaning(&directory, name) else {
            return Err(Error::NotPermitted);
        };
        let row = self.places.row(directory.row)?;
        let node = directory.side().collection(number, row.id);
        if !self.open.unseen.make(node) {
            return Err(Error::Exists);
        }
        Ok(self.show.with_generation(self.show.row(node, &row)))
    }

    /// Refuses the id of a row.
    pub(super) fn bad_id(&self, who: Caller, table: TableId, name: &Name) -> Result<Refusal> {
        let table = self.places.table(table)?;
        let refusal = Refusal {
            id: self.library.journal.next_id(),
            path: format!("{}/{name}", table.name),
            field: table.name.to_string(),
            violation: Violation {
                rule: Rule::Name,
                fact: format!("'{name}' is no id of this table"),
                measured: name.to_string(),
                allows: format!("takes {}", table.rule.describe()),
                allowed: table.rule.describe().to_owned(),
                hint: "choose another id".into(),
            },
        };
        let author = self.open.processes.author(who);
        self.library.journal.note(&refusal, author);
        Ok(refusal)
    }

    /// `rmdir` of a row or a collection: attachments keep it; scratch, drafts and placeholders do not.
    pub(super) fn remove_directory(&self, who: Caller, parent: Ino, name: &OsStr) -> Result<()> {
        if let Some(directory) = delayed::directory(parent, name) {
            return self.clear_delayed(directory);
        }
        let name = self.sought(parent, name)?;
        let node = Node::at(parent)?;
        match node.as_model() {
            Node::Table(table) => self.remove_row(who, table, Side::of(node), &name),
            Node::Root | Node::Models | Node::Drop => Err(Error::NotPermitted),
            Node::Row(..) => self.clear_collection(who, &self.places.directory(parent)?, &name),
            Node::Collection(..) | Node::DropBox(_) => Err(Error::NotDirectory),
            Node::Quarantine => self.view.control.quarantine.remove(&name),
            parent => self.view.thumbs.remove(parent, &name),
        }
    }

    fn remove_row(&self, who: Caller, table: TableId, side: Side, name: &Name) -> Result<()> {
        let record = self.library.lookup.row(table, name)?.ok_or(Error::NotFound)?;
        self.view.tables.leave_for_scratch()?;
        if let Err(error) = self.library.rows.remove(&record) {
            if matches!(error, library::Error::NotEmpty)
                && let Some(refusal) = self.refuse_hidden(who, &record)?
            {
                return Err(refusal.into());
            }
            return Err(error.into());
        }
        let (row, drafts) = (record.id, &self.open.drafts);
        drafts.drop_placeholders_where(row, |_| true);
        drafts.of_row(row).iter().for_each(|open| open.unlink());
        self.open.links.remove_where(|folder| folder.row == row);
        self.kernel.tell(&Change::RowRemoved { table, row });
        if side == Side::Originals {
            self.kernel.tell(&Change::RowByOriginal { table, row, name });
        }
        Ok(())
    }

    /// The refusal to remove a row that looks empty, and holds files in places that the configuration does not have.
    fn refuse_hidden(&self, who: Caller, row: &RowRecord) -> Result<Option<Refusal>> {
        if self.library.hidden.known().is_none_or(|known| known.is_empty()) {
            return Ok(None);
        }
        // A query is made for each hidden place of the table.
        session_thread::leave()?;
        let table = self.places.table(row.table)?;
        let hidden = self.library.hidden.in_row(row, &table.name)?;
        let Some(first) = hidden.first() else { return Ok(None) };
        let refusal = Refusal {
            id: self.library.journal.next_id(),
            path: format!("{}/{}", table.name, row.name),
            field: "the row".to_owned(),
            violation: Violation {
                rule: Rule::Hidden,
                fact: first.to_string(),
                measured: hidden.iter().map(|it| it.files).sum::<u64>().to_string(),
                allows: "is removed once it has no files".into(),
                allowed: "0".into(),
                hint: "see `mediafs status`".into(),
            },
        };
        let author = self.open.processes.author(who);
        self.library.journal.note(&refusal, author);
        Ok(Some(refusal))
    }

    fn clear_collection(&self, who: Caller, row: &Directory<'_>, name: &Name) -> Result<()> {
        let Meaning::Collection(number) = meaning::meaning(row, name) else {
            return Err(Error::NotDirectory);
        };
        let collection = self.places.directory(Node::Collection(number, row.row).ino())?;
        self.view.tables.leave_for_scratch()?;
        self.library.rows.clear_collection(row.row, name)?;
        let folder = collection.folder();
        self.open.drafts.drop_placeholders_where(row.row, |place| collection.lists(place));
        self.open.links.remove_where(|other| *other == folder);
        let directory = row.side().collection(number, row.row);
        self.open.unseen.note(who, std::iter::once(directory.as_model()));
        self.kernel.tell(&Change::Cleared { directory, folder: Some(folder) });
        Ok(())
    }
}
