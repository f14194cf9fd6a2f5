//! `<field>.url`: reading it shows where the file is, writing a URL to it attaches what is there (CONTRACT 8).
//! Does not read the text that is written, and fetches only where the library does.

use std::sync::Arc;
use std::time::Instant;

use crate::library::arrive::urls::Order;
use crate::library::draft::close::Verdict;
use crate::library::keep::promises::Promise;
use crate::library::lookup::target::Target;
use crate::tree::attr::{Attr, Caching, Entry, Kind, OpenFlags, Opened};
use crate::tree::document::{Document, View};
use crate::tree::handles::Handle;
use crate::tree::node::Node;
use crate::tree::ops::stat::fleeting;
use crate::tree::urls::Writing;
use crate::tree::{Caller, Error, Fh, Result, Tree};
use words::access::FILE_MODE;
use words::attachment::{Access, Times};
use words::author::Author;
use words::link::Link;
use words::locator::{Url, UrlError};
use words::place::Place;
use words::refusal::{Rule, Violation};
use words::schema::Field;
use words::scratch::ScratchRecord;
use words::shortcut;

/// A URL's way into a field, but for the URL.
#[derive(Debug, Clone)]
pub(in crate::tree) struct Written {
    pub target: Target,
    pub author: Author,
    pub access: Access,
    pub deadline: Instant,
    /// What the writer unlinked before.
    pub replaced: Option<Arc<Promise>>,
}

impl Tree {
    /// There while something is attached, or a URL is being written.
    pub(in crate::tree) fn lookup_url(&self, place: &Place) -> Result<Entry> {
        match self.stat_url(self.urls.number(place)) {
            Err(Error::Stale) => Err(Error::NotFound),
            shown => shown.map(fleeting),
        }
    }

    pub(in crate::tree) fn stat_url(&self, view: u64) -> Result<Attr> {
        let place = self.urls.place(view).ok_or(Error::Stale)?;
        match (self.library.lookup.link(&place)?, self.urls.writer(view)) {
            (Some(link), _) => {
                let Link { attachment, .. } = &link;
                let size = self.public_url(&link).len() as u64;
                Ok(url_attr(view, size, attachment.access, attachment.times))
            }
            (None, Some(open)) => Ok(self.document_shown(&open)?.attr),
            (None, None) => Err(Error::Stale),
        }
    }

    /// Where the attachment is for everybody else, as a line.
    fn public_url(&self, link: &Link) -> String {
        format!("{}\n", self.library.store_names.url(&link.attachment))
    }

    pub(in crate::tree) fn create_url(
        &self,
        (who, mode): (Caller, u32),
        place: &Place,
        field: &Arc<Field>,
    ) -> Result<(Entry, Opened)> {
        let (document, opened) = self.begin_url((who, mode), place, field)?;
        Ok((fleeting(self.document_shown(&document)?.attr), opened))
    }

    pub(in crate::tree) fn open_url(
        &self,
        who: Caller,
        view: u64,
        flags: OpenFlags,
    ) -> Result<Opened> {
        let place = self.urls.place(view).ok_or(Error::Stale)?;
        if flags.writes() {
            let field = self.field_at(&place)?;
            return self.begin_url((who, FILE_MODE), &place, &field).map(|(_, opened)| opened);
        }
        let link = self.library.lookup.link(&place)?.ok_or(Error::Stale)?;
        let text = self.public_url(&link).into_bytes();
        Ok(Opened { fh: self.handles.add(Handle::Text(text)), caching: Caching::Never })
    }

    /// Always from nothing: a URL is not edited, it is replaced.
    fn begin_url(
        &self,
        (who, mode): (Caller, u32),
        place: &Place,
        field: &Arc<Field>,
    ) -> Result<(Arc<Document>, Opened)> {
        let opener = self.processes.owner(who.tid);
        let author = Self::author(who, &opener);
        let number = self.urls.number(place);
        let replaced = self.made_room(who, place);
        let link = self.library.lookup.link(place)?;
        let access = link.as_ref().map_or(who.makes(mode), |link| link.attachment.access);
        let target = self.url_target(place, field, link.as_ref())?;
        let writing = Writing::new(number, target, author, access).in_place_of(replaced);
        let view = View::Url(Box::new(writing));
        let document = Arc::new(self.shelf.open(view, true, opener, Vec::new())?);
        self.urls.open(number, Arc::clone(&document));
        let fh = self.handles.add(Handle::Document(Arc::clone(&document)));
        Ok((document, Opened { fh, caching: Caching::Never }))
    }

    /// What is attached by its URL keeps the name that the field has.
    fn url_target(&self, place: &Place, field: &Arc<Field>, link: Option<&Link>) -> Result<Target> {
        let written = link.map_or(&place.field, |link| &link.written);
        self.target(place, field, written)
    }

    /// Fetches what was written since the last verdict.
    pub(in crate::tree) fn attach_written(&self, writing: &Writing, text: &[u8]) -> Result<()> {
        let before = self.library.lookup.link(&writing.target.place)?;
        let written = Written {
            target: writing.target.clone(),
            author: writing.author,
            access: writing.access,
            deadline: Instant::now() + self.library.settings.fetch.timeout,
            replaced: writing.take_replaced(),
        };
        // `>>` writes behind the URL that is shown, which is not in the text.
        let start = text.iter().position(|byte| *byte != 0).unwrap_or_default();
        self.attach_text(&text[start..], written, before.as_ref())
    }

    /// The last descriptor is closed; what has no verdict gets one that nobody hears.
    pub(in crate::tree) fn release_url(&self, document: &Arc<Document>, writing: &Writing) {
        self.urls.close(document);
        if let Err(error) = self.settle_document(document, writing.author) {
            tracing::debug!(slot = %writing.target.slot, %error, "a URL was not attached");
        }
        self.put_back_unfetched(&writing.target, writing.take_replaced());
    }

    /// A release that finds no room among the downloads: what has no verdict is refused.
    pub fn release_unfetched(&self, fh: Fh) {
        if let Ok(handle) = self.handles.find(fh)
            && let Handle::Document(document) = &*handle
            && let View::Url(writing) = &document.view
            && matches!(document.take(), Ok(Some(_)))
        {
            self.library.refusals.refuse(&writing.target, writing.author, crowded(), None);
        }
        self.release(fh);
    }

    /// A shortcut that was written under a scratch name and is renamed to `<field>.url`.
    pub(in crate::tree) fn attach_shortcut(
        &self,
        who: Caller,
        record: &ScratchRecord,
        place: &Place,
        field: &Arc<Field>,
    ) -> Result<()> {
        let before = self.library.lookup.link(place)?;
        let target = self.url_target(place, field, before.as_ref())?;
        let text =
            self.library.scratch.read(record, shortcut::MAX_BYTES)?.ok_or(Error::TooLarge)?;
        let written = self.written(who, target);
        let access = before.as_ref().map_or(written.access, |link| link.attachment.access);
        self.attach_text(&text, Written { access, ..written }, before.as_ref())?;
        Ok(self.library.scratch.remove(record.id)?)
    }

    /// Attaches from a text that has a URL in it. `before` is as for [`Tree::fetch`].
    pub(in crate::tree) fn attach_text(
        &self,
        text: &[u8],
        written: Written,
        before: Option<&Link>,
    ) -> Result<()> {
        let url = shortcut::read(text);
        self.attach_read(url, written, before)
    }

    /// Attaches what a URL leads to, or puts on record why it is none.
    pub(in crate::tree) fn attach_read(
        &self,
        url: std::result::Result<Url, UrlError>,
        written: Written,
        before: Option<&Link>,
    ) -> Result<()> {
        let Written { target, author, access, deadline, replaced } = written;
        let slot = target.clone();
        let promised = replaced.as_ref().map(|promise| promise.id());
        let done = match url {
            Ok(url) => {
                let order = Order { url, target, author, access, deadline, replaced: promised };
                self.fetch(&order, before)
            }
            Err(error) => Err(self.library.urls.refuse(&target, author, &error).into()),
        };
        done.inspect_err(|_| self.put_back_unfetched(&slot, replaced))
    }

    /// Fetches, attaches, and tells the kernel. `before` is what it may still know by its listed name.
    fn fetch(&self, order: &Order, before: Option<&Link>) -> Result<()> {
        let place = &order.target.place;
        let verdict = self.library.urls.attach(order);
        let Verdict::Committed { id, displaced } = verdict? else { return Ok(()) };
        self.row_changed(place);
        self.drop_placeholders(place, 0);
        match displaced {
            Some(displaced) => self.displaced(place, &displaced, before),
            None => self.forget_attachment(id),
        }
        Ok(())
    }

    /// What the writer unlinked to make room: it is not swept meanwhile.
    pub(in crate::tree) fn made_room(&self, who: Caller, place: &Place) -> Option<Arc<Promise>> {
        self.take_unlinked(who, place).map(|(promise, _)| Arc::new(promise))
    }

    /// What was unlinked to make room hangs there again (CONTRACT 2.11).
    pub(in crate::tree) fn put_back_unfetched(
        &self,
        target: &Target,
        replaced: Option<Arc<Promise>>,
    ) {
        let Some(promise) = replaced else { return };
        let Target { place, written, slot, .. } = target;
        match self.library.links.put_back(promise.id(), place, written) {
            Ok(_) => self.row_changed(place),
            Err(error) => {
                tracing::error!(%slot, error = &error as &dyn std::error::Error, "an attachment was not put back");
            }
        }
    }
}

/// A view while its URL is being written.
pub(in crate::tree) fn writing_attr(writing: &Writing, size: u64) -> Attr {
    url_attr(writing.number, size, writing.access, writing.times)
}

fn url_attr(view: u64, size: u64, access: Access, times: Times) -> Attr {
    Attr { ino: Node::Url(view).ino(), kind: Kind::File, size, links: 1, access, times }
}

fn crowded() -> Violation {
    Violation {
        rule: Rule::UrlTimeout,
        fact: "too many downloads were waiting".into(),
        measured: "no room".into(),
        allows: "waits for a while only".into(),
        allowed: "a free place".into(),
        hint: "write the URL again".into(),
    }
}
