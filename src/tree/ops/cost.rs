//! The cost of an operation before it is done: whether it needs a thread of its own.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::tree::error::Error;
use crate::tree::node::meaning::{self, Meaning};
use crate::tree::open::document::View;
use crate::tree::open::handles::{Fh, Handle};
use crate::tree::ops::Tree;
use crate::tree::ops::delayed::{placed, placed_name};
use crate::tree::request::{NameIn, made, sought};
use words::rule::Kind;

/// A draft with more bytes is published by a thread of the pool, which costs 33 us.
const SMALL: u64 = 256 << 10;

/// The longest time that a link that attaches waits in the queue. Such a link has 30 s in all, because it holds its directory and
/// its maker cannot be killed (CONTRACT 8).
const QUEUED: Duration = Duration::from_secs(5);

/// The cost of an operation. The request's thread runs a `Trifle`, and one `Small` at a time; the publish pool runs the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Waits for nothing.
    Trifle,
    /// Waits for the disk.
    Small,
    Large,
    /// Goes to the download pool, and is not begun after this time.
    Download {
        patience: Duration,
    },
}

impl Tree {
    /// The cost of a flush or a release of this handle.
    pub fn flush_work(&self, fh: Fh) -> Work {
        let Ok(handle) = self.open.handles.find(fh) else { return Work::Trifle };
        match &*handle {
            Handle::Document(document) if document.is_dirty() => {
                return match document.view {
                    View::Url(_) => {
                        Work::Download { patience: self.library.settings.fetch.timeout }
                    }
                    View::Row(..) => Work::Large,
                    View::TrashNote(_) => Work::Trifle,
                };
            }
            // Space is given back, by whoever may hold the bytes alone.
            Handle::Scratch(scratch) if scratch.reserved.load(Ordering::Acquire) => {
                return Work::Large;
            }
            _ => {}
        }
        match handle.draft() {
            Some(open) if open.draft.is_dirty() => {
                let image = open.draft.target().field.rules.kind == Kind::Image;
                if image || open.draft.size() > SMALL { Work::Large } else { Work::Small }
            }
            _ => Work::Trifle,
        }
    }

    /// The cost of an `fsync` of this handle: the disk takes longer than a change of threads.
    pub fn sync_work(&self, fh: Fh) -> Work {
        match self.flush_work(fh) {
            Work::Trifle | Work::Small => Work::Large,
            other => other,
        }
    }

    /// Whether a `create` waits for the disk: scratch is in the catalogue from the first, and a draft is not.
    pub fn create_waits(&self, at: NameIn<'_>) -> bool {
        let meant = || {
            let (parent, name) = placed(at.parent, at.name);
            let parent = self.places.directory(parent)?;
            Ok::<_, Error>(meaning::meaning(&parent, &made(&name)?))
        };
        matches!(meant(), Ok(Meaning::Scratch))
    }

    /// The cost of a rename: one that attaches from a URL waits for a server.
    pub fn rename_work(&self, from: NameIn<'_>, to: NameIn<'_>) -> Work {
        let waits = || {
            let (mut old, mut new) = Default::default();
            let (from, to) = (placed_name(from, &mut old), placed_name(to, &mut new));
            let (parent, name) = (self.places.directory(from.parent)?, sought(from.name)?);
            let (new_parent, new_name) = (self.places.directory(to.parent)?, made(to.name)?);
            Ok::<_, Error>(match meaning::meaning(&new_parent, &new_name) {
                Meaning::Url(_) => true,
                Meaning::File(_) => self.open.links.named(&parent.folder(), &name).is_some(),
                Meaning::Scratch
                | Meaning::Variant(..)
                | Meaning::Collection(_)
                | Meaning::RowJson
                | Meaning::RowError
                | Meaning::Report
                | Meaning::Nothing => false,
            })
        };
        if waits().unwrap_or(false) { self.link_work() } else { Work::Large }
    }

    pub fn link_work(&self) -> Work {
        Work::Download { patience: QUEUED }
    }
}
