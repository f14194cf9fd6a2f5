//! The life of a handle: open and create, flush and release, which is when a draft is judged (CONTRACT 2.4).

use std::ffi::OsStr;
use std::sync::Arc;

use crate::library::draft::Start;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::Change;
use crate::tree::node::meaning::{self, Meaning, Spot};
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use crate::tree::open::handles::Handle;
use crate::tree::open::open_draft::OpenDraft;
use crate::tree::open::opened::{Caching, Fh, Opened};
use crate::tree::open::scratch_files::ScratchFiles;
use crate::tree::open::writers::Beginning;
use crate::tree::ops::Tree;
use crate::tree::request::{Caller, OpenFlags, made};
use crate::tree::show::attr::Entry;
use words::attachment::{Attachment, AttachmentId, VariantId};
use words::link::Link;
use words::refusal::Violation;
use words::schema::OnRefuse;
use words::slot::Name;

/// What a `create` asks for.
#[derive(Clone, Copy)]
struct Creation {
    who: Caller,
    mode: u32,
    flags: OpenFlags,
}

impl Tree {
    pub fn open(&self, who: Caller, ino: Ino, flags: OpenFlags) -> Result<Opened> {
        if flags.writes() {
            self.library.fence.check()?;
        }
        match Node::at(ino)? {
            node @ Node::Attachment(id, _) => self.open_attachment(who, node, id, flags),
            Node::Original(id, edition) => self.view.originals.open(who, id, edition, flags),
            Node::Draft(id) => self.open.opener.draft(who, id, flags),
            Node::Scratch(id) => self.open.scratch.open(who, id, flags),
            Node::Url(view) => self.view.urls.files.open(who, view, flags),
            Node::RowJson(table, row) => self.view.rows.open(who, table, row, flags),
            other if flags.changes() => {
                Err(if other.is_directory() { Error::IsDirectory } else { Error::ReadOnly })
            }
            Node::Variant(id) => self.open_variant(id),
            Node::Trashed(id) => self.view.trash.open(who, id),
            other => self.view.control.open(who, other),
        }
    }

    /// To read it asks the catalogue for the key and the store for a descriptor.
    fn open_attachment(
        &self,
        who: Caller,
        node: Node,
        id: AttachmentId,
        flags: OpenFlags,
    ) -> Result<Opened> {
        if flags.changes() || self.open.opener.has_draft(who, node)? {
            return self.open.opener.turn(who, node, flags);
        }
        if let Some(stored) = self.library.opener.attachment(id)? {
            self.open.redirects.end(who.tid);
            return Ok(self.opened(&stored.record, Arc::clone(&stored.file)));
        }
        let attachment = self.open.paths.living(who, node, id)?;
        self.open.redirects.end(who.tid);
        let file = self.library.blobs.open(&attachment)?;
        Ok(self.opened(&attachment, file))
    }

    fn opened(&self, attachment: &Attachment, file: Arc<std::fs::File>) -> Opened {
        let handles = &self.open.handles;
        let fh = handles.add_attachment(attachment, attachment.blob, Arc::clone(&file));
        Opened::stored(fh, file, attachment.content.length)
    }

    /// A variant that was trimmed since it was looked up is looked up, and rendered, again. Causes no write.
    fn open_variant(&self, id: VariantId) -> Result<Opened> {
        let stored = match self.library.opener.variant(id) {
            Err(_) if self.library.variants.by_id(id)?.is_none() => return Err(Error::Stale),
            opened => opened?.ok_or(Error::Stale)?,
        };
        self.library.variants.note_read(id);
        let fh = self.open.handles.add_variant(&stored.record, Arc::clone(&stored.file));
        Ok(Opened::stored(fh, Arc::clone(&stored.file), stored.record.content.length))
    }

    /// A new file, open. On a field it is a draft; under any other name in a row it is scratch.
    pub fn create(
        &self,
        who: Caller,
        parent: Ino,
        name: &OsStr,
        mode: u32,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        let parent = self.places.directory(parent)?;
        let name = made(name)?;
        // A database in a field is read and replaced as a whole; opened for writing it must fail before it writes.
        if meaning::is_journal(&parent, &name) {
            return Err(Error::NotPermitted);
        }
        match self.open.contents.meaning(&parent, &name)? {
            Meaning::File(spot) => {
                self.open.admission.check_extension(who, &spot, &name)?;
                self.create_draft(Creation { who, mode, flags }, parent.side(), &spot, &name)
            }
            Meaning::Scratch => {
                let (record, file) =
                    self.library.scratch.make(&parent.folder(), &name, who.makes(mode))?;
                self.kernel.tell(&Change::Scratch { directory: &parent });
                let entry = Entry::fleeting(self.show.scratch(&record)?);
                let opened = self.open.scratch.hold(who, &record, file, true)?;
                Ok((entry, Opened { caching: Caching::of_writable(flags), ..opened }))
            }
            Meaning::Variant(..) => Err(Error::ReadOnly),
            Meaning::RowJson if flags.exclusive => Err(Error::Exists),
            Meaning::RowJson => {
                let (table, row) = (parent.table.id, parent.row);
                let opened = self.view.rows.open(who, table, row, flags)?;
                Ok((Entry::fleeting(self.view.rows.stat(table, row)?), opened))
            }
            Meaning::Collection(_) => Err(Error::IsDirectory),
            Meaning::Url(spot) => self.view.urls.files.create(who, mode, &spot),
            Meaning::Report | Meaning::Nothing => Err(Error::NotPermitted),
        }
    }

    fn create_draft(
        &self,
        creation: Creation,
        side: Side,
        spot: &Spot,
        name: &Name,
    ) -> Result<(Entry, Opened)> {
        let Creation { who, flags, .. } = creation;
        self.open.redirects.end(who.tid);
        let link = self.library.lookup.link(&spot.place)?.map(|link| side.show(link));
        let visible = |link: &Link| meaning::resolves(link, spot.field.collection, name);
        if flags.exclusive && link.as_ref().is_some_and(visible) {
            return Err(Error::Exists);
        }
        let open = match self.open.writers.own(who, &spot.place).into_iter().next() {
            Some(own) => own,
            None => self.begin_draft(creation, spot, name, link)?,
        };
        if flags.truncate {
            open.draft.truncate(&self.library.drafts, 0)?;
        }
        let opened = self.open.writers.hold(who, &open, true, Caching::of_writable(flags));
        Ok((Entry::fleeting(open.attr()), opened))
    }

    /// `link`: the slot's.
    fn begin_draft(
        &self,
        creation: Creation,
        spot: &Spot,
        name: &Name,
        link: Option<Link>,
    ) -> Result<Arc<OpenDraft>> {
        let Creation { who, mode, .. } = creation;
        let full = if link.is_none() { self.check_room(who, spot, name)? } else { None };
        let target = self.places.target(spot, name)?;
        let over = link.as_ref().map(|link| link.attachment.id);
        let visible = |link: &Link| meaning::resolves(link, spot.field.collection, name);
        let beginning = match link.filter(visible) {
            // Attached since the program looked: it opens what is there.
            Some(Link { attachment, .. }) => {
                let access = attachment.access;
                Beginning { start: self.open.writers.stored(attachment)?, access, over }
            }
            // It was told that there is no such file: it starts from nothing.
            None => Beginning { start: Start::Empty, access: who.makes(mode), over },
        };
        let open = self.open.writers.begin(who, target, beginning)?;
        if let Some(violation) = full {
            open.draft.condemn(violation);
        }
        Ok(open)
    }

    /// Refuses a new item of a full collection; where refusals are not told, returns why its bytes will be quarantined.
    fn check_room(&self, who: Caller, spot: &Spot, name: &Name) -> Result<Option<Violation>> {
        match spot.field.on_refuse {
            OnRefuse::Quarantine => self.open.admission.overflow(spot),
            OnRefuse::Refuse => {
                self.open.admission.check_items(who, spot, name)?;
                Ok(None)
            }
        }
    }

    /// `mknod` of a regular file: `create` and `close`.
    pub fn mknod(&self, who: Caller, parent: Ino, name: &OsStr, mode: u32) -> Result<Entry> {
        let flags = OpenFlags { exclusive: true, ..OpenFlags::default() };
        let (entry, opened) = self.create(who, parent, name, mode, flags)?;
        self.release(opened.fh);
        Ok(entry)
    }

    /// `close`: a verdict if the handle is open for writing and the closer is the opener, or the opener has ended. A
    /// child's close of an inherited descriptor judges nothing.
    pub fn flush(&self, who: Caller, fh: Fh) -> Result<()> {
        match &*self.open.handles.find(fh)? {
            Handle::Draft { open, writes: true } => self.open.writers.flush(who, open),
            Handle::Scratch(scratch) if scratch.writes => match scratch.became.get() {
                Some(open) => self.open.writers.flush(who, open),
                None => self.open.scratch.flush(who, scratch),
            },
            Handle::Document(document) => self.view.verdicts.flush(who, document),
            _ => Ok(()),
        }
    }

    /// The last descriptor of a handle is closed. What no flush has judged is judged now; nobody hears the errno.
    pub fn release(&self, fh: Fh) {
        let Some(handle) = self.open.handles.remove(fh) else { return };
        if let Some(open) = handle.draft()
            && open.let_go()
        {
            self.open.writers.end(open);
        }
        match &*handle {
            Handle::Document(document) => self.view.verdicts.release(document),
            Handle::Scratch(scratch) => {
                ScratchFiles::trim(scratch);
                if scratch.writes {
                    self.view.boxes.closed(scratch.id);
                }
            }
            Handle::Blob { .. } | Handle::Draft { .. } | Handle::Text(_) | Handle::Nothing(_) => {}
        }
    }

    /// A release that finds no room among the downloads: a text without a verdict is refused.
    pub fn release_unfetched(&self, fh: Fh) {
        if let Ok(handle) = self.open.handles.find(fh)
            && let Handle::Document(document) = &*handle
        {
            self.view.urls.files.refuse(document);
        }
        self.release(fh);
    }
}
