//! Files from URLs (CONTRACT 8). An attachment that was unlinked to make room is put back if the fetch fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::library::Library;
use crate::library::arrive::urls::Order;
use crate::library::draft::close::Verdict;
use crate::library::keep::promises::Promise;
use crate::library::lookup::target::Target;
use crate::tree::error::Result;
use crate::tree::kernel::change::{Change, Displaced};
use crate::tree::kernel::tell::Knowledge;
use crate::tree::open::Open;
use crate::tree::request::Caller;
use words::access::FILE_MODE;
use words::attachment::Access;
use words::author::Author;
use words::link::Link;
use words::locator::{Url, UrlError};
use words::place::Place;

/// The time for the download of a link that attaches. Such a link has 30 s in all, because it holds its directory and its maker
/// cannot be killed (CONTRACT 8).
const FETCHED: Duration = Duration::from_secs(20);

/// The target of a fetched file, and the deadline.
#[derive(Debug, Clone)]
pub struct Destination {
    pub target: Target,
    pub author: Author,
    pub access: Access,
    pub deadline: Instant,
    /// The attachment that the writer unlinked before.
    pub replaced: Option<Arc<Promise>>,
}

pub struct Fetching {
    pub(super) library: Arc<Library>,
    pub(super) kernel: Arc<Knowledge>,
    pub(super) open: Arc<Open>,
}

impl Fetching {
    /// The destination of a symbolic link that its maker waits for. Its time runs from here on.
    pub fn link_to(&self, who: Caller, target: Target) -> Destination {
        let author = self.open.processes.author(who);
        let access = target.directory.of_file_inside(who.makes(FILE_MODE));
        let replaced = self.make_room(who, &target.place);
        let deadline = Instant::now() + self.library.settings.fetch.timeout.min(FETCHED);
        Destination { target, author, access, deadline, replaced }
    }

    /// Takes the attachment that the caller unlinked to make room: it is not swept meanwhile.
    pub fn make_room(&self, who: Caller, place: &Place) -> Option<Arc<Promise>> {
        self.open.unlinked.take(who, place).map(|taken| Arc::new(taken.promise))
    }

    /// Attaches the file of a URL, or records the refusal of a text that is none. `before`: the link that is displaced, if the
    /// kernel may have its name cached afterwards.
    pub fn attach(
        &self,
        url: std::result::Result<Url, UrlError>,
        to: Destination,
        before: Option<&Link>,
    ) -> Result<()> {
        let Destination { target, author, access, deadline, replaced } = to;
        let slot = target.clone();
        let promised = replaced.as_ref().map(|promise| promise.id());
        let done = match url {
            Ok(url) => {
                let over = before.map(|link| link.attachment.id);
                let replaced = promised;
                let order = Order { url, target, author, access, deadline, replaced, over };
                self.fetch(&order, before)
            }
            Err(error) => Err(self.library.urls.refuse(&target, author, &error).into()),
        };
        done.inspect_err(|_| self.open.unlinked.put_back_unfetched(&slot, replaced))
    }

    fn fetch(&self, order: &Order, before: Option<&Link>) -> Result<()> {
        let place = &order.target.place;
        let verdict = self.library.urls.attach(order);
        let Verdict::Committed { id, displaced } = verdict? else { return Ok(()) };
        self.open.drafts.drop_placeholders(place, 0);
        let displaced = displaced.as_deref().map(|lost| Displaced::by_handle(lost, before));
        self.kernel.tell(&Change::Attached { place, id, displaced });
        Ok(())
    }
}
