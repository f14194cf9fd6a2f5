//! The operations of the tree: the verbs of FUSE, and what the daemon does by itself. Each decodes what is meant and asks the parts
//! below.

mod bytes;
pub mod cost;
mod directories;
mod files;
mod getattr;
mod hard_link;
mod lookup;
mod read_only;
mod readdir;
mod rename;
mod setattr;
mod symlink;
mod unlinking;
mod upkeep;
mod xattr;

use std::sync::Arc;

use crate::library::Library;
use crate::tree::activity::Activity;
use crate::tree::kernel::Kernel;
use crate::tree::kernel::change::Change;
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::places::{Places, Scope};
use crate::tree::open::Open;
use crate::tree::open::processes::Processes;
use crate::tree::show::Show;
use crate::tree::show::listing::Listings;
use crate::tree::view::Views;
use words::timestamp::Timestamp;

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
