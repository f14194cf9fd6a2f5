//! `chmod`, `chown`, `utimens` and `truncate`. The kernel checks permissions, from what `stat` shows.

use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::Change;
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use crate::tree::open::handles::Handle;
use crate::tree::open::opened::Fh;
use crate::tree::open::writers::Truncation;
use crate::tree::ops::Tree;
use crate::tree::request::{Caller, SetAttr};
use crate::tree::show::attr::{Attr, Shown};
use crate::tree::show::stored;
use words::attachment::{Amendment, AttachmentId, RowId, TableId};
use words::row::RowRecord;

impl Tree {
    pub fn setattr(&self, who: Caller, ino: Ino, fh: Option<Fh>, change: SetAttr) -> Result<Shown> {
        if let Some(fh) = fh
            && let Some(shown) = self.set_by_handle(fh, change)?
        {
            return Ok(shown);
        }
        match Node::at(ino)? {
            node @ Node::Attachment(id, _) => self.set_attachment(who, node, id, change),
            Node::Original(id, edition) => self.view.originals.set(who, id, edition, change),
            Node::Draft(id) => self.set_draft(who, id, change),
            Node::Scratch(id) => self.open.scratch.set(id, change),
            // Tools that keep times and modes (`cp -p`) set them here too: there is nothing to keep them with.
            Node::Url(view) => Ok(Shown::fleeting(self.view.urls.files.stat(view)?)),
            Node::Link(id) => Ok(Shown::fleeting(self.view.urls.links.stat(id)?)),
            // Its owner, mode and times are the row's: vim and cp -p set them on what they write.
            Node::RowJson(table, id) => match change.size {
                Some(1..) => Err(Error::NotPermitted),
                _ => Ok(Shown::fleeting(self.view.rows.stat(table, id)?)),
            },
            directory if change.size.is_none() => self.set_directory(directory, change.amendment),
            other => Err(refusal(other)),
        }
    }

    fn set_directory(&self, node: Node, amendment: Amendment) -> Result<Shown> {
        match node {
            // rsync -a sets the times of what it copies into; owner and mode are the policy's.
            Node::DropBox(id) => {
                let Amendment { accessed, modified, .. } = amendment;
                let times = Amendment { accessed, modified, ..Amendment::default() };
                self.library.rows.amend(id, times)?;
                Ok(Shown::fleeting(self.show.drop_box(id)?))
            }
            Node::Row(_, id) => {
                let row = self.amend_row(id, amendment, node)?;
                Ok(Shown::lasting(self.show.row(&row)))
            }
            Node::OriginalRow(_, id) => {
                let row = self.amend_row(id, amendment, node)?;
                Ok(Shown::fleeting(Attr { ino: node.ino(), ..self.show.row(&row) }))
            }
            Node::Collection(field, id) => {
                let row = self.amend_row(id, amendment, node)?;
                Ok(Shown::lasting(self.show.collection(field, &row)))
            }
            Node::OriginalCollection(field, id) => {
                let row = self.amend_row(id, amendment, node)?;
                Ok(Shown::fleeting(Attr { ino: node.ino(), ..self.show.collection(field, &row) }))
            }
            Node::Table(id) | Node::OriginalTable(id) => Ok(self.amend_table(node, id, amendment)),
            // They are the configuration's and the daemon's: tools that keep owners, modes and times finish, and change nothing.
            Node::Root | Node::Models | Node::Drop => Ok(Shown::fleeting(self.show.fixed(node))),
            other => Err(refusal(other)),
        }
    }

    /// A row and its collections have owner, mode and times in common.
    fn amend_row(&self, id: RowId, amendment: Amendment, asked: Node) -> Result<RowRecord> {
        let row = self.library.rows.amend(id, amendment)?;
        let Amendment { uid, gid, mode, .. } = amendment;
        let moved = uid.or(gid).or(mode).is_some();
        let links = if moved { self.library.lookup.links(id)? } else { Vec::new() };
        let change = Change::RowAmended { row: &row, amendment, links: &links, asked: asked.ino() };
        self.kernel.tell(&change);
        Ok(row)
    }

    /// A table is the configuration's: its times may be set, for as long as the daemon runs; asking for another owner or mode
    /// changes nothing.
    fn amend_table(&self, node: Node, table: TableId, amendment: Amendment) -> Shown {
        if let Some(at) = amendment.modified {
            self.kernel.tell(&Change::Table { table, at });
        }
        Shown::lasting(self.show.fixed(node))
    }

    fn set_by_handle(&self, fh: Fh, change: SetAttr) -> Result<Option<Shown>> {
        let handle = self.open.handles.find(fh)?;
        let open = match &*handle {
            Handle::Draft { open, .. } => open,
            Handle::Document(document) => {
                change.size.map_or(Ok(()), |size| document.truncate(size))?;
                return self.view.verdicts.shown(document).map(Some);
            }
            Handle::Scratch(scratch) => match scratch.became.get() {
                Some(open) => open,
                None => return self.open.scratch.set_open(scratch, change),
            },
            Handle::Blob { .. } | Handle::Text(_) | Handle::Nothing(_) => return Ok(None),
        };
        if let Some(size) = change.size {
            let truncate = || open.draft.truncate(&self.library.drafts, size);
            self.open.writers.change_extent(open, truncate)?;
        }
        if change.amends() {
            open.draft.amend(&self.library.attributes, change.amendment)?;
        }
        open.shown(&self.library).map(Some)
    }

    fn set_attachment(
        &self,
        who: Caller,
        node: Node,
        id: AttachmentId,
        change: SetAttr,
    ) -> Result<Shown> {
        self.open.paths.check_living(who, node)?;
        if let Some(length) = change.size {
            let place = &self.open.paths.name(who, node)?;
            let truncation = Truncation { place, side: Side::Models, length };
            self.open.writers.truncate(who, id, truncation)?;
        }
        let attachment = if change.amends() {
            let amended = self.library.attributes.amend(id, change.amendment)?;
            self.kernel.tell(&Change::Amended { id, side: Side::Models });
            amended
        } else {
            self.library.lookup.attachment(id)?.ok_or(Error::Stale)?
        };
        let shown = stored::inode(node, stored::attachment(Side::Models, &attachment));
        Ok(if change.size.is_some() { Shown::fleeting(shown.attr) } else { shown })
    }

    fn set_draft(&self, who: Caller, id: u64, change: SetAttr) -> Result<Shown> {
        let open = self.open.drafts.find(id).ok_or(Error::Stale)?;
        if let Some(size) = change.size {
            // Two writers never mix: the bytes under way are their writer's alone.
            if open.has_handles() && !open.belongs_to(self.open.processes.group(who.tid)) {
                return Err(Error::Busy);
            }
            let truncate = || open.draft.truncate(&self.library.drafts, size);
            self.open.writers.change_extent(&open, truncate)?;
            if size > 0 && !open.has_handles() {
                self.open.writers.judge(&open)?;
            }
        }
        open.draft.amend(&self.library.attributes, change.amendment)?;
        open.shown(&self.library)
    }
}

/// Why nothing can be set on a node.
fn refusal(node: Node) -> Error {
    match node.as_model() {
        Node::Root
        | Node::Models
        | Node::Table(_)
        | Node::Row(..)
        | Node::Collection(..)
        | Node::Drop
        | Node::DropBox(_) => Error::NotPermitted,
        _ => Error::ReadOnly,
    }
}
