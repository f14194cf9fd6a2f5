//! The views: everything that is shown beside files, each with its own lookups, attributes and listings.

pub mod control;
pub mod drop_boxes;
pub mod facts;
pub mod originals;
pub mod rendering;
pub mod retry;
pub mod row_document;
pub mod row_listing;
pub mod tables;
pub mod thumbs;
pub mod trash_days;
pub mod url;
pub mod verdicts;

use std::sync::Arc;

use crate::library::Library;
use crate::tree::activity::Activity;
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::places::Places;
use crate::tree::open::Open;
use crate::tree::show::Show;
use crate::tree::view::control::Control;
use crate::tree::view::drop_boxes::DropBoxes;
use crate::tree::view::facts::Facts;
use crate::tree::view::originals::Originals;
use crate::tree::view::rendering::Variants;
use crate::tree::view::retry::Retry;
use crate::tree::view::row_document::RowDocuments;
use crate::tree::view::row_listing::RowListing;
use crate::tree::view::tables::Tables;
use crate::tree::view::thumbs::Thumbs;
use crate::tree::view::trash_days::TrashDays;
use crate::tree::view::url::Urls;
use crate::tree::view::verdicts::Verdicts;

/// The parts of this room, each built once.
pub struct Views {
    pub tables: Arc<Tables>,
    pub listing: Arc<RowListing>,
    pub variants: Arc<Variants>,
    pub thumbs: Arc<Thumbs>,
    pub facts: Arc<Facts>,
    pub originals: Arc<Originals>,
    pub trash: Arc<TrashDays>,
    pub boxes: Arc<DropBoxes>,
    pub rows: Arc<RowDocuments>,
    pub urls: Urls,
    pub verdicts: Arc<Verdicts>,
    pub control: Control,
    pub retry: Arc<Retry>,
}

impl Views {
    pub fn new(
        library: &Arc<Library>,
        places: &Arc<Places>,
        kernel: &Arc<Knowledge>,
        show: &Arc<Show>,
        open: &Open,
        activity: &Arc<Activity>,
    ) -> Self {
        let Open { processes, handles, drafts, documents, links, box_files, redirects, .. } = open;
        let Open { paths, contents, admission, writers, opener, .. } = open;
        let variants = part!(Variants: library, places, kernel, processes);
        let rows = part!(RowDocuments:
            library, places, kernel, handles, drafts, documents, admission, processes
        );
        let urls = Urls::new(library, places, kernel, open);
        let url_files = &urls.files;
        Self {
            tables: part!(Tables: library, places, show),
            listing: part!(RowListing: library, show, drafts, links),
            thumbs: part!(Thumbs: library, places, kernel, show, paths, variants),
            facts: part!(Facts: library),
            originals: part!(Originals:
                library, kernel, handles, redirects, paths, writers, opener
            ),
            trash: part!(TrashDays: library, kernel, show, handles, drafts, admission, processes),
            boxes: part!(DropBoxes: library, kernel, show, handles, box_files),
            verdicts: part!(Verdicts: rows, url_files, processes),
            control: Control::new(library, kernel, show, open, activity),
            retry: part!(Retry: library, places, kernel, drafts, contents, admission, processes),
            variants,
            rows,
            urls,
        }
    }
}
