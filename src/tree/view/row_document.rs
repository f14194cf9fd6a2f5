//! `row.json`: a row as a document.

use std::sync::Arc;

use serde::de::IgnoredAny;

use crate::library::Library;
use crate::library::json::composed::Composed;
use crate::library::json::row_json::Revised;
use crate::library::names::backups::Destination;
use crate::session_thread;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::Change;
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::Node;
use crate::tree::node::places::Places;
use crate::tree::open::Open;
use crate::tree::open::document::{MAX_BYTES, View};
use crate::tree::open::handles::{Caching, Handle, Opened};
use crate::tree::request::{Caller, OpenFlags, RenameMode};
use crate::tree::show::attr::Attr;
use words::attachment::{RowId, ScratchId, TableId, Times};
use words::place::Folder;
use words::row::RowRecord;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

pub struct RowDocuments {
    pub(super) library: Arc<Library>,
    pub(super) places: Arc<Places>,
    pub(super) kernel: Arc<Knowledge>,
    pub(super) open: Arc<Open>,
}

impl RowDocuments {
    /// The size is that of the text for this reader.
    pub fn stat(&self, who: Caller, table: TableId, id: RowId) -> Result<Attr> {
        let row = self.places.row(id)?;
        let mut access = row.access;
        access.mode &= 0o666;
        let Composed { text, changed, .. } = self.text(who, &row)?;
        let size = text.len() as u64;
        Ok(Attr::file(Node::RowJson(table, id), size, access, Times::all(changed)))
    }

    fn text(&self, who: Caller, row: &RowRecord) -> Result<Composed> {
        let drafts = self.open.drafts.of_row(row.id);
        session_thread::leave_for_many(|| Ok::<_, Error>(drafts.len() as u64))?;
        let own = drafts.iter().filter(|open| open.draft.is_dirty());
        let writing: Vec<_> = own.map(|open| (open.place().clone(), open.draft.size())).collect();
        let person = self.open.rights.person(who);
        let may = |act, file| person.may(act, file, row.access);
        Ok(self.library.row_documents.read(row, &writing, &may)?)
    }

    /// The last refusal in the row, whoever's: for servers that write for many people under one user (CONTRACT 4).
    fn error_text(&self, id: RowId) -> String {
        let line = self.library.journal.of_folder(&Folder::row(id));
        line.map_or_else(String::new, |line| line.text())
    }

    pub fn stat_error(&self, table: TableId, id: RowId) -> Result<Attr> {
        let mut access = self.places.row(id)?.access;
        access.mode &= 0o444;
        let (node, size) = (Node::RowError(table, id), self.error_text(id).len() as u64);
        Ok(Attr::file(node, size, access, Times::all(Timestamp::now())))
    }

    pub fn open_error(&self, who: Caller, id: RowId) -> Result<Opened> {
        let fh = self.open.handles.add(who, Handle::Text(self.error_text(id).into_bytes()));
        Ok(Opened { fh, caching: Caching::Never })
    }

    /// Opens the document as it is now; later changes are in the next one.
    pub fn open(&self, who: Caller, table: TableId, id: RowId, flags: OpenFlags) -> Result<Opened> {
        let row = self.places.row(id)?;
        let text = if flags.truncate { "".into() } else { self.text(who, &row)?.text };
        session_thread::leave_for_bytes(text.len() as u64)?;
        let opener = self.open.processes.owner(who.tid);
        let document = self.open.documents.open(
            View::Row(table, id),
            flags.writes(),
            opener,
            text.as_bytes().to_vec(),
        )?;
        let fh = self.open.handles.add(who, Handle::Document(Arc::new(document)));
        Ok(Opened { fh, caching: Caching::Never })
    }

    /// Changes the row by a text that was written to its document.
    pub fn patch(&self, who: Caller, id: RowId, text: &[u8]) -> Result<()> {
        let row = &self.places.row(id)?;
        let (author, person) = (self.open.processes.author(who), self.open.rights.person(who));
        let may = |act, file| person.may(act, file, row.access);
        let revised = self.library.row_documents.patch(row, text, author, &may)?;
        let Revised { detached, changed } = &revised;
        self.kernel.tell(&Change::Patched { row, detached, changed });
        Ok(())
    }

    /// Judges the text so far of an open document. Changes nothing. Errors: a refusal, unless more text may complete it.
    pub fn check(&self, who: Caller, id: RowId, text: &[u8]) -> Result<()> {
        if is_incomplete(text) {
            return Ok(());
        }
        let row = self.places.row(id)?;
        let (author, person) = (self.open.processes.author(who), self.open.rights.person(who));
        let may = |act, file| person.may(act, file, row.access);
        Ok(self.library.row_documents.check(&row, text, author, &may)?)
    }

    /// Scratch that is renamed onto `row.json` is the patch. It is removed unless the patch is refused.
    pub fn patch_by_rename(&self, who: Caller, record: &ScratchRecord, id: RowId) -> Result<()> {
        let text = self.library.scratch.read(record, MAX_BYTES)?;
        self.patch(who, id, &text.ok_or(Error::TooLarge)?)?;
        Ok(self.library.scratch.remove(record.id)?)
    }

    /// `row.json` renamed to a scratch name leaves a copy there (editors' backups) and stays. Returns the copy.
    pub fn copy(
        &self,
        who: Caller,
        id: RowId,
        folder: &Folder,
        name: &Name,
        mode: RenameMode,
    ) -> Result<ScratchId> {
        self.open.admission.check_displaced(who, folder, name)?;
        let text = self.text(who, &self.places.row(id)?)?.text;
        let (uid, gid, collision) = (who.uid, who.gid, mode.into());
        let to = Destination { folder, name, uid, gid, collision };
        Ok(self.library.backups.make_of_text(&text, to)?)
    }
}

/// Whether a text is the beginning of JSON that ends too early.
fn is_incomplete(text: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(text).is_err_and(|error| error.is_eof())
}
