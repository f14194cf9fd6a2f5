//! `create`, `flush` and `release`. A draft or a document is judged when it is closed (CONTRACT 2.4).

use std::ffi::OsStr;
use std::sync::Arc;

use crate::library::draft::Start;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::Change;
use crate::tree::node::Ino;
use crate::tree::node::meaning::{self, Meaning, Spot};
use crate::tree::node::side::Side;
use crate::tree::open::document::{Document, View};
use crate::tree::open::handles::{Caching, Fh, Handle, Opened};
use crate::tree::open::open_draft::OpenDraft;
use crate::tree::open::scratch_files::ScratchFiles;
use crate::tree::open::writers::Beginning;
use crate::tree::ops::Tree;
use crate::tree::request::{Caller, OpenFlags, made};
use crate::tree::show::attr::{Attr, Entry};
use crate::tree::view::url_files::writing_attr;
use words::author::Author;
use words::link::Link;
use words::refusal::Violation;
use words::schema::OnRefuse;
use words::slot::Name;

/// The caller, mode and flags of a `create`.
#[derive(Clone, Copy)]
struct Creation {
    who: Caller,
    mode: u32,
    flags: OpenFlags,
}

impl Tree {
    /// Makes and opens a file. On a field it is a draft; under any other name in a row it is scratch.
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
        // A database in a field is read and replaced as a whole: SQLite must fail to write to it in place.
        if meaning::is_journal(&parent, &name) {
            return Err(Error::NotPermitted);
        }
        match self.open.paths.meaning(&parent, &name)? {
            Meaning::File(spot) => {
                self.open.admission.check_extension(who, &spot, &name)?;
                self.create_draft(Creation { who, mode, flags }, parent.side(), &spot, &name)
            }
            Meaning::Scratch => {
                let (record, file) =
                    self.library.scratch.make(&parent.folder(), &name, who.makes(mode))?;
                self.kernel.tell(&Change::Scratch(&parent));
                let entry = Entry::fleeting(self.show.scratch(&record)?);
                let opener = self.open.processes.owner(who.tid);
                let scratch = self.open.scratch.scratch(&record, file, true, opener)?;
                Ok((entry, self.open.scratch.hold(scratch, flags)))
            }
            Meaning::Variant(..) => Err(Error::ReadOnly),
            Meaning::RowJson if flags.exclusive => Err(Error::Exists),
            Meaning::RowJson => {
                let (table, row) = (parent.table.id, parent.row);
                let entry = Entry::fleeting(self.view.rows.stat(table, row)?);
                Ok((entry, self.view.rows.open(who, table, row, flags)?))
            }
            Meaning::Collection(_) => Err(Error::IsDirectory),
            Meaning::Url(spot) => self.view.url_files.create(who, mode, &spot),
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

    /// `link`: the slot's, as the caller's side shows it.
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
            // Attached since the program looked: the draft starts from the stored bytes.
            Some(Link { attachment, .. }) => {
                let access = attachment.access;
                Beginning { start: self.open.writers.stored(attachment)?, access, over }
            }
            // The program was told that there is no such file: the draft starts empty.
            None => Beginning { start: Start::Empty, access: who.makes(mode), over },
        };
        let open = self.open.writers.begin(who, target, beginning)?;
        if let Some(violation) = full {
            open.draft.condemn(violation);
        }
        Ok(open)
    }

    /// Refuses a new item of a full collection. A field that quarantines in silence takes it: returns the violation.
    fn check_room(&self, who: Caller, spot: &Spot, name: &Name) -> Result<Option<Violation>> {
        match spot.field.on_refuse {
            OnRefuse::Quarantine => self.open.admission.overflow(spot),
            OnRefuse::Refuse => self.open.admission.check_items(who, spot, name).map(|()| None),
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
            Handle::Document(document) => self.flush_document(who, document),
            _ => Ok(()),
        }
    }

    /// The last descriptor of a handle is closed. Bytes that no flush has judged are judged now; the errno reaches no program.
    pub fn release(&self, fh: Fh) {
        let Some(handle) = self.open.handles.remove(fh) else { return };
        if let Some(open) = handle.draft()
            && open.let_go()
        {
            self.open.writers.end(open);
        }
        match &*handle {
            Handle::Document(document) => self.release_document(document),
            Handle::Scratch(scratch) => {
                ScratchFiles::trim(scratch);
                if scratch.writes {
                    self.open.boxes.closed(scratch.id);
                }
            }
            Handle::Blob { .. } | Handle::Draft { .. } | Handle::Text(_) | Handle::Nothing(_) => {}
        }
    }

    /// A release for which the queue of downloads is full: a URL without a verdict is refused.
    pub fn release_unfetched(&self, fh: Fh) {
        if let Ok(handle) = self.open.handles.find(fh)
            && let Handle::Document(document) = &*handle
        {
            self.view.url_files.refuse(document);
        }
        self.release(fh);
    }

    /// The attributes of an open document: it has the size of its own text.
    pub(super) fn stat_document(&self, document: &Document) -> Result<Entry> {
        let size = document.size();
        Ok(Entry::fleeting(match &document.view {
            View::Row(table, id) => Attr { size, ..self.view.rows.stat(*table, *id)? },
            View::Url(writing) => writing_attr(writing, size),
        }))
    }

    /// A flush: a verdict if the closer is the opener, or the opener has ended.
    pub(super) fn flush_document(&self, who: Caller, document: &Document) -> Result<()> {
        let processes = self.open.processes;
        let judges = processes.closes_for(who, &document.opener);
        if judges { self.judge_document(document, processes.author(who)) } else { Ok(()) }
    }

    /// `fsync`. A URL is durable once its file is attached: it is judged now. Other documents are judged at their close.
    pub(super) fn sync_document(&self, document: &Document) -> Result<()> {
        match &document.view {
            View::Url(writing) => self.judge_document(document, writing.author),
            View::Row(..) => Ok(()),
        }
    }

    /// The last descriptor is closed. A URL without a verdict is judged now; the errno reaches no program.
    pub(super) fn release_document(&self, document: &Arc<Document>) {
        let View::Url(writing) = &document.view else { return };
        self.view.url_files.numbers.close(document);
        if let Err(error) = self.judge_document(document, writing.author) {
            tracing::debug!(slot = %writing.target.slot, %error, "a URL was not attached");
        }
        self.view.url_files.release(writing);
    }

    /// Judges the text that was written since the last verdict.
    fn judge_document(&self, document: &Document, author: Author) -> Result<()> {
        let Some(text) = document.take()? else { return Ok(()) };
        let verdict = match &document.view {
            View::Row(_, id) => self.view.rows.patch(author, *id, &text),
            View::Url(writing) => self.view.url_files.attach(writing, &text),
        };
        document.judged(&verdict);
        verdict
    }
}
