//! The construction of the parts that several other parts stand on, group by group, bottom up.

use std::sync::{Arc, Mutex};

use crate::blob::BlobStore;
use crate::catalog::Catalog;
use crate::fence::Fence;
use crate::library::blob_files::Blobs;
use crate::library::blob_files::damage::Damage;
use crate::library::blob_files::store_names::StoreNames;
use crate::library::counts::Counts;
use crate::library::draft::Drafts;
use crate::library::error::Error;
use crate::library::home::Home;
use crate::library::home::reserve::Reserve;
use crate::library::home::settings::Settings;
use crate::library::home::staging::Staging;
use crate::library::keep::expiry::{Expiry, Told};
use crate::library::keep::promises::Promises;
use crate::library::keep::sweeper::Sweeper;
use crate::library::keep::variant_reads::VariantReads;
use crate::library::limit::enforcement::Quotas;
use crate::library::limit::tally::Tally;
use crate::library::lookup::Lookup;
use crate::library::names::attributes::Attributes;
use crate::library::publish::Publisher;
use crate::library::refuse::Refusals;
use crate::library::refuse::journal::Journal;
use crate::library::refuse::quarantine::Quarantine;
use crate::library::refuse::reports::Reports;
use crate::library::scratch::Scratch;
use pipeline::Pipeline;
use words::schema::Schema;

/// What a library is opened with.
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

/// The parts that every use case stands on.
pub(super) struct Base {
    pub fence: Fence,
    pub home: Home,
    pub settings: Arc<Settings>,
    pub catalog: Arc<dyn Catalog>,
    pub stores: Arc<dyn BlobStore>,
    pub pipeline: Arc<Pipeline>,
    pub counts: Arc<Counts>,
    pub reserve: Arc<Reserve>,
    pub staging: Arc<Staging>,
    pub lookup: Arc<Lookup>,
    pub quotas: Arc<Quotas>,
    pub scratch: Arc<Scratch>,
}

impl Base {
    /// Declares the tables and quotas to the catalogue.
    pub fn new(parts: Parts) -> Result<Self, Error> {
        let Parts { fence, home, catalog, blobs: stores, pipeline, schema, settings } = parts;
        let lookup = Arc::new(Lookup::declare(catalog.clone(), schema, settings.access)?);
        let quotas = Quotas::new(catalog.clone(), lookup.clone(), &settings.quotas);
        let quotas = Arc::new(quotas);
        let reserve = Arc::new(Reserve::new(home.reserve()));
        let scratch = Arc::new(Scratch {
            catalog: catalog.clone(),
            fence: fence.clone(),
            folder: home.scratch(),
            lookup: lookup.clone(),
            quotas: quotas.clone(),
            reserve: reserve.clone(),
            tally: Tally::default(),
        });
        Ok(Self {
            staging: Arc::new(Staging::new(home.staging(), fence.clone())),
            settings: Arc::new(settings),
            counts: Arc::default(),
            fence,
            home,
            catalog,
            stores,
            pipeline,
            reserve,
            lookup,
            quotas,
            scratch,
        })
    }
}

/// The parts that refuse files.
pub(super) struct Refusing {
    pub journal: Arc<Journal>,
    pub quarantine: Arc<Quarantine>,
    pub reports: Arc<Reports>,
    pub refusals: Arc<Refusals>,
}

impl Refusing {
    pub fn new(base: &Base, journal: Journal, quarantine: Quarantine) -> Self {
        let Base { lookup, quotas, scratch, .. } = base;
        let (journal, max_age) = (Arc::new(journal), quarantine.bounds().age);
        let quarantine = Arc::new(quarantine);
        let reports = Arc::new(Reports::new(lookup.clone(), scratch.clone(), max_age));
        let refusals = Arc::new(Refusals {
            lookup: lookup.clone(),
            quotas: quotas.clone(),
            scratch: scratch.clone(),
            journal: journal.clone(),
            quarantine: quarantine.clone(),
            reports: reports.clone(),
        });
        Self { journal, quarantine, reports, refusals }
    }
}

/// The parts that decide how long something is kept.
pub(super) struct Keeping {
    pub promises: Arc<Promises>,
    pub reads: Arc<VariantReads>,
    pub sweeper: Arc<Sweeper>,
    pub expiry: Arc<Expiry>,
}

impl Keeping {
    pub fn new(base: &Base, refusing: &Refusing) -> Self {
        let promises: Arc<Promises> = Arc::default();
        let reads: Arc<VariantReads> = Arc::default();
        let sweeper = Arc::new(Sweeper {
            catalog: base.catalog.clone(),
            stores: base.stores.clone(),
            settings: base.settings.clone(),
            reserve: base.reserve.clone(),
            promises: promises.clone(),
            reads: reads.clone(),
        });
        let expiry = Arc::new(Expiry {
            lookup: base.lookup.clone(),
            scratch: base.scratch.clone(),
            journal: refusing.journal.clone(),
            quarantine: refusing.quarantine.clone(),
            reports: refusing.reports.clone(),
            counts: base.counts.clone(),
            life: base.settings.scratch,
            told: Mutex::new(Told::default()),
        });
        Self { promises, reads, sweeper, expiry }
    }
}

/// The parts that store files.
pub(super) struct Storing {
    pub blobs: Arc<Blobs>,
    pub store_names: Arc<StoreNames>,
    pub publisher: Arc<Publisher>,
    pub attributes: Arc<Attributes>,
    pub drafts: Arc<Drafts>,
}

impl Storing {
    pub fn new(base: &Base, refusing: &Refusing) -> Result<Self, Error> {
        let Base { catalog, lookup, counts, .. } = base;
        let store_names = StoreNames::open(catalog.clone(), base.stores.clone(), &base.settings)?;
        let store_names = Arc::new(store_names);
        let blobs = Arc::new(Blobs {
            catalog: catalog.clone(),
            stores: base.stores.clone(),
            lookup: lookup.clone(),
            counts: counts.clone(),
            damage: Damage::default(),
        });
        let publisher = Arc::new(Publisher {
            fence: base.fence.clone(),
            catalog: catalog.clone(),
            pipeline: base.pipeline.clone(),
            staging: base.staging.clone(),
            lookup: lookup.clone(),
            quotas: base.quotas.clone(),
            refusals: refusing.refusals.clone(),
            blobs: blobs.clone(),
            store_names: store_names.clone(),
            counts: counts.clone(),
        });
        let attributes = Arc::new(Attributes {
            catalog: catalog.clone(),
            lookup: lookup.clone(),
            journal: refusing.journal.clone(),
        });
        let drafts = Arc::new(Drafts {
            fence: base.fence.clone(),
            staging: base.staging.clone(),
            quotas: base.quotas.clone(),
            journal: refusing.journal.clone(),
            quarantine: refusing.quarantine.clone(),
            refusals: refusing.refusals.clone(),
            publisher: publisher.clone(),
            attributes: attributes.clone(),
            counts: counts.clone(),
        });
        Ok(Self { blobs, store_names, publisher, attributes, drafts })
    }
}
