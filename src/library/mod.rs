//! The library: the use cases of mediafs, from a draft's first byte to a blob's deletion.
//! Does not know inodes, handles, paths below a mount, or errnos.

pub mod arrive;
pub mod blobs;
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

use crate::blob::BlobStore;
use crate::catalog::Catalog;
use crate::fence::Fence;
use crate::fetch::Fetcher;
use crate::library::arrive::boxes::BoxState;
use crate::library::arrive::downloads::Downloads;
use crate::library::blobs::damage::Damage;
use crate::library::blobs::store_names::Stores;
use crate::library::counts::Counts;
use crate::library::home::Home;
use crate::library::home::reserve::Reserve;
use crate::library::home::settings::Settings;
use crate::library::home::staging::Staging;
use crate::library::keep::expiry::Told;
use crate::library::keep::promises::{Promise, Promises};
use crate::library::keep::variant_reads::Reads;
use crate::library::limit::quotas::Quotas;
use crate::library::limit::tally::Tally;
use crate::library::lookup::Lookup;
use crate::library::read::opener::Lent;
use crate::library::read::variants::{Renderer, Renders};
use crate::library::refuse::Refusals;
use crate::library::refuse::journal::Journal;
use crate::library::refuse::quarantine::Quarantine;
use crate::library::refuse::reports::Reports;
use crate::library::scratch::Scratch;
use pipeline::{self, Pipeline};
use words::attachment::AttachmentId;
use words::schema::Schema;

pub use error::Error;

pub struct Library {
    pub fence: Fence,
    pub home: Home,
    catalog: Arc<dyn Catalog>,
    blobs: Arc<dyn BlobStore>,
    pub pipeline: Arc<Pipeline>,
    pub lookup: Arc<Lookup>,
    boxes: Vec<BoxState>,
    pub settings: Settings,
    pub quotas: Arc<Quotas>,
    pub scratch: Arc<Scratch>,
    told: Told,
    stores: Stores,
    pub staging: Arc<Staging>,
    pub journal: Arc<Journal>,
    pub quarantine: Arc<Quarantine>,
    reports: Arc<Reports>,
    pub refusals: Refusals,
    reserve: Arc<Reserve>,
    renders: Renders,
    renderer: Renderer,
    fetcher: Fetcher,
    downloads: Downloads,
    promises: Promises,
    reads: Reads,
    lent: Lent,
    damage: Damage,
    pub counts: Arc<Counts>,
}

/// The parts that a library is made of.
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

impl Library {
    /// Puts the parts together, declares the tables and deals with what a crash left behind.
    pub fn open(parts: Parts) -> Result<Self, Error> {
        let io = |action| move |source| Error::Io { action, source };
        let Parts { home, settings, fence, .. } = &parts;
        let quarantine = Quarantine::open(home.quarantine(), settings.quarantine, fence.clone());
        let journal = Journal::open(home.errors()).map_err(io("open errors.jsonl"))?;
        let quarantine = quarantine.map_err(io("read the quarantine"))?;
        let library = Self::assemble(parts, journal, quarantine, Renderer::Own)?;
        library.recover()?;
        library.reserve.fill();
        Ok(library)
    }

    /// Puts the parts together for reading alone, beside the daemon that writes or without one. Changes nothing: of
    /// everything that writes nothing may be called.
    pub fn open_to_read(parts: Parts, renderer: Renderer) -> Result<Self, Error> {
        let Parts { home, settings, fence, .. } = &parts;
        let quarantine = Quarantine::none(home.quarantine(), settings.quarantine, fence.clone());
        let journal = Journal::open("/dev/null".into());
        let journal = journal.map_err(|source| Error::Io { action: "open /dev/null", source })?;
        Self::assemble(parts, journal, quarantine, renderer)
    }

    fn assemble(
        parts: Parts,
        journal: Journal,
        quarantine: Quarantine,
        renderer: Renderer,
    ) -> Result<Self, Error> {
        let Parts { fence, home, catalog, blobs, pipeline, schema, settings } = parts;
        let lookup = Lookup::declare(Arc::clone(&catalog), schema, settings.access)?;
        let lookup = Arc::new(lookup);
        let reserve = Arc::new(Reserve::new(home.reserve()));
        let quotas = Quotas::new(Arc::clone(&catalog), Arc::clone(&lookup), &settings.quotas);
        let quotas = Arc::new(quotas);
        let scratch = Arc::new(Scratch {
            catalog: Arc::clone(&catalog),
            fence: fence.clone(),
            folder: home.scratch(),
            lookup: Arc::clone(&lookup),
            quotas: Arc::clone(&quotas),
            reserve: Arc::clone(&reserve),
            tally: Tally::default(),
        });
        let journal = Arc::new(journal);
        let max_age = quarantine.bounds().age;
        let quarantine = Arc::new(quarantine);
        let reports = Arc::new(Reports::new(Arc::clone(&lookup), Arc::clone(&scratch), max_age));
        let refusals = Refusals {
            lookup: Arc::clone(&lookup),
            quotas: Arc::clone(&quotas),
            scratch: Arc::clone(&scratch),
            journal: Arc::clone(&journal),
            quarantine: Arc::clone(&quarantine),
            reports: Arc::clone(&reports),
        };
        Ok(Self {
            staging: Arc::new(Staging::new(home.staging(), fence.clone())),
            quotas,
            scratch,
            journal,
            quarantine,
            reports,
            refusals,
            reserve,
            stores: Stores::open(&*catalog, &settings.stores)?,
            boxes: BoxState::all(&lookup),
            lookup,
            told: Told::default(),
            renders: Renders::default(),
            renderer,
            fetcher: Fetcher::new(settings.fetch.clone()),
            downloads: Downloads::default(),
            promises: Promises::default(),
            reads: Reads::default(),
            lent: Lent::new(),
            damage: Damage::default(),
            counts: Arc::default(),
            fence,
            home,
            catalog,
            blobs,
            pipeline,
            settings,
        })
    }

    pub fn downloads(&self) -> &Downloads {
        &self.downloads
    }

    /// No sweep takes the attachment while the promise lives.
    pub fn promise(&self, id: AttachmentId) -> Promise {
        self.promises.make(id)
    }
}
