//! `<field>.url`: a read returns the URL of the file, a written URL is fetched and attached (CONTRACT 8).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::library::Library;
use crate::library::keep::promises::Promise;
use crate::library::limit::permission::Act;
use crate::library::lookup::target::Target;
use crate::tree::bounded::BoundedMap;
use crate::tree::error::{Error, Result};
use crate::tree::node::Node;
use crate::tree::node::meaning::Spot;
use crate::tree::node::places::Places;
use crate::tree::open::Open;
use crate::tree::open::document::{Document, View, Writing};
use crate::tree::open::handles::{Caching, Handle, Opened};
use crate::tree::request::{Caller, FILE_BITS, OpenFlags};
use crate::tree::show::attr::{Attr, Entry};
use crate::tree::view::fetching::{Destination, Fetching};
use words::access::FILE_MODE;
use words::attachment::{Attachment, Times};
use words::link::Link;
use words::place::Place;
use words::refusal::{Rule, Violation};
use words::scratch::ScratchRecord;
use words::shortcut;
use words::timestamp::Timestamp;

/// The most views that have a number. Beyond that the oldest loses its number and is looked up again (`ESTALE`).
const MAX_VIEWS: usize = 4_096;

pub struct UrlFiles {
    pub(super) library: Arc<Library>,
    pub(super) places: Arc<Places>,
    pub(super) open: Arc<Open>,
    pub(super) fetching: Arc<Fetching>,
    pub numbers: UrlNumbers,
}

impl UrlFiles {
    /// The view exists while a file is attached or a URL is being written.
    pub fn lookup(&self, place: &Place) -> Result<Entry> {
        match self.stat(self.numbers.number(place)) {
            Err(Error::Stale) => Err(Error::NotFound),
            shown => shown.map(Entry::fleeting),
        }
    }

    pub fn stat(&self, view: u64) -> Result<Attr> {
        let place = self.numbers.place(view).ok_or(Error::Stale)?;
        if let Some(link) = self.library.lookup.link(&place)? {
            let size = self.line(&link)?.len() as u64;
            let Attachment { access, times, .. } = link.attachment;
            return Ok(Attr::file(Node::Url(view), size, access, times));
        }
        let open = self.numbers.writer(view).ok_or(Error::Stale)?;
        let View::Url(writing) = &open.view else { return Err(Error::Stale) };
        Ok(writing_attr(writing, open.size()))
    }

    /// The public address of an attachment, as a line.
    fn line(&self, link: &Link) -> Result<String> {
        let url = self.library.row_documents.urls.of(&self.places.row(link.place.row)?, link);
        Ok(format!("{}\n", url.ok_or(Error::Stale)?))
    }

    pub fn open(&self, who: Caller, view: u64, flags: OpenFlags) -> Result<Opened> {
        let place = self.numbers.place(view).ok_or(Error::Stale)?;
        if flags.writes() {
            let field = self.places.field_at(&place)?;
            return self.create(who, FILE_MODE, &Spot { place, field }).map(|(_, opened)| opened);
        }
        let link = self.library.lookup.link(&place)?.ok_or(Error::Stale)?;
        let fh = self.open.handles.add(who, Handle::Text(self.line(&link)?.into_bytes()));
        Ok(Opened { fh, caching: Caching::Never })
    }

    /// Opens a view for writing, always empty: a URL is replaced, not edited.
    pub fn create(&self, who: Caller, mode: u32, spot: &Spot) -> Result<(Entry, Opened)> {
        let place = &spot.place;
        let opener = self.open.processes.owner(who.tid);
        let author = opener.author(who.uid);
        let number = self.numbers.number(place);
        let link = self.library.lookup.link(place)?;
        link.as_ref().map_or(Ok(()), |link| self.open.rights.check(who, Act::Write, link))?;
        let replaced = self.fetching.make_room(who, place);
        let target = self.target(spot, link.as_ref())?;
        let new = target.directory.of_file_inside(who.makes(mode & FILE_BITS));
        let access = link.as_ref().map_or(new, |link| link.attachment.access);
        let times = Times::all(Timestamp::now());
        let over = link.map(|link| link.attachment.id);
        let replaced = Mutex::new(replaced);
        let writing = Writing { number, target, author, access, over, times, replaced };
        let entry = Entry::fleeting(writing_attr(&writing, 0));
        let view = View::Url(Box::new(writing));
        let document = Arc::new(self.open.documents.open(view, true, opener, Vec::new())?);
        self.numbers.open(number, Arc::clone(&document));
        let fh = self.open.handles.add(who, Handle::Document(document));
        Ok((entry, Opened { fh, caching: Caching::Never }))
    }

    /// A file that is attached by its URL keeps the name that the field has.
    fn target(&self, spot: &Spot, link: Option<&Link>) -> Result<Target> {
        let written = link.map_or(&spot.place.field, |link| &link.written);
        self.places.target(spot, written)
    }

    /// Fetches and attaches the URL that was written since the last verdict.
    pub fn attach(&self, writing: &Writing, text: &[u8]) -> Result<()> {
        let before = self.library.lookup.link(&writing.target.place)?;
        if let Some(link) = before.as_ref().filter(|link| Some(link.attachment.id) != writing.over)
        {
            self.open.rights.check_overwrite(writing.author, link)?;
        }
        let to = Destination {
            target: writing.target.clone(),
            author: writing.author,
            access: writing.access,
            deadline: Instant::now() + self.library.settings.fetch.timeout,
            replaced: take_replaced(writing),
        };
        // `>>` writes behind the shown URL, whose bytes are zero in the text.
        let start = text.iter().position(|byte| *byte != 0).unwrap_or_default();
        self.fetching.attach(shortcut::read(&text[start..]), to, before.as_ref())
    }

    /// The last descriptor of a view is closed, and its text is judged.
    pub fn release(&self, writing: &Writing) {
        self.open.unlinked.put_back_unfetched(&writing.target, take_replaced(writing));
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
        before.as_ref().map_or(Ok(()), |link| self.open.rights.check(who, Act::Displace, link))?;
        let target = self.target(spot, before.as_ref())?;
        let text =
            self.library.scratch.read(record, shortcut::MAX_BYTES)?.ok_or(Error::TooLarge)?;
        let to = self.fetching.link_to(who, target);
        let access = before.as_ref().map_or(to.access, |link| link.attachment.access);
        let to = Destination { access, ..to };
        self.fetching.attach(shortcut::read(&text), to, before.as_ref())?;
        Ok(self.library.scratch.remove(record.id)?)
    }
}

/// The numbers of the views, and which of them are being written. A restart forgets both.
#[derive(Debug, Default)]
pub struct UrlNumbers {
    /// Guards the numbers and the open texts. Never held across I/O.
    index: Mutex<Index>,
}

#[derive(Debug, Default)]
struct Index {
    last: u64,
    numbers: BoundedMap<Place, u64, MAX_VIEWS>,
    places: HashMap<u64, Place>,
    open: Vec<(u64, Arc<Document>)>,
}

impl UrlNumbers {
    /// The number of a view, which it keeps until too many others have one.
    pub fn number(&self, place: &Place) -> u64 {
        let mut index = self.index.lock();
        if let Some(number) = index.numbers.get(place) {
            return *number;
        }
        index.last += 1;
        let number = index.last;
        if let Some((_, evicted)) = index.numbers.insert(place.clone(), number) {
            index.places.remove(&evicted);
        }
        index.places.insert(number, place.clone());
        number
    }

    pub fn place(&self, number: u64) -> Option<Place> {
        self.index.lock().places.get(&number).cloned()
    }

    /// The text that is being written to a view; of several the first.
    pub fn writer(&self, number: u64) -> Option<Arc<Document>> {
        let index = self.index.lock();
        index.open.iter().find(|(other, _)| *other == number).map(|(_, open)| Arc::clone(open))
    }

    pub fn open(&self, number: u64, document: Arc<Document>) {
        self.index.lock().open.push((number, document));
    }

    pub fn close(&self, closed: &Arc<Document>) {
        self.index.lock().open.retain(|(_, open)| !Arc::ptr_eq(open, closed));
    }
}

/// Takes the attachment that the writer unlinked: the caller puts it back or replaces it.
fn take_replaced(writing: &Writing) -> Option<Arc<Promise>> {
    writing.replaced.lock().take()
}

/// The attributes of a view while its URL is being written.
pub fn writing_attr(writing: &Writing, size: u64) -> Attr {
    Attr::file(Node::Url(writing.number), size, writing.access, writing.times)
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

#[cfg(test)]
mod tests {
    use super::*;
    use words::attachment::RowId;
    use words::slot::Name;

    fn place(row: u64) -> Place {
        Place::one(RowId(row), Name::parse("avatar").expect("a name"))
    }

    #[test]
    fn a_view_keeps_its_number_and_the_oldest_make_room() {
        let urls = UrlNumbers::default();
        let number = urls.number(&place(0));
        assert_eq!(urls.number(&place(0)), number);
        assert_eq!(urls.place(number), Some(place(0)));
        for row in 1..=4_096 {
            urls.number(&place(row));
        }
        assert_eq!(urls.place(number), None);
        assert_ne!(urls.number(&place(0)), number);
    }
}
