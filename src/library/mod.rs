//! The library: the use cases of mediafs, from a draft's first byte to a blob's deletion. Inodes, handles, paths below a mount and
//! errnos are unknown here.
//!
//! Each folder holds the parts for one kind of work. A part is handed the parts that it needs when the library is opened, and
//! knows only those that stand above it in this table:
//!
//! | folder     | what happens there                                                     |
//! |------------|------------------------------------------------------------------------|
//! | home       | the directory: layout, lock, identity; staged files, reserve, settings |
//! | lookup     | declared tables, fields and boxes; rows, links and places              |
//! | limit      | quotas, and the tally of scratch                                       |
//! | scratch    | unvalidated files in a row                                             |
//! | refuse     | the journal of refusals, reports beside files, the quarantine          |
//! | keep       | promises, the sweep, the trash, scratch that expires                   |
//! | blob_files | stored bytes: opened, put, named by their store                        |
//! | publish    | the one way in which bytes become an attachment                        |
//! | names      | rows, links, attributes and backups change                             |
//! | draft      | a write, until it is judged                                            |
//! | read       | open files, and variants                                               |
//! | json       | `row.json`                                                             |
//! | arrive     | drop boxes, URLs, and what a crash left                                |

pub mod arrive;
pub mod blob_files;
pub mod counts;
pub mod draft;
mod error;
pub mod home;
pub mod json;
pub mod keep;
pub mod limit;
pub mod lookup;
pub mod names;
pub mod publish;
pub mod read;
pub mod refuse;
pub mod scratch;
mod wiring;

use std::sync::Arc;

use crate::catalog::Catalog;
use crate::fence::Fence;
use crate::fetch::Fetcher;
use crate::library::arrive::box_rows::BoxRows;
use crate::library::arrive::boxes::{BoxCounts, Boxes};
use crate::library::arrive::downloads::Downloads;
use crate::library::arrive::recovery::Recovery;
use crate::library::arrive::urls::Urls;
use crate::library::blob_files::Blobs;
use crate::library::blob_files::store_names::StoreNames;
use crate::library::counts::Counts;
use crate::library::draft::Drafts;
use crate::library::home::Home;
use crate::library::home::settings::Settings;
use crate::library::home::staging::Staging;
use crate::library::json::describe::Describer;
use crate::library::json::row_json::RowDocuments;
use crate::library::keep::expiry::Expiry;
use crate::library::keep::promises::Promises;
use crate::library::keep::sweeper::Sweeper;
use crate::library::keep::trash::Trash;
use crate::library::limit::enforcement::Quotas;
use crate::library::lookup::Lookup;
use crate::library::names::attributes::Attributes;
use crate::library::names::backups::Backups;
use crate::library::names::naming::Links;
use crate::library::names::rows::Rows;
use crate::library::names::store_change::StoreChange;
use crate::library::publish::Publisher;
use crate::library::publish::scratch_publisher::ScratchPublisher;
use crate::library::read::renders::Renders;
use crate::library::read::stored_files::{Cache, Opener};
use crate::library::read::variant_files::{Renderer, Variants};
use crate::library::refuse::Refusals;
use crate::library::refuse::journal::Journal;
use crate::library::refuse::quarantine::Quarantine;
use crate::library::scratch::Scratch;
use crate::library::wiring::{Base, Keeping, Refusing, Storing};
use pipeline::Pipeline;

pub use error::Error;
pub use wiring::Parts;

/// The parts of an open library.
pub struct Library {
    /// Checked before a change is acknowledged that neither the catalogue nor a store makes.
    pub fence: Fence,
    pub home: Home,
    pub settings: Arc<Settings>,
    pub pipeline: Arc<Pipeline>,
    pub counts: Arc<Counts>,
    pub staging: Arc<Staging>,
    pub lookup: Arc<Lookup>,
    pub quotas: Arc<Quotas>,
    pub scratch: Arc<Scratch>,
    pub journal: Arc<Journal>,
    pub quarantine: Arc<Quarantine>,
    pub refusals: Arc<Refusals>,
    pub promises: Arc<Promises>,
    pub sweeper: Arc<Sweeper>,
    pub trash: Trash,
    pub expiry: Arc<Expiry>,
    pub blobs: Arc<Blobs>,
    pub store_names: Arc<StoreNames>,
    pub publisher: Arc<Publisher>,
    pub scratch_publisher: ScratchPublisher,
    pub rows: Rows,
    pub links: Arc<Links>,
    pub attributes: Arc<Attributes>,
    pub backups: Backups,
    pub drafts: Arc<Drafts>,
    pub opener: Opener,
    pub variants: Variants,
    pub describer: Arc<Describer>,
    pub row_documents: RowDocuments,
    pub boxes: Boxes,
    pub urls: Urls,
    pub downloads: Arc<Downloads>,
}

impl Library {
    /// Declares the tables, and deals with what a crash left.
    pub fn open(parts: Parts) -> Result<Self, Error> {
        let io = |action| move |source| Error::Io { action, source };
        let Parts { home, settings, fence, .. } = &parts;
        let quarantine = Quarantine::open(home.quarantine(), settings.quarantine, fence.clone());
        let journal = Journal::open(home.errors()).map_err(io("open errors.jsonl"))?;
        let quarantine = quarantine.map_err(io("read the quarantine"))?;
        let base = Base::new(parts)?;
        let (catalog, reserve) = (base.catalog.clone(), base.reserve.clone());
        let library = Self::wire(base, journal, quarantine, Renderer::Own)?;
        library.recover(catalog)?;
        reserve.fill();
        Ok(library)
    }

    /// Opens a library for reading alone, while a daemon may write to it. Nothing may be called that writes.
    pub fn open_to_read(parts: Parts, renderer: Renderer) -> Result<Self, Error> {
        let Parts { home, settings, fence, .. } = &parts;
        let quarantine = Quarantine::none(home.quarantine(), settings.quarantine, fence.clone());
        let journal = Journal::open("/dev/null".into());
        let journal = journal.map_err(|source| Error::Io { action: "open /dev/null", source })?;
        Self::wire(Base::new(parts)?, journal, quarantine, renderer)
    }

    fn recover(&self, catalog: Arc<dyn Catalog>) -> Result<(), Error> {
        let recovery = Recovery {
            catalog,
            staging: self.staging.clone(),
            lookup: self.lookup.clone(),
            scratch: self.scratch.clone(),
            journal: self.journal.clone(),
            quarantine: self.quarantine.clone(),
            promises: self.promises.clone(),
            sweeper: self.sweeper.clone(),
            links: self.links.clone(),
            counts: self.counts.clone(),
        };
        recovery.run()
    }

    fn wire(
        base: Base,
        journal: Journal,
        quarantine: Quarantine,
        renderer: Renderer,
    ) -> Result<Self, Error> {
        let refusing = Refusing::new(&base, journal, quarantine);
        let keeping = Keeping::new(&base, &refusing);
        let storing = Storing::new(&base, &refusing)?;
        let describer = Describer::new(base.catalog.clone(), storing.store_names.clone());
        let describer = Arc::new(describer);
        let downloads: Arc<Downloads> = Arc::default();
        Ok(Self {
            trash: Trash::new(base.catalog.clone()),
            scratch_publisher: scratch_publisher(&base, &refusing, &storing),
            rows: rows(&base, &keeping),
            links: Arc::new(links(&base, &refusing, &storing)),
            backups: backups(&base, &refusing, &storing),
            opener: opener(&base, &storing),
            variants: variants(&base, &keeping, &storing, renderer),
            row_documents: row_documents(&base, &refusing, &describer),
            boxes: boxes(&base, &refusing, &storing),
            urls: Urls {
                lookup: base.lookup.clone(),
                quotas: base.quotas.clone(),
                refusals: refusing.refusals.clone(),
                promises: keeping.promises.clone(),
                drafts: storing.drafts.clone(),
                fetcher: Fetcher::new(base.settings.fetch.clone()),
                downloads: downloads.clone(),
            },
            downloads,
            describer,
            journal: refusing.journal,
            quarantine: refusing.quarantine,
            refusals: refusing.refusals,
            promises: keeping.promises,
            sweeper: keeping.sweeper,
            expiry: keeping.expiry,
            blobs: storing.blobs,
            store_names: storing.store_names,
            publisher: storing.publisher,
            attributes: storing.attributes,
            drafts: storing.drafts,
            fence: base.fence,
            home: base.home,
            settings: base.settings,
            pipeline: base.pipeline,
            counts: base.counts,
            staging: base.staging,
            lookup: base.lookup,
            quotas: base.quotas,
            scratch: base.scratch,
        })
    }
}

fn scratch_publisher(base: &Base, refusing: &Refusing, storing: &Storing) -> ScratchPublisher {
    ScratchPublisher {
        staging: base.staging.clone(),
        scratch: base.scratch.clone(),
        quarantine: refusing.quarantine.clone(),
        refusals: refusing.refusals.clone(),
        publisher: storing.publisher.clone(),
    }
}

fn rows(base: &Base, keeping: &Keeping) -> Rows {
    Rows {
        catalog: base.catalog.clone(),
        lookup: base.lookup.clone(),
        reserve: base.reserve.clone(),
        expiry: keeping.expiry.clone(),
    }
}

fn links(base: &Base, refusing: &Refusing, storing: &Storing) -> Links {
    let store_change = StoreChange {
        catalog: base.catalog.clone(),
        lookup: base.lookup.clone(),
        blobs: storing.blobs.clone(),
        store_names: storing.store_names.clone(),
    };
    Links {
        catalog: base.catalog.clone(),
        lookup: base.lookup.clone(),
        reserve: base.reserve.clone(),
        refusals: refusing.refusals.clone(),
        store_change,
    }
}

fn backups(base: &Base, refusing: &Refusing, storing: &Storing) -> Backups {
    Backups {
        fence: base.fence.clone(),
        lookup: base.lookup.clone(),
        quotas: base.quotas.clone(),
        scratch: base.scratch.clone(),
        refusals: refusing.refusals.clone(),
        blobs: storing.blobs.clone(),
        attributes: storing.attributes.clone(),
    }
}

fn opener(base: &Base, storing: &Storing) -> Opener {
    Opener {
        catalog: base.catalog.clone(),
        fence: base.fence.clone(),
        lookup: base.lookup.clone(),
        reserve: base.reserve.clone(),
        blobs: storing.blobs.clone(),
        cache: Cache::default(),
    }
}

fn variants(base: &Base, keeping: &Keeping, storing: &Storing, renderer: Renderer) -> Variants {
    Variants {
        catalog: base.catalog.clone(),
        pipeline: base.pipeline.clone(),
        staging: base.staging.clone(),
        reserve: base.reserve.clone(),
        blobs: storing.blobs.clone(),
        reads: keeping.reads.clone(),
        counts: base.counts.clone(),
        renderer,
        renders: Renders::default(),
    }
}

fn row_documents(base: &Base, refusing: &Refusing, describer: &Arc<Describer>) -> RowDocuments {
    RowDocuments {
        catalog: base.catalog.clone(),
        lookup: base.lookup.clone(),
        journal: refusing.journal.clone(),
        describer: describer.clone(),
    }
}

fn boxes(base: &Base, refusing: &Refusing, storing: &Storing) -> Boxes {
    Boxes {
        catalog: base.catalog.clone(),
        staging: base.staging.clone(),
        lookup: base.lookup.clone(),
        quotas: base.quotas.clone(),
        scratch: base.scratch.clone(),
        journal: refusing.journal.clone(),
        quarantine: refusing.quarantine.clone(),
        reports: refusing.reports.clone(),
        publisher: storing.publisher.clone(),
        rows: BoxRows::new(base.catalog.clone(), &base.lookup),
        counts: BoxCounts::new(&base.lookup),
    }
}
