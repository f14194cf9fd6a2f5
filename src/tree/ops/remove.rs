//! Removing names: files and rows.
//! Does not delete blobs: what loses its last name is held, and swept later.

use std::ffi::OsStr;

use crate::attachment::RowId;
use crate::catalog::{Folder, Place};
use crate::slot::Name;
use crate::tree::name::{self, Meaning};
use crate::tree::node::Node;
use crate::tree::{Caller, Error, Ino, Result, Tree, node, sought};

impl Tree {
    pub fn unlink(&self, who: Caller, parent: Ino, name: &OsStr) -> Result<()> {
        let name = sought(name)?;
        if let Node::QuarantineEntry(id) = node(parent)? {
            return self.unlink_quarantined(id, &name);
        }
        let (table, row) = Self::row_node(parent)?;
        match name::meaning(self.table(table)?, &name) {
            Meaning::Field(field) => {
                let place = Place::one(row, field.name.clone());
                self.unlink_field(who, &place, &name)
            }
            Meaning::Scratch => {
                let record =
                    self.library.find_scratch(&Folder::row(row), &name)?.ok_or(Error::NotFound)?;
                Ok(self.library.remove_scratch(record.id)?)
            }
            Meaning::Variant(..) => Err(Error::ReadOnly),
            Meaning::RowJson => Err(Error::NotPermitted),
            Meaning::View => Err(Error::NotFound),
        }
    }

    /// The owner of a draft takes its draft back and nothing else; anybody else detaches what is stored (CONTRACT 2.12).
    fn unlink_field(&self, who: Caller, place: &Place, name: &Name) -> Result<()> {
        let tgid = self.processes.group(who.tid);
        if let Some(own) = self.drafts.owned(place, tgid)
            && !own.is_placeholder()
        {
            self.put_back(&own);
            own.draft.detach();
            self.drafts.part(&own);
            return Ok(());
        }
        match self.library.find(place)? {
            Some(link) if name::resolves(&link, name) => {
                let Some(lost) = self.library.unlink(place)? else { return Err(Error::NotFound) };
                self.drafts.of(place).iter().for_each(|open| open.hide());
                self.note_unlinked(who, &link, &lost);
                self.forget_listed(&link, name);
                Ok(())
            }
            Some(_) => Err(Error::NotFound),
            None => self.unlink_first_draft(place),
        }
    }

    /// On a free slot: a placeholder goes; a draft under way goes on, unseen, and commits when it is closed.
    fn unlink_first_draft(&self, place: &Place) -> Result<()> {
        let visible: Vec<_> =
            self.drafts.of(place).into_iter().filter(|open| open.is_shown()).collect();
        if visible.is_empty() {
            return Err(Error::NotFound);
        }
        for open in visible {
            open.hide();
            if open.is_placeholder() {
                self.drafts.remove(open.id);
            }
        }
        Ok(())
    }

    /// `rmdir` of a row: attachments keep it, scratch, drafts and placeholders do not.
    pub fn rmdir(&self, _: Caller, parent: Ino, name: &OsStr) -> Result<()> {
        let name = sought(name)?;
        match node(parent)? {
            Node::Table(table) => {
                let row = self.library.row(table, &name)?.ok_or(Error::NotFound)?;
                self.library.remove_row(&row)?;
                self.drop_row_placeholders(row.id);
                self.table_changed(table);
                Ok(())
            }
            Node::Root | Node::Models => Err(Error::NotPermitted),
            Node::Row(..) => Err(Error::NotDirectory),
            // An entry of the quarantine goes with its bytes.
            Node::Quarantine => self.remove_quarantined(&name),
            _ => Err(Error::ReadOnly),
        }
    }

    fn drop_row_placeholders(&self, row: RowId) {
        for open in self.drafts.all() {
            if open.place().row == row && open.is_placeholder() {
                self.drafts.remove(open.id);
            }
        }
    }
}
