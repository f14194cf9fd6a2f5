//! The tree: the filesystem that a program sees, without FUSE. It asks `library` for every byte and every fact.
//!
//! A node's inode number says what it is and, where the catalogue counts it, which one: numbers are stable over restarts, and the
//! tree keeps no table of what the kernel has seen. What it does keep is what no catalogue knows: open handles, open drafts with
//! their owners, and for the time of one `open` the redirection of a writer to its draft.

/// Builds a part from the parts that it names, in variables of the same names, and its own state.
macro_rules! part {
    ($type:ident: $($part:ident),* $(; $own:ident: $value:expr)?) => {
        std::sync::Arc::new($type { $($part: $part.to_owned(),)* $($own: $value)? })
    };
}

pub mod activity;
mod bounded;
mod error;
pub mod kernel;
pub mod node;
pub mod open;
pub mod ops;
pub mod request;
pub mod show;
pub mod view;

use std::sync::Arc;

use crate::library::Library;
use crate::tree::activity::Activity;
use crate::tree::kernel::Kernel;
use crate::tree::kernel::change::Change;
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::places::Places;
use crate::tree::open::Open;
use crate::tree::open::processes::Processes;
use crate::tree::show::Show;
use crate::tree::show::listing::Listings;
use crate::tree::view::Views;
use words::timestamp::Timestamp;

pub use crate::tree::error::{Error, Result};
pub use crate::tree::node::Ino;
pub use crate::tree::node::places::Scope;
pub use crate::tree::open::opened::Fh;
pub use crate::tree::request::Caller;

/// The filesystem. Its methods are the operations of FUSE, and a few that the daemon does by itself.
pub struct Tree {
    library: Arc<Library>,
    activity: Arc<Activity>,
    places: Arc<Places>,
    kernel: Arc<Knowledge>,
    show: Arc<Show>,
    listings: Listings,
    open: Open,
    view: Views,
}

impl Tree {
    pub fn new(library: Arc<Library>, processes: Processes) -> Self {
        Self::of(library, processes, Scope::Everything)
    }

    pub fn of(library: Arc<Library>, processes: Processes, scope: Scope) -> Self {
        let started = Timestamp::now();
        let activity = Arc::<Activity>::default();
        let places = Arc::new(Places::new(&library, scope));
        let kernel = Arc::new(Knowledge::new(&library, &places, started));
        let show = Arc::new(Show::new(&library, &places, &kernel, started));
        let open = Open::new(&library, &places, &kernel, &show, processes);
        let view = Views::new(&library, &places, &kernel, &show, &open, &activity);
        let listings = Listings::default();
        Self { library, activity, places, kernel, show, listings, open, view }
    }

    /// Names the kernel that is told of changes. Once, before the first request; a tree without a kernel tells nobody.
    pub fn connect(&self, kernel: Box<dyn Kernel>) {
        self.kernel.connect(kernel);
    }

    /// Tells the kernel of a change that no request has made.
    pub fn tell(&self, change: &Change<'_>) {
        self.kernel.tell(change);
    }

    pub fn activity(&self) -> &Activity {
        &self.activity
    }

    pub fn library(&self) -> &Library {
        &self.library
    }
}
