//! The views: directories and files that are composed on request, each with its own lookups, attributes and listings.

pub mod control;
pub mod desktop_trash;
pub mod fetching;
mod metrics;
pub mod quarantine_entries;
pub mod rendering;
pub mod row_document;
pub mod status_json;
pub mod tables;
pub mod thumbs;
pub mod trash_days;
pub mod url_files;
pub mod url_links;

use std::sync::Arc;

use parking_lot::Mutex;

use crate::library::Library;
use crate::tree::activity::Activity;
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::places::Places;
use crate::tree::open::Open;
use crate::tree::show::Show;
use crate::tree::view::control::Control;
use crate::tree::view::desktop_trash::DesktopTrash;
use crate::tree::view::fetching::Fetching;
use crate::tree::view::quarantine_entries::QuarantineEntries;
use crate::tree::view::rendering::Variants;
use crate::tree::view::row_document::RowDocuments;
use crate::tree::view::status_json::Status;
use crate::tree::view::tables::Tables;
use crate::tree::view::thumbs::Thumbs;
use crate::tree::view::trash_days::TrashDays;
use crate::tree::view::url_files::{UrlFiles, UrlNumbers};
use crate::tree::view::url_links::UrlLinks;

/// The parts of this room, each built once.
pub struct Views {
    pub tables: Arc<Tables>,
    pub variants: Arc<Variants>,
    pub thumbs: Arc<Thumbs>,
    pub trash: Arc<TrashDays>,
    pub desktop_trash: Arc<DesktopTrash>,
    pub rows: Arc<RowDocuments>,
    pub url_files: Arc<UrlFiles>,
    pub url_links: Arc<UrlLinks>,
    pub control: Arc<Control>,
}

impl Views {
    pub fn new(
        library: &Arc<Library>,
        places: &Arc<Places>,
        kernel: &Arc<Knowledge>,
        show: &Arc<Show>,
        open: &Arc<Open>,
        activity: &Arc<Activity>,
    ) -> Self {
        let variants = part!(Variants: library, places, kernel, open);
        let fetching = part!(Fetching: library, kernel, open);
        let status = &part!(Status: library, kernel, show, open, activity);
        let quarantine = &part!(QuarantineEntries: library, show; removed: Mutex::default());
        let tables = part!(Tables: library, places, show, open);
        Self {
            thumbs: part!(Thumbs: library, places, kernel, show, open, variants, tables),
            trash: part!(TrashDays: library, kernel, show, open),
            desktop_trash: part!(DesktopTrash: show, open),
            rows: part!(RowDocuments: library, places, kernel, open),
            url_files: part!(UrlFiles: library, places, open, fetching; numbers: UrlNumbers::default()),
            url_links: part!(UrlLinks: library, places, kernel, open, fetching),
            control: part!(Control: library, show, open, status, quarantine),
            variants,
            tables,
        }
    }
}
