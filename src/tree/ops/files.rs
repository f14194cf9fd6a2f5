//! `create`, `flush` and `release`. A draft or a document is judged when it is closed (CONTRACT 2.4).

use std::ffi::OsStr;
use std::sync::Arc;

use crate::library::draft::Start;
use crate::library::limit::permission::Act;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::Change;
use crate::tree::node::meaning::{self, Meaning, Spot};
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use crate::tree::open::document::{Document, View, Writing};
use crate::tree::open::handles::{Caching, Fh, Handle, Opened};
use crate::tree::open::litter;
use crate::tree::open::open_draft::OpenDraft;
use crate::tree::open::scratch_files::ScratchFiles;
use crate::tree::open::writers::Beginning;
use crate::tree::ops::Tree;
use crate::tree::ops::delayed::placed;
use crate::tree::request::{Caller, FILE_BITS, OpenFlags};
use crate::tree::show::attr::{Attr, Entry};
use crate::tree::view::url_files::writing_attr;
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
    pub(super) fn create_file(
        &self,
        who: Caller,
        parent: Ino,
        name: &OsStr,
        mode: u32,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        self.check_descriptors(who)?;
        let (parent, name) = placed(parent, name);
        if litter::takes(Node::at(parent)?, &name) {
            return Ok(self.make_litter(who, parent, &name, mode));
        }
        let name = self.made(parent, &name);
        if let Node::DesktopTrashInfo(uid) = Node::at(parent)? {
            return self.view.desktop_trash.note(who, uid, &name?);
        }
        let parent = self.places.directory(parent)?;
        let name = name?;
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
                let directory = self.show.directory(&parent)?;
                let access = directory.of_file_inside(who.makes(mode & FILE_BITS));
                let (record, file) = self.library.scratch.make(&parent.folder(), &name, access)?;
                self.kernel.tell(&Change::Scratch(&parent));
                let entry = Entry::fleeting(self.show.scratch(&record)?);
                let opener = self.open.processes.owner(who.tid);
                let scratch = self.open.scratch.scratch(&record, file, true, opener)?;
                Ok((entry, self.open.scratch.hold(who, scratch, flags)))
            }
            Meaning::Variant(..) | Meaning::RowError => Err(Error::ReadOnly),
            Meaning::RowJson if flags.exclusive => Err(Error::Exists),
            Meaning::RowJson => {
                let (table, row) = (parent.table.id, parent.row);
                let entry = Entry::fleeting(self.view.rows.stat(who, table, row)?);
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
        let open = match self.open.writers.join(who, &spot.place, false) {
            Some(own) => own,
            None => self.begin_draft(creation, spot, name, link)?,
        };
        let caching = Caching::of_writable(flags);
        let opened = self.open.writers.open(who, Arc::clone(&open), flags, caching)?;
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
        let Creation { who, mode, flags } = creation;
        let mode = mode & FILE_BITS;
        let visible = |link: &Link| meaning::resolves(link, spot.field.collection, name);
        if let Some(link) = &link {
            // Attached since the program looked the name up; or attached under another name of the slot, and displaced now.
            let acts = match visible(link) {
                true if flags.reads() => &[Act::Write, Act::Read][..],
                true => &[Act::Write],
                false => &[Act::Displace],
            };
            acts.iter().try_for_each(|act| self.open.rights.check(who, *act, link))?;
        }
        let full = if link.is_none() { self.check_room(who, spot, name)? } else { None };
        let target = self.places.target(spot, name)?;
        let over = link.as_ref().map(|link| link.attachment.id);
        let number = self.open.drafts.number();
        let beginning = if let Some(Link { attachment, .. }) = link.filter(visible) {
            // The draft starts from the stored bytes.
            let access = attachment.access;
            Beginning { number, start: self.open.writers.stored(attachment)?, access, over }
        } else {
            // The program was told that there is no such file: the draft starts empty.
            let access = target.directory.of_file_inside(who.makes(mode));
            Beginning { number, start: Start::Empty, access, over }
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

    pub(super) fn judge_at_close(&self, who: Caller, fh: Fh) -> Result<()> {
        match &*self.open.handles.find(fh)? {
            Handle::Draft { open, writes: true } => self.open.closing.flush(who, open),
            Handle::Scratch(scratch) if scratch.writes => match scratch.became.get() {
                Some(open) => self.open.closing.flush(who, open),
                None => self.open.scratch.flush(who, scratch),
            },
            Handle::Document(document) => self.flush_document(who, document),
            _ => Ok(()),
        }
    }

    /// The last descriptor of a handle is closed. Bytes that no flush has judged are judged now; the errno reaches no program.
    pub fn release(&self, fh: Fh) {
        let Some(handle) = self.open.handles.remove(fh) else { return };
        if let Some(open) = handle.draft() {
            self.open.closing.let_go(open);
        }
        match &*handle {
            Handle::Document(document) => self.release_document(document),
            Handle::Scratch(scratch) => {
                ScratchFiles::trim(scratch);
                if scratch.writes {
                    self.open.boxes.closed(scratch.id);
                }
            }
            Handle::Blob { .. }
            | Handle::Draft { .. }
            | Handle::Text(_)
            | Handle::Nothing(_)
            | Handle::Litter(_) => {}
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
    pub(super) fn stat_document(&self, who: Caller, document: &Document) -> Result<Entry> {
        let size = document.size();
        Ok(Entry::fleeting(match &document.view {
            View::Row(table, id) => Attr { size, ..self.view.rows.stat(who, *table, *id)? },
            View::Url(writing) => writing_attr(writing, size),
            View::TrashNote(uid) => {
                let shown = self.view.desktop_trash.stat(Node::DesktopTrashNote(*uid))?;
                Attr { size, ..shown }
            }
        }))
    }

    /// A flush: a verdict if the closer is the opener, or the opener has ended.
    pub(super) fn flush_document(&self, who: Caller, document: &Document) -> Result<()> {
        let processes = self.open.processes;
        let judges = processes.closes_for(who, &document.opener);
        match &document.view {
            _ if !judges => Ok(()),
            View::Row(_, id) => judge(document, |text| self.view.rows.patch(who, *id, text)),
            View::Url(writing) => self.judge_url(document, writing),
            View::TrashNote(..) => Ok(()),
        }
    }

    /// Judges a document in `write`, if no byte that may follow can mend it: programs that ignore the result of `close` hear of
    /// the refusal then. Nothing is changed yet.
    pub(super) fn judge_early(&self, who: Caller, document: &Document) -> Result<()> {
        let View::Row(_, id) = document.view else { return Ok(()) };
        let Some(text) = document.appended() else { return Ok(()) };
        match self.view.rows.check(who, id, &text) {
            Err(Error::Refused(refusal)) => {
                document.refuse(&refusal);
                Err(refusal.into())
            }
            Err(elsewhere @ Error::Elsewhere(_)) => Err(elsewhere),
            _ => Ok(()),
        }
    }

    /// `fsync`. A URL is durable once its file is attached: it is judged now. Other documents are judged at their close.
    pub(super) fn sync_document(&self, document: &Document) -> Result<()> {
        match &document.view {
            View::Url(writing) => self.judge_url(document, writing),
            View::Row(..) | View::TrashNote(..) => Ok(()),
        }
    }

    /// The last descriptor is closed. A URL without a verdict is judged now; the errno reaches no program.
    pub(super) fn release_document(&self, document: &Arc<Document>) {
        let View::Url(writing) = &document.view else { return };
        self.view.url_files.numbers.close(document);
        if let Err(error) = self.judge_url(document, writing) {
            tracing::debug!(slot = %writing.target.slot, %error, "a URL was not attached");
        }
        self.view.url_files.release(writing);
    }

    fn judge_url(&self, document: &Document, writing: &Writing) -> Result<()> {
        judge(document, |text| self.view.url_files.attach(writing, text))
    }
}

/// Judges the text that was written since the last verdict.
fn judge(document: &Document, verdict: impl FnOnce(&[u8]) -> Result<()>) -> Result<()> {
    let Some(text) = document.take()? else { return Ok(()) };
    let verdict = verdict(&text);
    document.judged(&verdict);
    verdict
}
