//! `row.json`: a row as a document, looked up, opened, written, replaced and moved away.
//! Does not know what the document says: that is `library::json`.

use std::sync::Arc;

use crate::library::json::row_document::Revised;
use crate::library::names::backups::Destination;
use crate::tree::attr::{Attr, Caching, Kind, OpenFlags, Opened, RenameMode};
use crate::tree::document::{Document, View};
use crate::tree::handles::Handle;
use crate::tree::node::Node;
use crate::tree::ops::rename::collision;
use crate::tree::{Caller, Error, Result, Tree};
use words::attachment::{RowId, TableId, Times};
use words::author::Author;
use words::place::Folder;
use words::row::RowRecord;
use words::scratch::ScratchRecord;
use words::slot::Name;

impl Tree {
    pub(in crate::tree) fn row_json_attr(&self, table: TableId, id: RowId) -> Result<Attr> {
        let row = self.row(id)?;
        let mut access = row.access;
        access.mode &= 0o666;
        let size = self.row_json(&row)?.len() as u64;
        let ino = Node::RowJson(table, id).ino();
        Ok(Attr {
            ino,
            kind: Kind::File,
            size,
            links: 1,
            access,
            times: self.row_json_times(&row)?,
        })
    }

    /// The latest change of what is attached. Not the row's times: an editor's own swap file moves those, and it would find
    /// that the file has changed under it.
    fn row_json_times(&self, row: &RowRecord) -> Result<Times> {
        let links = self.library.lookup.links(row.id)?;
        let latest = links.iter().map(|link| link.attachment.times.changed).max();
        Ok(Times::all(latest.unwrap_or(row.times.accessed)))
    }

    fn row_json(&self, row: &RowRecord) -> Result<String> {
        let drafts = self.drafts.all();
        let own = drafts.iter().filter(|open| open.place().row == row.id && open.draft.is_dirty());
        let writing: Vec<_> = own.map(|open| (open.place().clone(), open.draft.size())).collect();
        Ok(self.library.row_documents.read(row, &writing)?)
    }

    /// Composed now; what changes afterwards is in the next one.
    pub(in crate::tree) fn open_row_json(
        &self,
        who: Caller,
        (table, id): (TableId, RowId),
        flags: OpenFlags,
    ) -> Result<Opened> {
        let row = self.row(id)?;
        let text = if flags.truncate { Vec::new() } else { self.row_json(&row)?.into_bytes() };
        let opener = self.processes.owner(who.tid);
        let document = self.shelf.open(View::Row(table, id), flags.writes(), opener, text)?;
        let fh = self.handles.add(Handle::Document(Arc::new(document)));
        Ok(Opened { fh, caching: Caching::Never })
    }

    /// `close` of a document: a verdict, under the same rules as that of a draft.
    pub(in crate::tree) fn flush_document(&self, who: Caller, document: &Document) -> Result<()> {
        let speaks = document.opener.is(self.processes.group(who.tid)) || document.opener.is_gone();
        let author = Self::author(who, &self.processes.owner(who.tid));
        if speaks { self.settle_document(document, author) } else { Ok(()) }
    }

    /// Understands what was written since the last verdict.
    pub(in crate::tree) fn settle_document(
        &self,
        document: &Document,
        author: Author,
    ) -> Result<()> {
        let Some(text) = document.take()? else { return Ok(()) };
        let verdict = match &document.view {
            View::Row(_, id) => self.patch_row(author, *id, &text),
            View::Url(writing) => self.attach_written(writing, &text),
        };
        document.judged(&verdict);
        verdict
    }

    fn patch_row(&self, author: Author, id: RowId, text: &[u8]) -> Result<()> {
        let row = self.row(id)?;
        let Revised { detached, changed } = self.library.row_documents.patch(&row, text, author)?;
        for (before, lost) in &detached {
            self.displaced(&before.place, lost, Some(before));
            self.row_changed(&before.place);
        }
        for link in &changed {
            self.forget_attachment(link.attachment.id);
        }
        self.forget_directories(&row, None);
        Ok(())
    }

    /// Scratch that is renamed onto `row.json` is the patch; the scratch goes, unless the patch is refused.
    pub(in crate::tree) fn patch_by_rename(
        &self,
        who: Caller,
        record: &ScratchRecord,
        id: RowId,
    ) -> Result<()> {
        let text = self.library.scratch.read(record, crate::tree::document::MAX_BYTES)?;
        let author = Self::author(who, &self.processes.owner(who.tid));
        self.patch_row(author, id, &text.ok_or(Error::TooLarge)?)?;
        Ok(self.library.scratch.remove(record.id)?)
    }

    /// `row.json` renamed to a scratch name leaves a copy there (editors' backups) and stays.
    pub(in crate::tree) fn copy_row_json(
        &self,
        who: Caller,
        id: RowId,
        (folder, name): (&Folder, &Name),
        mode: RenameMode,
    ) -> Result<()> {
        self.check_displaced(who, folder, name)?;
        let text = self.row_json(&self.row(id)?)?;
        let (uid, gid, collision) = (who.uid, who.gid, collision(mode));
        let to = Destination { folder, name, uid, gid, collision };
        let copy = self.library.backups.make_of_text(&text, to)?;
        self.renamed_in_box(copy)
    }
}
