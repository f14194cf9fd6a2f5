//! `<field>.url`: reading it shows where the file is, writing a URL to it attaches what is there (CONTRACT 8).

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::library::Library;
use crate::library::keep::promises::Promise;
use crate::library::lookup::target::Target;
use crate::tree::error::{Error, Result};
use crate::tree::node::meaning::Spot;
use crate::tree::node::places::Places;
use crate::tree::node::{Kind, Node};
use crate::tree::open::document::{Document, Documents, View, Writing};
use crate::tree::open::handles::{Handle, Handles};
use crate::tree::open::opened::{Caching, Opened};
use crate::tree::open::processes::Processes;
use crate::tree::open::unlinked::Unlinked;
use crate::tree::request::{Caller, OpenFlags};
use crate::tree::show::attr::{Attr, Entry};
use crate::tree::view::url::fetching::{Destination, Fetching};
use crate::tree::view::url::numbers::UrlNumbers;
use words::access::FILE_MODE;
use words::attachment::{Access, Times};
use words::link::Link;
use words::place::Place;
use words::refusal::{Rule, Violation};
use words::scratch::ScratchRecord;
use words::shortcut;
use words::timestamp::Timestamp;

pub struct UrlFiles {
    pub(super) library: Arc<Library>,
    pub(super) places: Arc<Places>,
    pub(super) handles: Arc<Handles>,
    pub(super) documents: Arc<Documents>,
    pub(super) unlinked: Arc<Unlinked>,
    pub(super) fetching: Arc<Fetching>,
    pub(super) processes: Processes,
    pub(super) numbers: UrlNumbers,
}

impl UrlFiles {
    /// The view is there while something is attached, or a URL is being written.
    pub fn lookup(&self, place: &Place) -> Result<Entry> {
        match self.stat(self.numbers.number(place)) {
            Err(Error::Stale) => Err(Error::NotFound),
            shown => shown.map(Entry::fleeting),
        }
    }

    pub fn stat(&self, view: u64) -> Result<Attr> {
        let place = self.numbers.place(view).ok_or(Error::Stale)?;
        match (self.library.lookup.link(&place)?, self.numbers.writer(view)) {
            (Some(link), _) => {
                let size = self.line(&link).len() as u64;
                Ok(attr(view, size, link.attachment.access, link.attachment.times))
            }
            (None, Some(open)) => match &open.view {
                View::Url(writing) => Ok(writing_attr(writing, open.size())),
                View::Row(..) => Err(Error::Stale),
            },
            (None, None) => Err(Error::Stale),
        }
    }

    /// The public address of an attachment, as a line.
    fn line(&self, link: &Link) -> String {
        format!("{}\n", self.library.store_names.url(&link.attachment))
    }

    pub fn create(&self, who: Caller, mode: u32, spot: &Spot) -> Result<(Entry, Opened)> {
        let (attr, opened) = self.begin(who, mode, spot)?;
        Ok((Entry::fleeting(attr), opened))
    }

    pub fn open(&self, who: Caller, view: u64, flags: OpenFlags) -> Result<Opened> {
        let place = self.numbers.place(view).ok_or(Error::Stale)?;
        if flags.writes() {
            let field = self.places.field_at(&place)?;
            return self.begin(who, FILE_MODE, &Spot { place, field }).map(|(_, opened)| opened);
        }
        let link = self.library.lookup.link(&place)?.ok_or(Error::Stale)?;
        let fh = self.handles.add(Handle::Text(self.line(&link).into_bytes()));
        Ok(Opened { fh, caching: Caching::Never })
    }

    /// Opens a view for writing, always from nothing: a URL is not edited, it is replaced.
    fn begin(&self, who: Caller, mode: u32, spot: &Spot) -> Result<(Attr, Opened)> {
        let place = &spot.place;
        let opener = self.processes.owner(who.tid);
        let author = opener.author(who.uid);
        let number = self.numbers.number(place);
        let replaced = self.fetching.make_room(who, place);
        let link = self.library.lookup.link(place)?;
        let access = link.as_ref().map_or(who.makes(mode), |link| link.attachment.access);
        let target = self.target(spot, link.as_ref())?;
        let times = Times::all(Timestamp::now());
        let replaced = Mutex::new(replaced);
        let writing = Writing { number, target, author, access, times, replaced };
        let attr = writing_attr(&writing, 0);
        let view = View::Url(Box::new(writing));
        let document = Arc::new(self.documents.open(view, true, opener, Vec::new())?);
        self.numbers.open(number, Arc::clone(&document));
        let fh = self.handles.add(Handle::Document(document));
        Ok((attr, Opened { fh, caching: Caching::Never }))
    }

    /// A file that is attached by its URL keeps the name that the field has.
    fn target(&self, spot: &Spot, link: Option<&Link>) -> Result<Target> {
        let written = link.map_or(&spot.place.field, |link| &link.written);
        self.places.target(spot, written)
    }

    /// Fetches from the URL that was written since the last verdict.
    pub fn attach(&self, writing: &Writing, text: &[u8]) -> Result<()> {
        let before = self.library.lookup.link(&writing.target.place)?;
        let to = Destination {
            target: writing.target.clone(),
            author: writing.author,
            access: writing.access,
            deadline: Instant::now() + self.library.settings.fetch.timeout,
            replaced: take_replaced(writing),
        };
        // `>>` writes behind the URL that is shown, which is not in the text.
        let start = text.iter().position(|byte| *byte != 0).unwrap_or_default();
        self.fetching.attach_text(&text[start..], to, before.as_ref())
    }

    /// The last descriptor of a view is closed and its text has its verdict.
    pub fn release(&self, writing: &Writing) {
        self.unlinked.put_back_unfetched(&writing.target, take_replaced(writing));
    }

    /// A view is about to be released.
    pub fn close(&self, document: &Arc<Document>) {
        self.numbers.close(document);
    }

    /// Refuses a text for which there is no room among the downloads.
    pub fn refuse(&self, document: &Document) {
        if let View::Url(writing) = &document.view
            && matches!(document.take(), Ok(Some(_)))
        {
            self.library.refusals.refuse(&writing.target, writing.author, crowded(), None);
        }
    }

    /// Attaches from a shortcut that was written under a scratch name and is renamed to `<field>.url`.
    pub fn attach_shortcut(&self, who: Caller, record: &ScratchRecord, spot: &Spot) -> Result<()> {
        let before = self.library.lookup.link(&spot.place)?;
        let target = self.target(spot, before.as_ref())?;
        let text =
            self.library.scratch.read(record, shortcut::MAX_BYTES)?.ok_or(Error::TooLarge)?;
        let to = self.fetching.link_to(who, target);
        let access = before.as_ref().map_or(to.access, |link| link.attachment.access);
        self.fetching.attach_text(&text, Destination { access, ..to }, before.as_ref())?;
        Ok(self.library.scratch.remove(record.id)?)
    }
}

/// Takes what the writer unlinked: the caller puts it back or attaches over it.
fn take_replaced(writing: &Writing) -> Option<Arc<Promise>> {
    writing.replaced.lock().take()
}

/// The attributes of a view while its URL is being written.
pub fn writing_attr(writing: &Writing, size: u64) -> Attr {
    attr(writing.number, size, writing.access, writing.times)
}

fn attr(view: u64, size: u64, access: Access, times: Times) -> Attr {
    Attr { ino: Node::Url(view).ino(), kind: Kind::File, size, links: 1, access, times }
}

fn crowded() -> Violation {
    Violation {
        rule: Rule::UrlBusy,
        fact: "too many downloads were waiting".into(),
        measured: "no room".into(),
        allows: "waits for a while only".into(),
        allowed: "a free place".into(),
        hint: "write the URL again".into(),
    }
}
