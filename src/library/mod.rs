//! The library: the use cases of mediafs, from a draft's first byte to a blob's deletion. Inodes, handles, paths below a mount and
//! errnos are unknown here.
//!
//! Each folder holds the parts for one kind of work (docs/ARCHITECTURE.md). A part is handed the parts that it needs when the
//! library is opened, and knows only those in folders that stand above its own.

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

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

use crate::blob::BlobStore;
use crate::catalog::Catalog;
use crate::fence::Fence;
use crate::fetch::Fetcher;
use crate::library::arrive::boxes::{self, Boxes};
use crate::library::arrive::downloads::Downloads;
use crate::library::arrive::recovery::Recovery;
use crate::library::arrive::urls::Urls;
use crate::library::blob_files::Blobs;
use crate::library::blob_files::store_names::StoreNames;
use crate::library::counts::Counts;
use crate::library::draft::Drafts;
use crate::library::error::Result;
use crate::library::home::Home;
use crate::library::home::reserve::Reserve;
use crate::library::home::settings::Settings;
use crate::library::home::staging::Staging;
use crate::library::json::row_json::RowDocuments;
use crate::library::keep::expiry::Expiry;
use crate::library::keep::promises::Promises;
use crate::library::keep::sweeper::Sweeper;
use crate::library::keep::trash::Trash;
use crate::library::keep::variant_reads::VariantReads;
use crate::library::limit::enforcement::Quotas;
use crate::library::limit::tally::Tally;
use crate::library::lookup::Lookup;
use crate::library::lookup::hidden::Hidden;
use crate::library::names::attributes::Attributes;
use crate::library::names::backups::Backups;
use crate::library::names::field_moves::FieldMoves;
use crate::library::names::naming::Links;
use crate::library::names::rows::Rows;
use crate::library::publish::Publisher;
use crate::library::read::public_urls::PublicUrls;
use crate::library::read::renders::Renders;
use crate::library::read::stored_files::{Cache, Opener};
use crate::library::read::variant_files::{Renderer, Variants};
use crate::library::refuse::Refusals;
use crate::library::refuse::journal::Journal;
use crate::library::refuse::quarantine::Quarantine;
use crate::library::refuse::reports::Reports;
use crate::library::scratch::Scratch;
use pipeline::Pipeline;
use words::schema::Schema;

pub use error::Error;

/// The parts that a library is opened with.
pub struct Parts {
    /// The fence that the catalogue and every store were opened with.
    pub fence: Fence,
    pub home: Home,
    pub catalog: Arc<dyn Catalog>,
    pub blobs: Arc<dyn BlobStore>,
    pub pipeline: Arc<Pipeline>,
    pub schema: Schema,
    pub settings: Settings,
}

/// The parts of an open library.
pub struct Library {
    /// Checked before a change is acknowledged that neither the catalogue nor a store makes.
    pub fence: Fence,
    pub home: Home,
    pub settings: Settings,
    pub pipeline: Arc<Pipeline>,
    pub counts: Arc<Counts>,
    pub staging: Arc<Staging>,
    pub lookup: Arc<Lookup>,
    pub hidden: Arc<Hidden>,
    pub quotas: Arc<Quotas>,
    pub scratch: Arc<Scratch>,
    pub journal: Arc<Journal>,
    pub quarantine: Arc<Quarantine>,
    pub refusals: Arc<Refusals>,
    pub promises: Arc<Promises>,
    pub sweeper: Arc<Sweeper>,
    pub trash: Arc<Trash>,
    pub expiry: Arc<Expiry>,
    pub blobs: Arc<Blobs>,
    pub store_names: Arc<StoreNames>,
    pub publisher: Arc<Publisher>,
    pub rows: Arc<Rows>,
    pub links: Arc<Links>,
    pub attributes: Arc<Attributes>,
    pub backups: Arc<Backups>,
    pub drafts: Arc<Drafts>,
    pub opener: Arc<Opener>,
    pub variants: Arc<Variants>,
    pub row_documents: Arc<RowDocuments>,
    pub boxes: Arc<Boxes>,
    pub urls: Arc<Urls>,
}

impl Library {
    /// Declares the tables, and recovers the files that a crash left. Deletes nothing that is due: a sweep does that later.
    pub fn open(parts: Parts) -> Result<Self> {
        let io = |action| move |source| Error::Io { action, source };
        let Parts { home, settings, fence, catalog, .. } = &parts;
        let catalog = Arc::clone(catalog);
        let journal = Journal::open(home.errors()).map_err(io("open errors.jsonl"))?;
        let quarantine = Quarantine::open(home.quarantine(), settings.quarantine, fence.clone());
        let quarantine = quarantine.map_err(io("read the quarantine"))?;
        let library = Self::wire(parts, Arc::new(journal), Arc::new(quarantine), Renderer::Own)?;
        let Self { home, staging, lookup, scratch, journal, quarantine, .. } = &library;
        let Self { sweeper, links, counts, .. } = &library;
        part!(Recovery:
            catalog, staging, lookup, scratch, journal, quarantine, sweeper, links, counts)
        .run()?;
        Reserve::new(home.reserve()).fill();
        Ok(library)
    }

    /// Moves of all files of a field.
    pub fn field_moves(&self) -> Arc<FieldMoves> {
        let Self { lookup, links, rows, blobs, pipeline, staging, .. } = self;
        part!(FieldMoves: lookup, links, rows, blobs, pipeline, staging)
    }

    /// Opens a library for reading alone, while a daemon may write to it. Nothing may be called that writes.
    pub fn open_to_read(parts: Parts, renderer: Renderer) -> Result<Self> {
        let Parts { home, settings, fence, .. } = &parts;
        let quarantine = Quarantine::none(home.quarantine(), settings.quarantine, fence.clone());
        let journal = Journal::open("/dev/null".into());
        let journal = journal.map_err(|source| Error::Io { action: "open /dev/null", source })?;
        Self::wire(parts, Arc::new(journal), Arc::new(quarantine), renderer)
    }

    /// Builds each part once, after those that it needs.
    fn wire(
        parts: Parts,
        journal: Arc<Journal>,
        quarantine: Arc<Quarantine>,
        renderer: Renderer,
    ) -> Result<Self> {
        let Parts { fence, home, catalog, blobs: stores, pipeline, schema, settings } = parts;
        let counts = Arc::<Counts>::default();
        let lookup = Arc::new(Lookup::declare(catalog.clone(), schema, settings.access)?);
        let quotas = Arc::new(Quotas::new(catalog.clone(), lookup.clone(), &settings.quotas));
        let reserve = Arc::new(Reserve::new(home.reserve()));
        let staging = Arc::new(Staging::new(home.staging(), fence.clone()));
        let scratch = part!(Scratch: catalog, fence, lookup, quotas, reserve;
            folder: home.scratch(), tally: Tally::default());
        let reports = part!(Reports: lookup, scratch; max_age: quarantine.bounds().age);
        let refusals = part!(Refusals: lookup, quotas, scratch, journal, quarantine, reports);
        let (promises, reads) = (Arc::<Promises>::default(), Arc::<VariantReads>::default());
        let sweeper = part!(Sweeper: catalog, stores, settings, reserve, promises, reads;
            is_ending: AtomicBool::default());
        let expiry = part!(Expiry: lookup, scratch, journal, quarantine, reports, counts;
            life: settings.scratch, told: Mutex::default());
        let store_names = Arc::new(StoreNames::open(catalog.clone(), stores.clone(), &settings)?);
        let blobs = part!(Blobs: catalog, stores, lookup, counts;
            damaged: Mutex::default(), mending: Mutex::default());
        let publisher = part!(Publisher: fence, catalog, pipeline, staging, lookup, quotas, scratch,
            refusals, blobs, store_names, counts);
        let attributes = part!(Attributes: catalog, lookup, journal);
        let drafts = part!(Drafts:
            fence, staging, quotas, journal, quarantine, refusals, publisher, attributes, counts);
        Ok(Self {
            trash: part!(Trash: catalog),
            hidden: part!(Hidden: catalog, lookup; known: Mutex::default()),
            rows: part!(Rows: catalog, lookup, reserve, expiry),
            links: part!(Links: catalog, lookup, reserve, refusals, blobs, store_names),
            backups: part!(Backups: fence, lookup, quotas, scratch, refusals, blobs, attributes),
            opener: part!(Opener: catalog, fence, lookup, reserve, blobs; cache: Cache::default()),
            variants: part!(Variants: catalog, pipeline, staging, reserve, blobs, reads, counts;
                renderer: renderer, renders: Renders::default()),
            row_documents: part!(RowDocuments: catalog, lookup, journal;
                urls: part!(PublicUrls: lookup, store_names), texts: Mutex::default()),
            boxes: part!(Boxes:
                catalog, staging, lookup, quotas, scratch, journal, quarantine, reports, publisher;
                states: boxes::states(&lookup)),
            urls: part!(Urls: lookup, quotas, refusals, promises, drafts;
                fetcher: Fetcher::new(settings.fetch.clone()), downloads: Downloads::default()),
            fence,
            home,
            settings,
            pipeline,
            counts,
            staging,
            lookup,
            quotas,
            scratch,
            journal,
            quarantine,
            refusals,
            promises,
            sweeper,
            expiry,
            blobs,
            store_names,
            publisher,
            attributes,
            drafts,
        })
    }
}
