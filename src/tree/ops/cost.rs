//! The cost of an operation, asked before it is done: whether it needs a thread of its own.

use std::time::Duration;

use crate::tree::node::meaning::{self, Meaning};
use crate::tree::open::document::View;
use crate::tree::open::handles::Handle;
use crate::tree::open::open_draft::OpenDraft;
use crate::tree::open::opened::Fh;
use crate::tree::ops::Tree;
use crate::tree::request::{NameIn, made, sought};
use words::rule::Kind;

/// Above this many bytes a publication is worth a thread of the pool (33 us) rather than the request's own.
const SMALL: u64 = 256 << 10;

/// A link that attaches has 30 s in all, because it holds its directory and its maker cannot be killed (CONTRACT 8): this long to
/// wait for its turn, then to fetch and to be judged.
const QUEUED: Duration = Duration::from_secs(5);

/// The cost of an operation: `Trifle` is answered in place, `Small` too unless another is at it, `Large` goes to the publish pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Waits for nothing.
    Trifle,
    /// Waits for the disk.
    Small,
    Large,
    /// Goes to the pool of those that wait for servers, and is not begun after this time.
    Download {
        patience: Duration,
    },
}

impl Tree {
    /// The cost of a flush of this handle.
    pub fn flush_work(&self, fh: Fh) -> Work {
        let Ok(handle) = self.open.handles.find(fh) else { return Work::Trifle };
        if let Handle::Document(document) = &*handle
            && let View::Url(_) = document.view
        {
            let patience = self.library.settings.fetch.timeout;
            return if document.is_dirty() { Work::Download { patience } } else { Work::Trifle };
        }
        match handle.draft() {
            Some(open) if open.draft.is_dirty() => judging(open),
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

    /// The cost of a release of this handle.
    pub fn release_work(&self, fh: Fh) -> Work {
        self.flush_work(fh)
    }

    /// The cost of a rename: one that attaches from a URL waits for a server.
    pub fn rename_work(&self, from: NameIn<'_>, to: NameIn<'_>) -> Work {
        let (parent, new_parent) =
            (self.places.directory(from.parent), self.places.directory(to.parent));
        let (Ok(parent), Ok(new_parent)) = (parent, new_parent) else { return Work::Large };
        let (Ok(name), Ok(new_name)) = (sought(from.name), made(to.name)) else {
            return Work::Large;
        };
        let waits = match meaning::meaning(&new_parent, &new_name) {
            Meaning::Url(_) => true,
            Meaning::File(_) => self.open.links.named(&parent.folder(), &name).is_some(),
            Meaning::Scratch
            | Meaning::Variant(..)
            | Meaning::Collection(_)
            | Meaning::RowJson
            | Meaning::Report
            | Meaning::Nothing => false,
        };
        if waits { self.link_work() } else { Work::Large }
    }

    /// The cost of a symbolic link that attaches.
    pub fn link_work(&self) -> Work {
        Work::Download { patience: QUEUED }
    }
}

/// The cost of judging a draft.
fn judging(open: &OpenDraft) -> Work {
    let image = open.draft.target().field.rules.kind == Kind::Image;
    if image || open.draft.size() > SMALL { Work::Large } else { Work::Small }
}
