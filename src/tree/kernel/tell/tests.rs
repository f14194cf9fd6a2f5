//! Laws of [`Knowledge::tell`]: a connected kernel is told of each kind of change.

use parking_lot::Mutex;
use pipeline::Pipeline;
use tempfile::TempDir;

use super::*;
use crate::fence::Fence;
use crate::library::Parts;
use crate::library::home::Home;
use crate::library::home::settings::Settings;
use crate::tree::node::meaning::Directory;
use crate::tree::node::places::Scope;
use crate::{blob, catalog};
use words::access::Policy;
use words::attachment::{Access, Amendment, BlobKey, Content, StoreId, Times};
use words::digest::Digest;
use words::media_type::MediaType;
use words::quarantine_bounds::Bounds;
use words::quota::Quotas;
use words::rule::Rules;
use words::schema::{Collection, Field, IdRule, Schema};

macro_rules! kinds {
    ($($kind:ident)*) => {
        const KINDS: &[&str] = &[$(stringify!($kind),)*];

        /// Does not compile while a kind of change is missing above.
        fn kind(change: &Change<'_>) -> &'static str {
            match change {
                $(Change::$kind { .. } => stringify!($kind),)*
            }
        }
    };
}
kinds! {
    Attached Linked Moved Detached Alias Form ByOriginal Amended Patched Names Unstored Scratch RowAmended RowRenamed
    RowRemoved RowByOriginal Table Variants Cleared
}

/// A kernel that records its calls.
#[derive(Clone, Default)]
struct Listener {
    /// Guards the calls.
    heard: Arc<Mutex<Vec<String>>>,
}

impl Kernel for Listener {
    fn forget_attributes(&self, ino: Ino) {
        self.heard.lock().push(format!("attributes of {:?}", Node::of(ino).expect("a node")));
    }

    fn forget_listing(&self, ino: Ino) {
        self.heard.lock().push(format!("listing of {:?}", Node::of(ino).expect("a node")));
    }

    fn forget_name(&self, parent: Ino, name: &Name, patience: Duration) {
        let parent = Node::of(parent).expect("a node");
        self.heard.lock().push(format!("'{name}' in {parent:?} within {patience:?}"));
    }

    fn delivery(&self) -> Delivery {
        Delivery::Passthrough
    }
}

/// A row with an attachment in its field `doc`, in a library whose `doc` keeps originals.
struct World {
    knowledge: Knowledge,
    listener: Listener,
    library: Arc<Library>,
    places: Arc<Places>,
    row: RowRecord,
    link: Link,
    _root: TempDir,
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn world() -> World {
    let root = tempfile::tempdir().expect("a folder");
    let library = Arc::new(library(&root));
    let places = Arc::new(Places::new(&library, Scope::Everything));
    let knowledge = Knowledge::new(&library, &places, Timestamp::now());
    let listener = Listener::default();
    knowledge.connect(Box::new(listener.clone()));
    let table = library.lookup.tables().first().expect("a table").id;
    let access = Access { uid: 0, gid: 0, mode: 0o755 };
    let row = library.rows.make(table, &name("1"), access).expect("a row");
    let link = link(row.id);
    World { knowledge, listener, library, places, row, link, _root: root }
}

fn library(root: &TempDir) -> Library {
    let doc = Field { keep_original: true, ..Field::new(name("doc"), Rules::file()) };
    let list = Field { collection: Collection::List, ..Field::new(name("list"), Rules::file()) };
    let table = words::schema::Table {
        name: name("user"),
        id: IdRule::Integer,
        access: Policy::default(),
        fields: vec![doc, list],
    };
    let workers = pipeline::worker::process_pool::Settings {
        program: "/proc/self/exe".into(),
        workers: 1,
        job_timeout: Duration::from_secs(60),
        memory: 1 << 30,
        jobs_per_worker: 1,
    };
    let settings = Settings {
        hold: Duration::from_secs(3600),
        trash: Duration::ZERO,
        scratch: Duration::from_secs(3600),
        cache_bytes: 0,
        fetch: words::download::Policy::default(),
        quarantine: Bounds::default(),
        quotas: Quotas::default(),
        base_url: None,
        stores: Vec::new(),
        access: Policy::default(),
    };
    let parts = Parts {
        fence: Fence::default(),
        home: Home::open(root.path()).expect("a home"),
        catalog: Arc::new(catalog::memory::Memory::new()),
        blobs: Arc::new(blob::memory::Memory::new()),
        pipeline: Arc::new(Pipeline::start(workers).expect("a pipeline")),
        schema: Schema { tables: vec![table], boxes: Vec::new() },
        settings,
    };
    Library::open(parts).expect("a library")
}

fn link(row: RowId) -> Link {
    let content = Content { media_type: MediaType::OCTET_STREAM, length: 1, dimensions: None };
    let attachment = Attachment {
        id: AttachmentId(7),
        blob: BlobKey { store: StoreId::default(), digest: Digest::of(b"x"), generation: 1 },
        content,
        access: Access { uid: 0, gid: 0, mode: 0o644 },
        times: Times::all(Timestamp(0)),
        committed: Timestamp(0),
        version: 1,
        original_filename: "doc".into(),
        source: None,
        original: None,
        links: 1,
    };
    let place = Place::one(row, name("doc"));
    Link { place, written: name("doc"), attachment, position: 0 }
}

impl World {
    fn told(&self, change: &Change<'_>) -> Vec<String> {
        self.listener.heard.lock().clear();
        self.knowledge.tell(change);
        self.listener.heard.lock().clone()
    }

    /// One change of each kind.
    fn each(&self, check: impl Fn(&Change<'_>)) {
        let Self { row, link, .. } = self;
        let (table, place, id) = (row.table, &link.place, link.attachment.id);
        let field = self.places.field_at(place).expect("a field");
        let original = Side::Originals.row(table, row.id);
        let directory = &Directory::of(&self.library, original).expect("a directory");
        let folder = || Folder::row(row.id);
        let now = Timestamp::now();
        let (detached, changed) =
            (&[(link.clone(), link.attachment.clone())], std::slice::from_ref(link));
        let (from, to) = (&name("1"), &name("2"));
        let amendment = Amendment { modified: Some(now), ..Amendment::default() };
        let by_handle = || Some(Displaced::by_handle(&link.attachment, Some(link)));
        let unknown = AttachmentId(8);
        let asked = Ino(0);
        self.knowledge.list_variants(Node::ThumbField(id, Mark::SOLE));
        [
            Change::Attached { place, id: unknown, displaced: by_handle() },
            Change::Linked { place, id, displaced: None },
            Change::Moved { id, from: place, to: place, displaced: by_handle() },
            Change::Detached { place, lost: &link.attachment },
            Change::Alias { link, field: &field, asked: &name("doc.bin") },
            Change::Form { parent: Node::Row(table, row.id), name: from },
            Change::ByOriginal(link),
            Change::Amended { id, side: Side::Models },
            Change::Amended { id, side: Side::Originals },
            Change::Patched { row, detached, changed },
            Change::Names(row.id),
            Change::Unstored { folder: folder(), by: Maker::Daemon },
            Change::Unstored { folder: folder(), by: Maker::Kernel },
            Change::Scratch(directory),
            Change::RowAmended { row, amendment, links: changed, asked },
            Change::RowRenamed { table, row: row.id, from, to },
            Change::RowRemoved { table, row: row.id },
            Change::RowByOriginal { table, row: row.id, name: from },
            Change::Table { table, at: now },
            Change::Variants,
            Change::Cleared { directory: original, folder: Some(folder()) },
        ]
        .iter()
        .for_each(check);
    }
}

#[test]
fn every_kind_of_change_has_the_kernel_forget_something() {
    let world = world();
    let seen = Mutex::new(std::collections::BTreeSet::new());
    world.each(|change| {
        let before = world.knowledge.changes();
        assert!(!world.told(change).is_empty(), "{change:?} tells nothing");
        assert!(world.knowledge.changes() > before, "{change:?} is not counted");
        seen.lock().insert(kind(change));
    });
    assert_eq!(*seen.lock(), KINDS.iter().copied().collect(), "a sample of each kind");
}

/// The kernel keeps the directory locked for a rename, and forgets a name under the same lock.
#[test]
fn a_displaced_name_is_waited_for_unless_the_kernel_holds_its_directory() {
    let world = world();
    let World { row, link, .. } = &world;
    let (place, id, lost) = (&link.place, AttachmentId(8), &link.attachment);
    let told = |displaced| {
        let change = Change::Attached { place, id, displaced: Some(displaced) };
        world.told(&change).into_iter().filter(|it| it.starts_with("'doc' in Row")).collect()
    };
    let home = Node::Row(row.table, row.id);
    let waited: Vec<String> = told(Displaced::by_handle(lost, Some(link)));
    assert_eq!(waited, [format!("'doc' in {home:?} within 50ms")]);
    let at_once: Vec<String> = told(Displaced::by_name(lost, Some(link)));
    assert_eq!(at_once, [format!("'doc' in {home:?} within 0ns")]);
    let unknown: Vec<String> = told(Displaced::by_name(lost, None));
    assert_eq!(unknown, Vec::<String>::new(), "the kernel replaced the name itself");
}

#[test]
fn the_kernel_forgets_the_name_by_itself_that_it_asked_for() {
    let world = world();
    let link = &world.link;
    let field = &world.places.field_at(&link.place).expect("a field");
    assert_eq!(world.told(&Change::Alias { link, field, asked: &name("doc") }).len(), 0);
    let told = world.told(&Change::Alias { link, field, asked: &name("doc.bin") });
    let home = Node::Row(world.row.table, world.row.id);
    assert_eq!(told, [format!("'doc' in {home:?} within 0ns")]);
}

#[test]
fn the_directory_that_is_about_to_be_answered_is_not_forgotten() {
    let world = world();
    let row = &world.row;
    let asked = Node::Row(row.table, row.id);
    let amendment = Amendment { mode: Some(0o700), ..Amendment::default() };
    let change = Change::RowAmended { row, amendment, links: &[], asked: asked.ino() };
    let told = world.told(&change);
    assert!(!told.contains(&format!("listing of {asked:?}")), "{told:?}");
    let other = Node::ThumbRow(row.table, row.id);
    assert!(told.contains(&format!("listing of {other:?}")), "{told:?}");
}
