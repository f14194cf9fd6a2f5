//! A sweep beside a start and beside writers: neither waits for it, and it can be ended.

use std::fs::File;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use mediafs::blob::{self, BlobStore, Error};
use mediafs::catalog::{self, Catalog};
use mediafs::library::keep::sweeper::Patience;
use words::attachment::{Access, BlobKey, StoreId};
use words::slot::Name;
use words::space::Space;
use words::timestamp::Timestamp;

use super::closed_store::detached;
use super::instance::Instance;
use super::{DOC, NEW, OLD, writer};

/// A store whose deletes report that they begin, and wait for a message.
struct Held {
    store: blob::memory::Memory,
    begun: mpsc::Sender<usize>,
    go_on: Mutex<mpsc::Receiver<()>>,
}

impl BlobStore for Held {
    fn put(&self, key: BlobKey, file: &File) -> Result<(), Error> {
        self.store.put(key, file)
    }

    fn confirm(&self, key: BlobKey) {
        self.store.confirm(key);
    }

    fn pending(&self) -> Result<Vec<BlobKey>, Error> {
        self.store.pending()
    }

    fn open(&self, key: BlobKey) -> Result<Arc<File>, Error> {
        self.store.open(key)
    }

    fn delete_all(&self, keys: &[BlobKey]) -> Vec<Result<(), Error>> {
        if !keys.is_empty() {
            self.begun.send(keys.len()).expect("the test listens");
            let go_on = self.go_on.lock().expect("no panic");
            go_on.recv().expect("the test answers");
        }
        self.store.delete_all(keys)
    }

    fn space(&self, store: StoreId) -> Result<Space, Error> {
        self.store.space(store)
    }
}

#[test]
fn a_start_deletes_nothing_that_is_due_and_the_first_sweep_all_of_it() {
    let catalog: Arc<dyn Catalog> = Arc::new(catalog::memory::Memory::new());
    let store = Arc::new(blob::memory::Memory::new());
    let table = catalog.table(&Name::parse("user").expect("a name")).expect("a table");
    let access = Access { uid: 0, gid: 0, mode: 0o644 };
    let row = catalog.add_row(table, &Name::parse("1").expect("a name"), access, Timestamp(1));
    let key = detached(&*catalog, row.expect("a row").id, StoreId::default(), (7, Timestamp(1)));
    store.put(key, &tempfile::tempfile().expect("a file")).expect("put");
    let instance = Instance::of(catalog, Arc::clone(&store) as _);
    assert!(store.open(key).is_ok(), "the start has deleted it");
    assert_eq!(store.pending().expect("pending").len(), 0, "it was linked once");
    let swept = instance.library().sweeper.sweep(Patience::Hold).expect("swept");
    assert_eq!((swept.attachments, swept.blobs), (1, 1));
    assert!(matches!(store.open(key), Err(Error::Missing(_))));
}

#[test]
fn writers_and_readers_go_on_while_a_sweep_deletes() {
    let (begun, is_begun) = mpsc::channel();
    let (go_on, gone_on) = mpsc::channel();
    let store = Held { store: blob::memory::Memory::new(), begun, go_on: Mutex::new(gone_on) };
    let instance = Instance::of(Arc::new(catalog::memory::Memory::new()), Arc::new(store));
    let kernel = instance.kernel();
    kernel.mkdir(writer(), "1").expect("a row");
    kernel.send(writer(), DOC, OLD).expect("taken");
    kernel.unlink(writer(), DOC).expect("removed");
    std::thread::scope(|scope| {
        let sweep = scope.spawn(|| instance.library().sweeper.sweep(Patience::None));
        let deleting = is_begun.recv_timeout(Duration::from_secs(30)).expect("the sweep begins");
        assert_eq!(deleting, 1);
        kernel.send(writer(), DOC, NEW).expect("taken beside the sweep");
        assert_eq!(kernel.seen(DOC), Ok(NEW.to_vec()));
        go_on.send(()).expect("the sweep waits");
        assert_eq!(sweep.join().expect("no panic").expect("swept").blobs, 1);
    });
    assert_eq!(kernel.seen(DOC), Ok(NEW.to_vec()));
}
