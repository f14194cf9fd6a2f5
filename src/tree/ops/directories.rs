//! `mkdir` and `rmdir`. A program makes and removes rows. Collections and directories of variants can be emptied: they exist
//! again at the next lookup, so that `rm -r` of a row succeeds.

use std::ffi::OsStr;

use crate::session_thread;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::Change;
use crate::tree::node::meaning::{self, Directory, Meaning};
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use crate::tree::ops::Tree;
use crate::tree::request::{Caller, made, sought};
use crate::tree::show::attr::Entry;
use words::attachment::TableId;
use words::refusal::{Refusal, Rule, Violation};
use words::slot::Name;
use words::timestamp::Timestamp;

impl Tree {
    /// `mkdir` makes a row, and nothing else.
    pub fn mkdir(&self, who: Caller, parent: Ino, name: &OsStr, mode: u32) -> Result<Entry> {
        let name = made(name)?;
        let node = Node::at(parent)?;
        let table = match node.as_model() {
            Node::Table(table) => table,
            // A collection exists already; other directories cannot be made in a row.
            Node::Row(..) if self.is_collection(parent, &name)? => return Err(Error::Exists),
            other => return Err(other.refusal()),
        };
        if !self.places.table(table)?.rule.allows(&name) {
            self.note_bad_id(who, table, &name)?;
            return Err(Error::Invalid("the row's id breaks the rule of its table"));
        }
        let row = self.library.rows.make(table, &name, who.makes(mode))?;
        self.kernel.tell(&Change::Table { table, at: Timestamp::now() });
        Ok(self.show.row(Side::of(node).row(table, row.id), &row))
    }

    fn is_collection(&self, row: Ino, name: &Name) -> Result<bool> {
        let row = self.places.directory(row)?;
        Ok(matches!(meaning::meaning(&row, name), Meaning::Collection(_)))
    }

    fn note_bad_id(&self, who: Caller, table: TableId, name: &Name) -> Result<()> {
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
        self.library.journal.record(&refusal, None, author, None);
        Ok(())
    }

    /// `rmdir` of a row or a collection: attachments keep it; scratch, drafts and placeholders do not.
    pub fn rmdir(&self, _: Caller, parent: Ino, name: &OsStr) -> Result<()> {
        let name = sought(name)?;
        let node = Node::at(parent)?;
        match node.as_model() {
            Node::Table(table) => self.remove_row(table, Side::of(node), &name),
            Node::Root | Node::Models | Node::Drop => Err(Error::NotPermitted),
            Node::Row(..) => self.clear_collection(&self.places.directory(parent)?, &name),
            Node::Collection(..) | Node::DropBox(_) => Err(Error::NotDirectory),
            Node::Quarantine => self.view.control.quarantine.remove(&name),
            parent => self.view.thumbs.remove(parent, &name),
        }
    }

    fn remove_row(&self, table: TableId, side: Side, name: &Name) -> Result<()> {
        let record = self.library.lookup.row(table, name)?.ok_or(Error::NotFound)?;
        self.leave_for_scratch()?;
        self.library.rows.remove(&record)?;
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

    /// A directory is removed with its scratch, of which it may have any number.
    fn leave_for_scratch(&self) -> Result<()> {
        session_thread::leave_for_many(|| Ok(self.library.scratch.total()))
    }

    fn clear_collection(&self, row: &Directory<'_>, name: &Name) -> Result<()> {
        let Meaning::Collection(number) = meaning::meaning(row, name) else {
            return Err(Error::NotDirectory);
        };
        let collection = self.places.directory(Node::Collection(number, row.row).ino())?;
        self.leave_for_scratch()?;
        self.library.rows.clear_collection(row.row, name)?;
        let folder = collection.folder();
        self.open.drafts.drop_placeholders_where(row.row, |place| collection.lists(place));
        self.open.links.remove_where(|other| *other == folder);
        let directory = row.side().collection(number, row.row);
        self.kernel.tell(&Change::Cleared { directory, folder: Some(folder) });
        Ok(())
    }
}
