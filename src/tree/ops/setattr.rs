//! `chmod`, `chown`, `utimens` and `truncate`. The kernel checks permissions by the attributes that `stat` shows.

use crate::library::limit::permission::Act;
use crate::session_thread;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::Change;
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use crate::tree::open::handles::{Fh, Handle};
use crate::tree::ops::Tree;
use crate::tree::request::{Caller, SetAttr};
use crate::tree::show::attr::Entry;
use words::attachment::{Amendment, AttachmentId, RowId, TableId};
use words::link::Link;
use words::place::Place;
use words::row::RowRecord;

impl Tree {
    pub(super) fn set_attributes(
        &self,
        who: Caller,
        ino: Ino,
        fh: Option<Fh>,
        change: SetAttr,
    ) -> Result<Entry> {
        let node = Node::at(ino)?;
        let change = if node.is_directory() { change } else { change.of_file() };
        if let Some(fh) = fh
            && let Some(shown) = self.set_by_handle(who, fh, change)?
        {
            return Ok(shown);
        }
        match self.open.paths.meant(who, ino)? {
            (node @ (Node::Attachment(id, _) | Node::Original(id, _)), link) => {
                link.as_ref().map_or(Ok(()), |link| self.check_change(who, link, change))?;
                self.set_attachment(who, (node, link.map(|link| link.place)), id, change)
            }
            (node, _) => self.set_node(who, node, change),
        }
    }

    fn set_node(&self, who: Caller, node: Node, change: SetAttr) -> Result<Entry> {
        match node {
            Node::Draft(id) => self.set_draft(who, id, change),
            Node::Scratch(id) => self.open.scratch.set(id, change),
            // Accepted for tools that keep times and modes (`cp -p`), and ignored.
            Node::Url(view) => Ok(Entry::fleeting(self.view.url_files.stat(view)?)),
            Node::Link(id) => Ok(Entry::fleeting(self.view.url_links.stat(id)?)),
            Node::Litter(id) => Ok(Entry::fleeting(self.litter(id)?.attr())),
            // Accepted for vim and `cp -p`, and ignored: owner, mode and times are the row's.
            Node::RowJson(table, id) => match change.size {
                Some(1..) => Err(Error::NotPermitted),
                _ => Ok(Entry::fleeting(self.view.rows.stat(who, table, id)?)),
            },
            directory if change.size.is_none() => self.set_directory(directory, change.amendment),
            other => Err(other.refusal()),
        }
    }

    fn set_directory(&self, node: Node, amendment: Amendment) -> Result<Entry> {
        match node {
            // `rsync -a` sets the times of the directory that it copies into. The policy fixes owner and mode.
            Node::DropBox(id) => {
                let Amendment { accessed, modified, .. } = amendment;
                let times = Amendment { accessed, modified, ..Amendment::default() };
                self.library.rows.amend(id, times)?;
                Ok(Entry::fleeting(self.show.drop_box(id)?))
            }
            Node::Row(_, id)
            | Node::OriginalRow(_, id)
            | Node::Collection(_, id)
            | Node::OriginalCollection(_, id) => {
                Ok(self.show.row(node, &self.amend_row(id, amendment, node)?))
            }
            Node::Table(id) | Node::OriginalTable(id) => Ok(self.amend_table(node, id, amendment)),
            // Accepted for tools that keep owners, modes and times, and ignored: they are fixed.
            Node::Root | Node::Models | Node::Drop => Ok(Entry::fleeting(self.show.fixed(node))),
            other => Err(other.refusal()),
        }
    }

    /// Amends a row, whose owner, mode and times its collections share.
    fn amend_row(&self, id: RowId, amendment: Amendment, asked: Node) -> Result<RowRecord> {
        let Amendment { uid, gid, mode, .. } = amendment;
        let moved = uid.or(gid).or(mode).is_some();
        if moved {
            session_thread::leave()?;
        }
        let row = self.library.rows.amend(id, amendment)?;
        let links = if moved { self.library.lookup.links(id)? } else { Vec::new() };
        let change = Change::RowAmended { row: &row, amendment, links: &links, asked: asked.ino() };
        self.kernel.tell(&change);
        Ok(row)
    }

    /// Sets the times of a table until the daemon ends. The configuration fixes owner and mode: changes are ignored.
    fn amend_table(&self, node: Node, table: TableId, amendment: Amendment) -> Entry {
        if let Some(at) = amendment.modified {
            self.kernel.tell(&Change::Table { table, at });
        }
        Entry::lasting(self.show.fixed(node))
    }

    fn set_by_handle(&self, who: Caller, fh: Fh, change: SetAttr) -> Result<Option<Entry>> {
        let handle = self.open.handles.find(fh)?;
        let open = match &*handle {
            Handle::Draft { open, .. } => open,
            Handle::Document(document) => {
                change.size.map_or(Ok(()), |size| document.truncate(size))?;
                return self.stat_document(who, document).map(Some);
            }
            Handle::Scratch(scratch) => match scratch.became.get() {
                Some(open) => open,
                None => return self.open.scratch.set_open(scratch, change),
            },
            Handle::Litter(file) => return Ok(Some(Entry::fleeting(file.attr()))),
            Handle::Blob { .. } | Handle::Text(_) | Handle::Nothing(_) => return Ok(None),
        };
        if let Some(size) = change.size {
            // What lies beyond the new end is freed.
            session_thread::leave_for_bytes(open.draft.size().saturating_sub(size))?;
            let truncate = || open.draft.truncate(&self.library.drafts, size);
            self.open.writers.change_extent(open, truncate)?;
        }
        if change.amends() {
            open.draft.amend(&self.library.attributes, change.amendment)?;
        }
        open.shown(&self.library).map(Some)
    }

    /// Checks the permission to change what a place has now, as the kernel does for a file that it knows (chmod(2), utimensat(2)).
    fn check_change(&self, who: Caller, link: &Link, change: SetAttr) -> Result<()> {
        let Amendment { uid, gid, mode, .. } = change.amendment;
        if uid.or(gid).or(mode).is_some() {
            who.check_owner(link.attachment.access.uid)?;
        }
        if change.amends() {
            self.open.rights.check(who, Act::Describe, link)?;
        }
        if change.size.is_some() {
            self.open.rights.check(who, Act::Write, link)?;
        }
        Ok(())
    }

    fn set_attachment(
        &self,
        who: Caller,
        (node, place): (Node, Option<Place>),
        id: AttachmentId,
        change: SetAttr,
    ) -> Result<Entry> {
        self.open.paths.check_living(who, node)?;
        let side = Side::of(node);
        if let Some(length) = change.size {
            let place = place.map_or_else(|| self.open.paths.name(who, node), Ok)?;
            match length {
                0 => self.open.closing.empty(place, id, who.uid),
                _ => self.open.writers.truncate(who, side, &place, length)?,
            }
        }
        let attachment = if change.amends() {
            let amended = self.library.attributes.amend(id, change.amendment)?;
            self.kernel.tell(&Change::Amended { id, side });
            amended
        } else {
            self.library.lookup.attachment(id)?.ok_or(Error::Stale)?
        };
        let shown = Entry::attachment(side, node, &side.face(attachment));
        Ok(if change.size.is_some() { Entry::fleeting(shown.attr) } else { shown })
    }

    fn set_draft(&self, who: Caller, id: u64, change: SetAttr) -> Result<Entry> {
        let open = self.open.drafts.find(id)?;
        if let Some(size) = change.size {
            // No process but its writer may change a draft that is being written.
            if open.has_handles() && !open.belongs_to(self.open.processes.group(who.tid)) {
                return Err(Error::Busy);
            }
            let truncate = || open.draft.truncate(&self.library.drafts, size);
            self.open.writers.change_extent(&open, truncate)?;
            if size > 0 && !open.has_handles() {
                self.open.closing.judge(&open)?;
            }
        }
        open.draft.amend(&self.library.attributes, change.amendment)?;
        open.shown(&self.library)
    }
}
