//! A closed store beside an open one: its blobs wait, and the sweep of the open store goes on. `mount/store` has the tests on a mount.

use std::sync::Arc;

use mediafs::blob::router::{Route, Router};
use mediafs::blob::{self, BlobStore};
use mediafs::catalog::slots::Publication;
use mediafs::catalog::{self, Catalog};
use mediafs::library::keep::sweeper::Patience;
use words::attachment::{Access, BlobKey, Content, RowId, StoreId, Times};
use words::digest::Digest;
use words::media_type::MediaType;
use words::place::Place;
use words::slot::Name;
use words::timestamp::Timestamp;

use super::instance::Instance;

const ACCESS: Access = Access { uid: 0, gid: 0, mode: 0o644 };
/// More blobs than one sweep takes.
const MANY: u32 = 600;

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

/// Attaches and detaches a file, and returns the key of its blob.
pub fn detached(
    catalog: &dyn Catalog,
    row: RowId,
    store: StoreId,
    (number, now): (u32, Timestamp),
) -> BlobKey {
    let digest = Digest::of(&number.to_le_bytes());
    let blob = catalog.reserve(store, digest, now).expect("reserved").key();
    let place = Place::one(row, name("doc"));
    let publication = Publication {
        place: place.clone(),
        written: name("doc"),
        blob,
        content: Content { media_type: MediaType::OCTET_STREAM, length: 4, dimensions: None },
        access: ACCESS,
        times: Times::all(now),
        original_filename: "doc".into(),
        source: None,
        original: None,
        attributes: Vec::new(),
        now,
    };
    catalog.publish(&publication).expect("published");
    catalog.unlink(&place, now).expect("unlinked");
    blob
}

#[test]
fn blobs_that_wait_for_a_closed_store_do_not_hold_up_the_sweep_of_another() {
    let catalog: Arc<dyn Catalog> = Arc::new(catalog::memory::Memory::new());
    let own = Arc::new(blob::memory::Memory::new());
    let table = catalog.table(&name("user")).expect("a table");
    let row = catalog.add_row(table, &name("1"), ACCESS, Timestamp::now()).expect("a row").id;
    let closed = catalog.store(&name("old")).expect("a store");
    for number in 0..MANY {
        detached(&*catalog, row, closed, (number, Timestamp::now()));
    }
    let last = detached(&*catalog, row, StoreId::default(), (MANY, Timestamp::now()));
    own.put(last, &tempfile::tempfile().expect("a file")).expect("put");
    let router = Router::new(Arc::clone(&own) as _, [(closed, Route::Closed("old".into()))]);
    let instance = Instance::of(Arc::clone(&catalog) as _, Arc::new(router));
    let swept = instance.library().sweeper.sweep(Patience::None).expect("swept");
    assert_eq!(swept.blobs, 1);
    assert!(own.open(last).is_err(), "deleted");
    assert_eq!(instance.library().sweeper.sweep(Patience::None).expect("swept").blobs, 0);
    let waiting = catalog.doomed(0, usize::MAX).expect("what is doomed");
    assert_eq!(waiting.len(), MANY as usize);
}

#[test]
fn a_sweep_that_is_ended_leaves_the_rest_to_the_next_start() {
    let catalog: Arc<dyn Catalog> = Arc::new(catalog::memory::Memory::new());
    let own: Arc<dyn BlobStore> = Arc::new(blob::memory::Memory::new());
    let table = catalog.table(&name("user")).expect("a table");
    let row = catalog.add_row(table, &name("1"), ACCESS, Timestamp::now()).expect("a row").id;
    for number in 0..MANY {
        detached(&*catalog, row, StoreId::default(), (number, Timestamp::now()));
    }
    let sweep = |ended| {
        let instance = Instance::of(Arc::clone(&catalog), Arc::clone(&own));
        if ended {
            instance.library().sweeper.end();
        }
        instance.library().sweeper.sweep(Patience::None).expect("swept").attachments
    };
    let first = sweep(true);
    assert!(first < MANY as usize / 2, "{first}");
    assert_eq!(sweep(false), MANY as usize - first);
}
