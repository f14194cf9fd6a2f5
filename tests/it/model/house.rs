//! A library with its tree, as the daemon puts them together, that can be stopped, killed and opened again.
//! Does not mount anything.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mediafs::blob::{self, BlobStore};
use mediafs::catalog::sqlite::Sqlite;
use mediafs::catalog::{self, Catalog};
use mediafs::fence::Fence;
use mediafs::library::home::Home;
use mediafs::library::quarantine::Bounds;
use mediafs::library::{Library, Parts, Settings};
use mediafs::tree::Tree;
use mediafs::tree::process::Processes;
use pipeline::{self, Pipeline};
use tempfile::TempDir;
use words::access::Policy;
use words::byte_count::ByteCount;
use words::media_type::TypePattern;
use words::quota::Quotas;
use words::rule::Rules;
use words::schema::{Collection, Field, IdRule, Schema, Sizes, Table};
use words::slot::Name;

use crate::limits;

/// Bytes that `doc` takes at least and at most, and `note` at most.
pub const DOC_MIN: u64 = 4;
pub const DOC_MAX: u64 = 64;
pub const NOTE_MAX: u64 = 32;
/// Items that `list` takes.
pub const LIST_MAX: u64 = 2;

/// Where a library keeps its things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backing {
    Disk,
    Memory,
}

pub struct House {
    backing: Backing,
    pipeline: Arc<Pipeline>,
    catalog: Arc<dyn Catalog>,
    blobs: Arc<dyn BlobStore>,
    tree: Option<Tree>,
    root: TempDir,
}

impl House {
    pub fn new(backing: Backing) -> Self {
        Self::with(backing, pipeline())
    }

    pub fn with(backing: Backing, pipeline: Arc<Pipeline>) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        let (catalog, blobs) = stores(backing, root.path());
        Self::around(backing, pipeline, root, (catalog, blobs))
    }

    /// A library in memory on these stores.
    pub fn of(catalog: Arc<dyn Catalog>, blobs: Arc<dyn BlobStore>) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        Self::around(Backing::Memory, pipeline(), root, (catalog, blobs))
    }

    fn around(
        backing: Backing,
        pipeline: Arc<Pipeline>,
        root: TempDir,
        (catalog, blobs): (Arc<dyn Catalog>, Arc<dyn BlobStore>),
    ) -> Self {
        let mut house = Self { backing, pipeline, catalog, blobs, tree: None, root };
        house.open();
        house
    }

    pub fn tree(&self) -> &Tree {
        self.tree.as_ref().expect("open between restarts")
    }

    pub fn backing(&self) -> Backing {
        self.backing
    }

    pub fn library(&self) -> &Library {
        self.tree().library()
    }

    /// A clean stop and a start: what is open is given up first, as the daemon does after the kernel has gone.
    pub fn restart(&mut self) {
        self.tree().abandon_drafts();
        self.tree = None;
        self.reopen();
    }

    /// kill -9 and a start: what the disk holds at this moment is all that there is. A library in memory cannot be
    /// killed; returns whether it was.
    pub fn crash(&mut self) -> bool {
        if self.backing == Backing::Memory {
            self.restart();
            return false;
        }
        let survivor = tempfile::tempdir().expect("a folder");
        copy(self.root.path(), survivor.path());
        self.tree = None;
        self.root = survivor;
        self.reopen();
        true
    }

    fn reopen(&mut self) {
        if self.backing == Backing::Disk {
            (self.catalog, self.blobs) = stores(self.backing, self.root.path());
        }
        self.open();
    }

    fn open(&mut self) {
        let parts = Parts {
            fence: Fence::default(),
            home: Home::open(self.root.path()).expect("a home that nobody else holds"),
            catalog: Arc::clone(&self.catalog),
            blobs: Arc::clone(&self.blobs),
            pipeline: Arc::clone(&self.pipeline),
            schema: schema(),
            settings: settings(),
        };
        let library = Arc::new(Library::open(parts).expect("a library"));
        self.tree = Some(Tree::new(library, Processes::Simulated));
    }

    /// The files below a part of the library.
    pub fn files(&self, part: &str) -> usize {
        limits::files(&self.root.path().join(part)).len()
    }
}

fn stores(backing: Backing, root: &Path) -> (Arc<dyn Catalog>, Arc<dyn BlobStore>) {
    match backing {
        Backing::Memory => {
            (Arc::new(catalog::memory::Memory::new()), Arc::new(blob::memory::Memory::new()))
        }
        Backing::Disk => (
            Arc::new(Sqlite::open(&root.join("catalog.sqlite")).expect("a catalogue")),
            Arc::new(blob::dir::Store::open(&root.join("blobs")).expect("a store")),
        ),
    }
}

/// Workers are this program's own; one is enough, and none is started before the first image.
pub fn pipeline() -> Arc<Pipeline> {
    let settings = pipeline::worker::pool::Settings {
        program: env!("CARGO_BIN_EXE_mediafs").into(),
        workers: 1,
        job_timeout: Duration::from_secs(60),
        memory: 1 << 30,
        jobs_per_worker: 100,
    };
    Arc::new(Pipeline::start(settings).expect("a pipeline"))
}

fn settings() -> Settings {
    Settings {
        hold: Duration::from_secs(3600),
        trash: Duration::ZERO,
        scratch: Duration::from_secs(24 * 3600),
        cache_bytes: 1 << 20,
        fetch: words::download::Policy::default(),
        quarantine: Bounds::default(),
        quotas: Quotas::default(),
        base_url: None,
        stores: Vec::new(),
        access: Policy::default(),
    }
}

fn schema() -> Schema {
    let doc = Rules { min_size: ByteCount(DOC_MIN), max_size: ByteCount(DOC_MAX), ..Rules::file() };
    let text = TypePattern::parse("text/plain").expect("a type");
    let note = Rules { max_size: ByteCount(NOTE_MAX), content_types: vec![text], ..Rules::file() };
    let list = Rules { max_size: ByteCount(DOC_MAX), ..Rules::file() };
    let fields = vec![
        field("doc", doc),
        field("note", note.clone()),
        field("pic", Rules::image()),
        Field { collection: Collection::List, max_items: Some(LIST_MAX), ..field("list", list) },
        Field { collection: Collection::Dict, ..field("dict", note) },
    ];
    let name = Name::parse("user").expect("a name");
    Schema {
        tables: vec![Table { name, id: IdRule::Integer, access: Policy::default(), fields }],
        boxes: Vec::new(),
    }
}

fn field(name: &str, rules: Rules) -> Field {
    Field { sizes: Sizes::Any, ..Field::new(Name::parse(name).expect("a name"), rules) }
}

/// The shared-memory index of `SQLite` holds locks, not data: it is made again.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&target).expect("a folder");
            copy(&entry.path(), &target);
        } else if !entry.file_name().to_string_lossy().ends_with("-shm") {
            fs::copy(entry.path(), &target).expect("copied");
        }
    }
}
