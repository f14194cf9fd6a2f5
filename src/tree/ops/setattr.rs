//! `chmod`, `chown`, `utimens` and `truncate`.
//! Does not check permissions: the kernel does, from what `stat` shows.

use std::sync::PoisonError;

use crate::library::draft::Draft;
use crate::library::scratch::report_name::is_report;
use crate::tree::attr::{Attr, Change, Lifetime, Shown};
use crate::tree::document::Document;
use crate::tree::handles::{Handle, OpenScratch};
use crate::tree::mark::Mark;
use crate::tree::node::Node;
use crate::tree::ops::stat::{attachment_attr, brief, of_attachment};
use crate::tree::side::Side;
use crate::tree::{Caller, Error, Fh, Ino, Result, Tree, node};
use words::attachment::{Amendment, AttachmentId, RowId, ScratchId, TableId};
use words::author::Author;
use words::row::RowRecord;

impl Tree {
    pub fn setattr(&self, who: Caller, ino: Ino, fh: Option<Fh>, change: Change) -> Result<Shown> {
        if let Some(fh) = fh
            && let Some(shown) = self.set_by_handle(fh, change)?
        {
            return Ok(shown);
        }
        match node(ino)? {
            node @ Node::Attachment(id, _) => self.set_attachment(who, (node, id), change),
            Node::Original(id, edition) => self.set_original(who, (id, edition), change),
            Node::Draft(id) => self.set_draft(who, id, change),
            Node::Scratch(id) => self.set_scratch(id, change),
            // Tools that keep times and modes (`cp -p`) set them here too: there is nothing to keep them with.
            Node::Url(view) => Ok(brief(self.stat_url(view)?)),
            Node::Link(id) => Ok(brief(self.stat_link(id)?)),
            // Its owner, mode and times are the row's: vim and cp -p set them on what they write.
            Node::RowJson(table, id) => match change.size {
                Some(1..) => Err(Error::NotPermitted),
                _ => Ok(brief(self.row_json_attr(table, id)?)),
            },
            // rsync -a sets the times of what it copies into; owner and mode are the policy's.
            Node::DropBox(id) if change.size.is_none() => {
                let Amendment { accessed, modified, .. } = change.amendment;
                let times = Amendment { accessed, modified, ..Amendment::default() };
                self.library.rows.amend(id, times)?;
                Ok(brief(self.box_attr(id)?))
            }
            Node::Row(_, id) if change.size.is_none() => {
                let row = self.amend_row(id, change, ino)?;
                Ok(Shown { attr: self.row_attr(&row), attributes: Lifetime::Long })
            }
            Node::OriginalRow(_, id) if change.size.is_none() => {
                let row = self.amend_row(id, change, ino)?;
                Ok(brief(Attr { ino, ..self.row_attr(&row) }))
            }
            Node::OriginalCollection(field, id) if change.size.is_none() => {
                let row = self.amend_row(id, change, ino)?;
                Ok(brief(Attr { ino, ..self.collection_attr(field, &row) }))
            }
            Node::Collection(field, id) if change.size.is_none() => {
                let row = self.amend_row(id, change, ino)?;
                Ok(Shown { attr: self.collection_attr(field, &row), attributes: Lifetime::Long })
            }
            table @ (Node::Table(id) | Node::OriginalTable(id)) if change.size.is_none() => {
                Ok(self.amend_table(table, id, change.amendment))
            }
            // They are the configuration's and the daemon's: tools that keep owners, modes and times finish, and change nothing.
            fixed @ (Node::Root | Node::Models | Node::Drop) if change.size.is_none() => {
                Ok(brief(self.fixed(fixed)))
            }
            other => Err(match other.as_model() {
                Node::Root
                | Node::Models
                | Node::Table(_)
                | Node::Row(..)
                | Node::Collection(..)
                | Node::Drop
                | Node::DropBox(_) => Error::NotPermitted,
                _ => Error::ReadOnly,
            }),
        }
    }

    /// A row and its collections have owner, mode and times in common.
    fn amend_row(&self, id: RowId, change: Change, asked: Ino) -> Result<RowRecord> {
        let row = self.library.rows.amend(id, change.amendment)?;
        let Amendment { uid, gid, mode, modified, .. } = change.amendment;
        if modified.is_some() {
            self.stamps.forget(id);
        }
        if uid.or(gid).or(mode).is_some() {
            self.forget_thumb_directories(id)?;
        }
        self.forget_directories(&row, Some(asked));
        Ok(row)
    }

    /// A table is the configuration's: its times may be set, for as long as the daemon runs; asking for another owner or
    /// mode changes nothing.
    fn amend_table(&self, node: Node, table: TableId, amendment: Amendment) -> Shown {
        if let Some(modified) = amendment.modified {
            self.set_table_time(table, modified);
        }
        Shown { attr: self.fixed(node), attributes: Lifetime::Long }
    }

    fn set_by_handle(&self, fh: Fh, change: Change) -> Result<Option<Shown>> {
        let handle = self.handles.find(fh)?;
        let open = match &*handle {
            Handle::Draft { open, .. } => open,
            Handle::Document(document) => return self.set_document(document, change).map(Some),
            Handle::Scratch(scratch) => match scratch.became.get() {
                Some(open) => open,
                None => return self.set_open_scratch(scratch, change),
            },
            _ => return Ok(None),
        };
        if let Some(size) = change.size {
            self.change_extent(open, || open.draft.truncate(&self.library.drafts, size))?;
        }
        if change.amendment != Amendment::default() {
            open.draft.amend(&self.library.attributes, change.amendment)?;
        }
        Ok(Some(self.draft_shown(open)?))
    }

    fn set_document(&self, document: &Document, change: Change) -> Result<Shown> {
        if let Some(size) = change.size {
            document.truncate(size)?;
        }
        self.document_shown(document)
    }

    /// An open file is truncated whatever became of its name.
    fn set_open_scratch(&self, scratch: &OpenScratch, change: Change) -> Result<Option<Shown>> {
        let Some(size) = change.size else { return Ok(None) };
        let gate = scratch.charge.gate.read().unwrap_or_else(PoisonError::into_inner);
        self.grow_scratch(scratch, size)?;
        scratch.file.set_len(size).map_err(super::files::failed)?;
        scratch.charge.set(size);
        drop(gate);
        self.set_scratch(scratch.id, Change { size: None, ..change }).map(Some)
    }

    fn set_attachment(
        &self,
        who: Caller,
        (node, id): (Node, AttachmentId),
        change: Change,
    ) -> Result<Shown> {
        self.still_named(who, node.ino())?;
        if let Some(size) = change.size {
            self.truncate_attachment(who, (node, id), size)?;
        }
        let attachment = if change.amendment == Amendment::default() {
            self.library.lookup.attachment(id)?.ok_or(Error::Stale)?
        } else {
            let amended = self.library.attributes.amend(id, change.amendment)?;
            // The kernel has the attributes from the answer; who may read is said in the directory of the variants, too.
            self.forget_attributes(Node::ThumbField(id, Mark::SOLE));
            amended
        };
        let shown = of_attachment(node, attachment_attr(&attachment));
        Ok(if change.size.is_some() { brief(shown.attr) } else { shown })
    }

    /// `truncate` by path: a draft of its own, judged and committed before it returns. To 0 nothing changes yet; the next `open`
    /// of this user starts empty (CONTRACT 2.6).
    pub(in crate::tree) fn truncate_attachment(
        &self,
        who: Caller,
        (node, id): (Node, AttachmentId),
        length: u64,
    ) -> Result<()> {
        let place = self.place_of(who, node)?;
        if length == 0 {
            self.emptied.note((place, id, who.uid), ());
            return Ok(());
        }
        let field = self.field_at(&place)?;
        let link = self.library.lookup.link(&place)?.ok_or(Error::Stale)?;
        let attachment = Side::of(node).show(link.clone()).attachment;
        let target = self.target(&place, &field, &link.written)?;
        let author = Self::author(who, &self.processes.owner(who.tid));
        let draft = Draft::new(target, author, attachment.access, self.stored(attachment)?, None);
        draft.truncate(&self.library.drafts, length)?;
        let verdict = draft.flush(&self.library.drafts)?;
        if let crate::library::draft::close::Verdict::Committed { displaced: Some(lost), .. } =
            verdict
        {
            self.displaced(&place, &lost, Some(&link));
        }
        self.row_changed(&place);
        Ok(())
    }

    fn set_draft(&self, who: Caller, id: u64, change: Change) -> Result<Shown> {
        let open = self.drafts.find(id).ok_or(Error::Stale)?;
        if let Some(size) = change.size {
            // Two writers never mix: the bytes under way are their writer's alone.
            if open.has_handles() && !open.belongs_to(self.processes.group(who.tid)) {
                return Err(Error::Busy);
            }
            self.change_extent(&open, || open.draft.truncate(&self.library.drafts, size))?;
            if size > 0 && !open.has_handles() {
                self.settle(&open)?;
            }
        }
        open.draft.amend(&self.library.attributes, change.amendment)?;
        self.draft_shown(&open)
    }

    fn set_scratch(&self, id: ScratchId, change: Change) -> Result<Shown> {
        if let Some(size) = change.size {
            let record = self.library.scratch.by_id(id)?.ok_or(Error::Stale)?;
            if is_report(&record) {
                return Err(Error::ReadOnly);
            }
            let file = self.library.scratch.open_to_write(&record)?;
            let part = self.library.scratch.charge(&record)?;
            let _gate = part.gate.read().unwrap_or_else(PoisonError::into_inner);
            if let Err(excess) = part.grow(size, self.library.quotas.limits()) {
                let author = Author { uid: record.access.uid, pid: 0 };
                let violation = self.library.quotas.violation(&excess);
                return Err(self.library.refusals.refuse_scratch(id, author, violation)?.into());
            }
            file.set_len(size).map_err(super::files::failed)?;
            part.set(size);
        }
        if change.amendment != Amendment::default() {
            self.library.scratch.amend(id, change.amendment)?;
        }
        Ok(brief(self.stat_scratch(id)?))
    }
}
