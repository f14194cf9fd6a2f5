//! `row.json`: a row as a document.

use std::sync::Arc;

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
use words::author::Author;
use words::place::Folder;
use words::row::RowRecord;
use words::scratch::ScratchRecord;
use words::slot::Name;

pub struct RowDocuments {
    pub(super) library: Arc<Library>,
    pub(super) places: Arc<Places>,
    pub(super) kernel: Arc<Knowledge>,
    pub(super) open: Arc<Open>,
}

impl RowDocuments {
    pub fn stat(&self, table: TableId, id: RowId) -> Result<Attr> {
        let row = self.places.row(id)?;
        let mut access = row.access;
        access.mode &= 0o666;
        let Composed { text, changed } = self.text(&row)?;
        let size = text.len() as u64;
        Ok(Attr::file(Node::RowJson(table, id), size, access, Times::all(changed)))
    }

    fn text(&self, row: &RowRecord) -> Result<Composed> {
        let drafts = self.open.drafts.of_row(row.id);
        session_thread::leave_for_many(|| Ok::<_, Error>(drafts.len() as u64))?;
        let own = drafts.iter().filter(|open| open.draft.is_dirty());
        let writing: Vec<_> = own.map(|open| (open.place().clone(), open.draft.size())).collect();
        Ok(self.library.row_documents.read(row, &writing)?)
    }

    /// Opens the document as it is now; later changes are in the next one.
    pub fn open(&self, who: Caller, table: TableId, id: RowId, flags: OpenFlags) -> Result<Opened> {
        let row = self.places.row(id)?;
        let text = if flags.truncate { "".into() } else { self.text(&row)?.text };
        session_thread::leave_for_bytes(text.len() as u64)?;
        let opener = self.open.processes.owner(who.tid);
        let document = self.open.documents.open(
            View::Row(table, id),
            flags.writes(),
            opener,
            text.as_bytes().to_vec(),
        )?;
        let fh = self.open.handles.add(Handle::Document(Arc::new(document)));
        Ok(Opened { fh, caching: Caching::Never })
    }

    /// Changes the row by a text that was written to its document.
    pub fn patch(&self, author: Author, id: RowId, text: &[u8]) -> Result<()> {
        let row = &self.places.row(id)?;
        let Revised { detached, changed } = &self.library.row_documents.patch(row, text, author)?;
        self.kernel.tell(&Change::Patched { row, detached, changed });
        Ok(())
    }

    /// Scratch that is renamed onto `row.json` is the patch. It is removed unless the patch is refused.
    pub fn patch_by_rename(&self, who: Caller, record: &ScratchRecord, id: RowId) -> Result<()> {
        let text = self.library.scratch.read(record, MAX_BYTES)?;
        let author = self.open.processes.author(who);
        self.patch(author, id, &text.ok_or(Error::TooLarge)?)?;
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
        let text = self.text(&self.places.row(id)?)?.text;
        let (uid, gid, collision) = (who.uid, who.gid, mode.into());
        let to = Destination { folder, name, uid, gid, collision };
        Ok(self.library.backups.make_of_text(&text, to)?)
    }
}
