//! Open files: what is open, whose it is, and what becomes of what is written.

pub mod admission;
pub mod attachment_names;
pub mod box_files;
pub mod contents;
pub mod document;
pub mod drafts;
pub mod emptied;
pub mod handles;
pub mod open_draft;
pub mod opened;
pub mod opener;
pub mod paths;
pub mod pending;
pub mod permits;
pub mod processes;
pub mod promotion;
pub mod redirect;
pub mod scratch_files;
pub mod unlinked;
pub mod writers;

use std::sync::Arc;

use crate::library::Library;
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::places::Places;
use crate::tree::open::admission::Admission;
use crate::tree::open::attachment_names::AttachmentNames;
use crate::tree::open::box_files::BoxFiles;
use crate::tree::open::contents::Contents;
use crate::tree::open::document::Documents;
use crate::tree::open::drafts::Drafts;
use crate::tree::open::emptied::Emptied;
use crate::tree::open::handles::Handles;
use crate::tree::open::opener::Opener;
use crate::tree::open::paths::Paths;
use crate::tree::open::pending::PendingLinks;
use crate::tree::open::processes::Processes;
use crate::tree::open::promotion::Promotion;
use crate::tree::open::redirect::Redirects;
use crate::tree::open::scratch_files::ScratchFiles;
use crate::tree::open::unlinked::{Removed, Unlinked};
use crate::tree::open::writers::Writers;
use crate::tree::show::Show;

/// The parts of this room, each built once.
pub struct Open {
    pub processes: Processes,
    pub handles: Arc<Handles>,
    pub drafts: Arc<Drafts>,
    pub documents: Arc<Documents>,
    pub links: Arc<PendingLinks>,
    pub box_files: Arc<BoxFiles>,
    pub redirects: Arc<Redirects>,
    pub paths: Arc<Paths>,
    pub contents: Arc<Contents>,
    pub admission: Arc<Admission>,
    pub unlinked: Arc<Unlinked>,
    pub writers: Arc<Writers>,
    pub opener: Arc<Opener>,
    pub scratch: Arc<ScratchFiles>,
    pub promotion: Arc<Promotion>,
    pub names: Arc<AttachmentNames>,
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
        let box_files = Arc::<BoxFiles>::default();
        let removed = Removed::during(library.settings.hold);
        let paths = part!(Paths: library, places, handles, redirects);
        let contents = part!(Contents: library, drafts);
        let admission = part!(Admission: library, places, drafts, links, processes);
        let unlinked = part!(Unlinked: library, kernel, drafts, processes; removed: removed);
        let writers = part!(Writers:
            library, places, kernel, handles, drafts, unlinked, processes; emptied: Emptied::default()
        );
        let opener = part!(Opener: library, places, handles, drafts, redirects, writers, processes);
        let scratch = part!(ScratchFiles: library, show, handles, box_files, processes);
        let promotion = part!(Promotion: library, kernel, handles, drafts, writers, processes);
        let names = part!(AttachmentNames:
            library, places, kernel, drafts, unlinked, admission, processes
        );
        let documents = Arc::<Documents>::default();
        Self {
            processes,
            handles,
            drafts,
            documents,
            links,
            box_files,
            redirects,
            paths,
            contents,
            admission,
            unlinked,
            writers,
            opener,
            scratch,
            promotion,
            names,
        }
    }
}
