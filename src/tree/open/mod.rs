//! Open files: handles, their owners, drafts, and scratch.

pub mod admission;
pub mod closing;
pub mod descriptors;
pub mod document;
pub mod drafts;
pub mod drop_boxes;
pub mod handles;
pub mod litter;
pub mod open_draft;
pub mod paths;
pub mod pending;
pub mod processes;
pub mod redirect;
pub mod rights;
pub mod scratch_files;
mod system_call;
pub mod unlinked;
pub mod unseen;
pub mod writers;

use std::sync::Arc;

use parking_lot::Mutex;

use crate::library::Library;
use crate::tree::bounded::BoundedMap;
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::places::Places;
use crate::tree::open::admission::Admission;
use crate::tree::open::closing::Closing;
use crate::tree::open::document::Documents;
use crate::tree::open::drafts::Drafts;
use crate::tree::open::drop_boxes::{BoxFiles, DropBoxes};
use crate::tree::open::handles::Handles;
use crate::tree::open::litter::Litter;
use crate::tree::open::paths::Paths;
use crate::tree::open::pending::PendingLinks;
use crate::tree::open::processes::Processes;
use crate::tree::open::redirect::Redirects;
use crate::tree::open::rights::Rights;
use crate::tree::open::scratch_files::ScratchFiles;
use crate::tree::open::unlinked::Unlinked;
use crate::tree::open::unseen::Unseen;
use crate::tree::open::writers::Writers;
use crate::tree::show::Show;

/// The parts of this room, each built once.
pub struct Open {
    pub processes: Processes,
    pub handles: Arc<Handles>,
    pub drafts: Arc<Drafts>,
    pub documents: Documents,
    pub links: Arc<PendingLinks>,
    pub litter: Litter,
    pub redirects: Arc<Redirects>,
    pub rights: Arc<Rights>,
    pub paths: Arc<Paths>,
    pub admission: Arc<Admission>,
    pub unlinked: Arc<Unlinked>,
    pub unseen: Arc<Unseen>,
    pub writers: Arc<Writers>,
    pub closing: Arc<Closing>,
    pub boxes: Arc<DropBoxes>,
    pub scratch: Arc<ScratchFiles>,
}

impl Open {
    pub fn new(
        library: &Arc<Library>,
        places: &Arc<Places>,
        kernel: &Arc<Knowledge>,
        show: &Arc<Show>,
        processes: Processes,
    ) -> Self {
        let handles = Arc::<Handles>::default();
        let drafts = Arc::<Drafts>::default();
        let links = Arc::<PendingLinks>::default();
        let redirects = Arc::<Redirects>::default();
        let rights = part!(Rights: library, places, processes);
        let removed = Mutex::new(BoundedMap::lasting(library.settings.hold));
        let unlinked = part!(Unlinked: library, kernel, drafts, processes; removed: removed);
        let closing = part!(Closing:
            library, kernel, drafts, unlinked, rights, processes; emptied: Mutex::default());
        let boxes = part!(DropBoxes: library, kernel, handles; files: BoxFiles::default());
        Self {
            paths: part!(Paths: library, places, handles, drafts, redirects),
            admission: part!(Admission: library, places, drafts, links, rights, processes),
            writers: part!(Writers:
                library, places, kernel, handles, drafts, unlinked, rights, closing, processes),
            scratch: part!(ScratchFiles: library, show, handles, boxes, processes),
            documents: Documents::default(),
            litter: Litter::default(),
            unseen: part!(Unseen: processes; collections: Mutex::default()),
            processes,
            handles,
            drafts,
            links,
            redirects,
            rights,
            unlinked,
            closing,
            boxes,
        }
    }
}
