//! Attaching from a URL: the bytes are fetched into a draft, and are then judged like any other write (CONTRACT 8).

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use crate::fetch;
use crate::fetch::Fetcher;
use crate::library::arrive::downloads::Downloads;
use crate::library::arrive::url_violations::{empty, unfetched, unreadable};
use crate::library::draft::close::Verdict;
use crate::library::draft::{Draft, Drafts, Start};
use crate::library::error::{Error, Result};
use crate::library::keep::promises::Promises;
use crate::library::limit::enforcement::Quotas;
use crate::library::limit::permission::{Act, Person, sticky};
use crate::library::lookup::Lookup;
use crate::library::lookup::target::Target;
use crate::library::refuse::Refusals;
use words::attachment::{Access, AttachmentId};
use words::author::Author;
use words::locator::{Url, UrlError};
use words::refusal::{Refusal, Violation};

/// A file that is to be fetched and attached.
#[derive(Debug, Clone)]
pub struct Order {
    pub url: Url,
    pub target: Target,
    pub author: Author,
    pub access: Access,
    /// The download is cut off at this time.
    pub deadline: Instant,
    /// The attachment that the writer unlinked before. It is put back after a crash (CONTRACT 2.11).
    pub replaced: Option<AttachmentId>,
    /// The attachment that the slot held when the order was given.
    pub over: Option<AttachmentId>,
}

pub struct Urls {
    pub(in crate::library) lookup: Arc<Lookup>,
    pub(in crate::library) quotas: Arc<Quotas>,
    pub(in crate::library) refusals: Arc<Refusals>,
    pub(in crate::library) promises: Arc<Promises>,
    pub(in crate::library) drafts: Arc<Drafts>,
    pub(in crate::library) fetcher: Fetcher,
    pub downloads: Downloads,
}

impl Urls {
    /// Fetches and attaches a file. Until the commit the slot keeps its own. A refusal is recorded, with bytes that came whole.
    pub fn attach(&self, order: &Order) -> Result<Verdict> {
        let Order { url, target, author, access, deadline, replaced, .. } = order;
        let owner = self.lookup.fixed(target).of(*access).uid;
        let room = self.quotas.room(target, owner)?;
        if let Some(excess) = &room.full {
            return Err(self.refusals.refuse_over_quota(target, *author, excess).into());
        }
        let replaced = replaced.map(|id| self.promises.make(id));
        let draft = Draft::new(target.clone(), *author, *access, Start::Empty, replaced)
            .within(&self.quotas, room)
            .fetched_from(url.clone());
        let download = self.downloads.begin(&target.slot, url);
        let mut unfit = None;
        let mut take = |piece: fetch::response::Piece<'_>| {
            download.advance(&piece);
            match draft.write_at(&self.drafts, piece.offset, piece.bytes) {
                Ok(_) => ControlFlow::Continue(()),
                Err(error) => {
                    unfit = Some(error);
                    ControlFlow::Break(())
                }
            }
        };
        let limit = target.field.rules.max_size;
        let fetched = self.fetcher.fetch(url, limit, *deadline, &mut take);
        let refuse =
            |violation| Error::from(self.refusals.refuse(target, *author, violation, None));
        match (fetched, unfit) {
            (_, Some(error)) => Err(error),
            (Err(fetch::Error::Busy), None) => Err(Error::Busy),
            (Err(error), None) => Err(refuse(unfetched(&error, limit, target))),
            (Ok(fetched), None) if fetched.length == 0 => Err(refuse(empty(&fetched.url))),
            (Ok(_), None) => {
                let objection = self.objection(order)?;
                draft.flush(&self.drafts, objection)
            }
        }
    }

    /// The objection to bytes that would displace another user's file, which came during the download, from a sticky row.
    fn objection(&self, order: &Order) -> Result<Option<Violation>> {
        let Order { target, author, over, .. } = order;
        let Some(link) = self.lookup.link(&target.place)? else { return Ok(None) };
        // Stickiness asks for no group.
        let person = Person { uid: author.uid, gid: u32::MAX, is_member: |_| false };
        let may = || person.may(Act::Displace, link.attachment.access, target.directory);
        Ok((*over != Some(link.attachment.id) && !may()).then(sticky))
    }

    /// Refuses a text that is no URL.
    pub fn refuse(&self, target: &Target, author: Author, error: &UrlError) -> Refusal {
        self.refusals.refuse(target, author, unreadable(error), None)
    }
}
