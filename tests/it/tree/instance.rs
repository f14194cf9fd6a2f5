//! A library with its tree, assembled as in the daemon and not mounted: it can be stopped, killed and opened again.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mediafs::blob::{self, BlobStore};
use mediafs::catalog::sql::SqlCatalog;
use mediafs::catalog::sqlite::Sqlite;
use mediafs::catalog::{self, Catalog};
use mediafs::fence::Fence;
use mediafs::library::home::Home;
use mediafs::library::home::settings::Settings;
use mediafs::library::{Library, Parts};
use mediafs::tree::Tree;
use mediafs::tree::open::processes::Processes;
use pipeline::{self, Pipeline};
use tempfile::TempDir;
use words::access::Policy;
use words::byte_count::ByteCount;
use words::media_type::TypePattern;
use words::quarantine_bounds::Bounds;
use words::quota::Quotas;
use words::rule::Rules;
use words::schema::{Collection, DropBox, Field, IdRule, Schema, Sizes, Table};
use words::slot::Name;
use words::template::Template;

use super::simulated_kernel::{Kernel, process};
use crate::mount::library_files;

/// The least and the most bytes that `doc` takes, and the most that `note` takes.
pub const DOC_MIN: u64 = 4;
pub const DOC_MAX: u64 = 64;
pub const NOTE_MAX: u64 = 32;
/// The most items that `list` takes.
pub const LIST_MAX: u64 = 2;

/// Where the library is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backing {
    Disk,
    Memory,
}

pub struct Instance {
    backing: Backing,
    pipeline: Arc<Pipeline>,
    catalog: Arc<dyn Catalog>,
    blobs: Arc<dyn BlobStore>,
    tree: Option<Tree>,
    access: Policy,
    root: TempDir,
}

impl Instance {
    pub fn new(backing: Backing) -> Self {
        Self::with(backing, pipeline())
    }

    /// A library with row 1 of process 0.
    pub fn with_row(backing: Backing) -> Self {
        let instance = Self::new(backing);
        instance.kernel().mkdir(process(0), "1").expect("a row");
        instance
    }

    /// A library with row 1 of process 0, whose files have the modes that their owners set.
    pub fn with_modes() -> Self {
        let mut instance = Self::with_row(Backing::Disk);
        instance.access = Policy::default();
        instance.restart();
        instance
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
        // Every process may write every file: no kernel would refuse the others.
        let access = Policy { file_mode: Some(0o666), ..Policy::default() };
        let mut instance = Self { backing, pipeline, catalog, blobs, tree: None, access, root };
        instance.open();
        instance
    }

    pub fn tree(&self) -> &Tree {
        self.tree.as_ref().expect("open between restarts")
    }

    pub fn kernel(&self) -> Kernel<'_> {
        Kernel(self.tree())
    }

    pub fn backing(&self) -> Backing {
        self.backing
    }

    pub fn library(&self) -> &Library {
        &self.tree().library
    }

    /// Stops and starts. Abandons open drafts first, as the daemon does after an unmount.
    pub fn restart(&mut self) {
        self.tree().open.writers.abandon();
        self.tree = None;
        self.reopen();
    }

    /// Starts from a copy of the disk, as after kill -9. Restarts a library in memory, which has no disk, and returns false.
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
            home: Home::open(self.root.path()).expect("a home"),
            catalog: Arc::clone(&self.catalog),
            blobs: Arc::clone(&self.blobs),
            pipeline: Arc::clone(&self.pipeline),
            schema: schema(self.access),
            settings: settings(),
        };
        let library = Arc::new(Library::open(parts).expect("a library"));
        self.tree = Some(Tree::new(library, Processes::Simulated));
    }

    /// The number of files below a part of the library.
    pub fn files(&self, part: &str) -> usize {
        library_files::files(&self.root.path().join(part)).len()
    }
}

fn stores(backing: Backing, root: &Path) -> (Arc<dyn Catalog>, Arc<dyn BlobStore>) {
    match backing {
        Backing::Memory => {
            (Arc::new(catalog::memory::Memory::new()), Arc::new(blob::memory::Memory::new()))
        }
        Backing::Disk => (
            Arc::new(SqlCatalog::new(
                Sqlite::open(&root.join("catalog.sqlite")).expect("a catalogue"),
            )),
            Arc::new(blob::dir::Store::open(&root.join("blobs")).expect("a store")),
        ),
    }
}

/// A pipeline whose only worker starts with the first image.
pub fn pipeline() -> Arc<Pipeline> {
    let settings = pipeline::worker::process_pool::Settings {
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

fn schema(access: Policy) -> Schema {
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
    let name = |name| Name::parse(name).expect("a name");
    let inbox = DropBox {
        name: name("inbox"),
        table: name("user"),
        field: name("doc"),
        id: Template::parse("{counter}").expect("a template"),
        settle: Duration::ZERO,
    };
    let user = Table { name: name("user"), id: IdRule::Integer, access, fields };
    Schema { tables: vec![user], boxes: vec![inbox] }
}

fn field(name: &str, rules: Rules) -> Field {
    Field { sizes: Sizes::Any, ..Field::new(Name::parse(name).expect("a name"), rules) }
}

/// Copies a folder without the shared-memory index of `SQLite`, which holds the locks of the old process.
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
