//! URLs as the source of files: `<field>.url`, and symbolic links to URLs (CONTRACT 8).

pub mod fetching;
mod numbers;
pub mod url_files;
pub mod url_links;

use std::sync::Arc;

use crate::library::Library;
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::places::Places;
use crate::tree::open::Open;
use crate::tree::view::url::fetching::Fetching;
use crate::tree::view::url::numbers::UrlNumbers;
use crate::tree::view::url::url_files::UrlFiles;
use crate::tree::view::url::url_links::UrlLinks;

/// The parts that attach from URLs.
pub struct Urls {
    pub files: Arc<UrlFiles>,
    pub links: Arc<UrlLinks>,
}

impl Urls {
    pub fn new(
        library: &Arc<Library>,
        places: &Arc<Places>,
        kernel: &Arc<Knowledge>,
        open: &Open,
    ) -> Self {
        let Open { processes, handles, drafts, documents, links, .. } = open;
        let Open { contents, admission, unlinked, .. } = open;
        let numbers = UrlNumbers::default();
        let fetching = part!(Fetching: library, kernel, drafts, unlinked, processes);
        let files = part!(UrlFiles:
            library, places, handles, documents, unlinked, fetching, processes; numbers: numbers
        );
        let links = part!(UrlLinks:
            library, places, kernel, links, contents, admission, unlinked, fetching
        );
        Self { files, links }
    }
}
