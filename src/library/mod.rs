//! The library: the use cases of mediafs, from a draft's first byte to a blob's deletion.
//! Does not know inodes, handles, paths below a mount, or errnos.

mod access;
mod annotate;
pub mod attach_url;
pub mod attributes;
mod backup;
pub mod boxes;
pub mod counts;
pub mod damage;
pub mod depot;
mod describe;
pub mod downloads;
pub mod draft;
mod early;
pub mod expire;
mod extent;
pub mod home;
pub mod kept;
mod lately;
pub mod open;
mod patch;
pub mod promise;
pub mod publish;
pub mod quarantine;
pub mod quota;
pub mod reads;
pub mod recover;
pub mod refuse;
mod rehome;
pub mod reserve;
pub mod row;
pub mod rows;
pub mod scratch;
mod settings;
pub mod settle;
mod share;
pub mod sidecar;
pub mod staging;
pub mod stores;
pub mod sweep;
pub mod tally;
pub mod transfer;
pub mod trash;
pub mod variant;
mod writeback;

use std::io;
use std::sync::Arc;

use crate::blob::{self, BlobStore};
use crate::catalog::{self, Catalog};
use crate::fence::{Fence, Fenced};
use crate::fetch::Fetcher;
use crate::library::boxes::DropBox;
use crate::library::counts::Counts;
use crate::library::damage::Damage;
use crate::library::downloads::Downloads;
use crate::library::expire::Told;
use crate::library::home::Home;
use crate::library::open::Lent;
use crate::library::promise::{Promise, Promises};
use crate::library::quarantine::Quarantine;
use crate::library::reads::Reads;
use crate::library::refuse::Refusals;
use crate::library::reserve::Reserve;
use crate::library::staging::Staging;
use crate::library::stores::Stores;
use crate::library::tally::Tally;
use crate::library::variant::{Renderer, Renders};
use pipeline::{self, Pipeline};
use words::access::Policy;
use words::attachment::{AttachmentId, BlobKey, FieldId, TableId};
use words::place::Place;
use words::quota::{Excess, Limits, Quotas};
use words::refusal::Refusal;
use words::retired::Orphan;
use words::schema::{Collection, Field, IdRule, Schema};
use words::slot::{Name, Slot};
use words::variant::Variant;

pub use crate::library::settings::Settings;

/// A table as it is used: the catalogue's number beside the configuration's rules.
#[derive(Debug)]
pub struct Table {
    pub id: TableId,
    pub name: Name,
    pub rule: IdRule,
    /// Owner, group and modes that it fixes.
    pub access: Policy,
    pub fields: Vec<Arc<Field>>,
    /// The catalogue's number of each field, in the same order.
    pub numbers: Vec<FieldId>,
}

/// Where bytes are going, and by which rules.
#[derive(Debug, Clone)]
pub struct Target {
    pub place: Place,
    pub slot: Slot,
    pub field: Arc<Field>,
    /// The name that the client wrote: `avatar`, `avatar.JPG`.
    pub written: Name,
}

pub struct Library {
    fence: Fence,
    home: Home,
    catalog: Arc<dyn Catalog>,
    blobs: Arc<dyn BlobStore>,
    pipeline: Arc<Pipeline>,
    tables: Vec<Table>,
    box_table: Table,
    boxes: Vec<DropBox>,
    settings: Settings,
    limits: Limits,
    tally: Tally,
    told: Told,
    stores: Stores,
    staging: Staging,
    quarantine: Quarantine,
    refusals: Refusals,
    reserve: Reserve,
    renders: Renders,
    renderer: Renderer,
    fetcher: Fetcher,
    downloads: Downloads,
    promises: Promises,
    reads: Reads,
    lent: Lent,
    damage: Damage,
    counts: Counts,
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
        let home = &parts.home;
        let quarantine = Quarantine::open(home.quarantine(), parts.settings.quarantine);
        let refusals = Refusals::open(home.errors()).map_err(io("open errors.jsonl"))?;
        let kept = (quarantine.map_err(io("read the quarantine"))?, refusals);
        let library = Self::assemble(parts, kept, Renderer::Own)?;
        library.recover()?;
        library.reserve.fill();
        Ok(library)
    }

    /// Puts the parts together for reading alone, beside the daemon that writes or without one. Changes nothing: of
    /// everything that writes nothing may be called.
    pub fn open_to_read(parts: Parts, renderer: Renderer) -> Result<Self, Error> {
        let quarantine = Quarantine::none(parts.home.quarantine(), parts.settings.quarantine);
        let refusals = Refusals::open("/dev/null".into());
        let refusals = refusals.map_err(|source| Error::Io { action: "open /dev/null", source })?;
        Self::assemble(parts, (quarantine, refusals), renderer)
    }

    fn assemble(
        parts: Parts,
        (quarantine, refusals): (Quarantine, Refusals),
        renderer: Renderer,
    ) -> Result<Self, Error> {
        let Parts { fence, home, catalog, blobs, pipeline, schema, settings } = parts;
        let (box_table, boxes) = boxes::declare(&*catalog, schema.boxes)?;
        let tables = declare(&*catalog, schema.tables, settings.access)?;
        let limits = limits(&tables, &settings.quotas);
        catalog.limit(limits.clone());
        Ok(Self {
            staging: Staging::new(home.staging()),
            quarantine,
            refusals,
            reserve: Reserve::new(home.reserve()),
            stores: Stores::open(&*catalog, &settings.stores)?,
            box_table,
            boxes,
            tables,
            limits,
            tally: Tally::default(),
            told: Told::default(),
            renders: Renders::default(),
            renderer,
            fetcher: Fetcher::new(settings.fetch.clone()),
            downloads: Downloads::default(),
            promises: Promises::default(),
            reads: Reads::default(),
            lent: Lent::new(),
            damage: Damage::default(),
            counts: Counts::default(),
            fence,
            home,
            catalog,
            blobs,
            pipeline,
            settings,
        })
    }

    /// To be asked before a change is acknowledged that neither the catalogue nor a store makes.
    pub fn fence(&self) -> &Fence {
        &self.fence
    }

    pub fn home(&self) -> &Home {
        &self.home
    }

    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    pub fn table_named(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name.as_str() == name)
    }

    pub fn table(&self, id: TableId) -> Option<&Table> {
        self.tables.iter().find(|table| table.id == id)
    }

    /// A field by its number, with the table that has it.
    pub fn field(&self, id: FieldId) -> Option<(&Table, &Arc<Field>)> {
        self.tables.iter().find_map(|table| {
            let at = table.numbers.iter().position(|number| *number == id)?;
            Some((table, table.fields.get(at)?))
        })
    }

    pub fn quarantine(&self) -> &Quarantine {
        &self.quarantine
    }

    pub fn refusals(&self) -> &Refusals {
        &self.refusals
    }

    pub fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    pub fn downloads(&self) -> &Downloads {
        &self.downloads
    }

    /// No sweep takes the attachment while the promise lives.
    pub fn promise(&self, id: AttachmentId) -> Promise {
        self.promises.make(id)
    }
}

fn declare(
    catalog: &dyn Catalog,
    tables: Vec<words::schema::Table>,
    mount: Policy,
) -> Result<Vec<Table>, Error> {
    let number = |table: words::schema::Table| {
        let id = catalog.table(&table.name)?;
        let declare = |field: &Field| {
            let orphan = if field.delete_orphan { Orphan::Delete } else { Orphan::Keep };
            catalog.field(id, &field.name, orphan)
        };
        let numbers = table.fields.iter().map(declare).collect::<Result<_, _>>()?;
        let fields = table.fields.into_iter().map(Arc::new).collect();
        let (name, access) = (table.name, table.access.or(mount));
        Ok(Table { id, name, rule: table.id, access, fields, numbers })
    };
    tables.into_iter().map(number).collect()
}

/// The quotas by the tables' numbers. Those of tables that are not declared limit nothing.
fn limits(tables: &[Table], quotas: &Quotas) -> Limits {
    let number = |table: &Table| Some((table.id, *quotas.tables.get(&table.name)?));
    Limits {
        tables: tables.iter().filter_map(number).collect(),
        uid: quotas.uid,
        uids: quotas.uids.clone(),
    }
}

impl Table {
    pub fn field(&self, name: &str) -> Option<&Arc<Field>> {
        self.fields.iter().find(|field| field.name.as_str() == name)
    }

    /// The fields that are directories, with their numbers.
    pub fn collections(&self) -> impl Iterator<Item = (FieldId, &Arc<Field>)> {
        let numbered = self.numbers.iter().copied().zip(&self.fields);
        numbered.filter(|(_, field)| field.collection != Collection::One)
    }

    /// The catalogue's number of a field.
    pub fn number(&self, field: &Name) -> Option<FieldId> {
        let at = self.fields.iter().position(|known| known.name == *field)?;
        self.numbers.get(at).copied()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("there is no such entry")]
    Missing,
    #[error("the name is taken")]
    Taken,
    #[error("the directory is not empty")]
    NotEmpty,
    #[error("the target's rules would change the bytes; copy the file instead")]
    WouldChange,
    #[error(transparent)]
    Quota(Excess),
    #[error("no space is left")]
    NoSpace,
    #[error("too much is waiting already")]
    Busy,
    #[error(transparent)]
    Fenced(#[from] Fenced),
    #[error("the catalogue failed")]
    Catalog(#[source] catalog::Error),
    #[error("blob {key} {fact}")]
    Damaged { key: BlobKey, fact: String },
    #[error("the blob store failed")]
    Blob(#[source] blob::Error),
    #[error("the image pipeline failed")]
    Pipeline(#[source] pipeline::Error),
    #[error("cannot {action}")]
    Io {
        action: &'static str,
        #[source]
        source: io::Error,
    },
    #[error("variant {variant} of blob {original} cannot be rendered: {fact}")]
    Unrendered { original: BlobKey, variant: Variant, fact: String },
}

impl Error {
    /// Wraps an I/O error; a full disk stays recognisable.
    pub(crate) fn io(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Io { action, source },
        }
    }
}

impl From<catalog::Error> for Error {
    fn from(error: catalog::Error) -> Self {
        match error {
            catalog::Error::Taken => Self::Taken,
            catalog::Error::Missing => Self::Missing,
            catalog::Error::NotEmpty => Self::NotEmpty,
            catalog::Error::Quota(excess) => Self::Quota(excess),
            catalog::Error::Shared => Self::WouldChange,
            catalog::Error::Full => Self::NoSpace,
            catalog::Error::Fenced(fenced) => Self::Fenced(fenced),
            other => Self::Catalog(other),
        }
    }
}

impl From<blob::Error> for Error {
    fn from(error: blob::Error) -> Self {
        match error {
            blob::Error::Full => Self::NoSpace,
            blob::Error::Fenced(fenced) => Self::Fenced(fenced),
            other => Self::Blob(other),
        }
    }
}
