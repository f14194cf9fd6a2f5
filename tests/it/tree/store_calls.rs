//! The number of calls to the catalogue and the stores that common operations cost. `variant_calls` has those on variants.

use std::collections::BTreeMap;
use std::sync::Arc;

use mediafs::blob;
use mediafs::catalog;
use mediafs::tree::{Caller, Error, Ino, Tree};

use super::instance::Instance;
use super::simulated_kernel::{At, Descriptor, How, Kernel, Refusal, process};
use super::{DOC, NOTE};
use crate::mount::picture;

pub const PIC: At = At { row: "1", name: "pic" };
const TEXT: &[u8] = b"a document";

/// How often each method was called.
pub type Calls = BTreeMap<&'static str, usize>;

/// A library with one row, and stores that count their calls.
pub struct Counted {
    instance: Instance,
    catalog: Arc<catalog::memory::Memory>,
    blobs: Arc<blob::memory::Memory>,
    pub who: Caller,
}

impl Counted {
    pub fn new() -> Self {
        let catalog = Arc::new(catalog::memory::Memory::new());
        let blobs = Arc::new(blob::memory::Memory::new());
        let instance = Instance::of(Arc::clone(&catalog) as _, Arc::clone(&blobs) as _);
        let counted = Self { instance, catalog, blobs, who: process(0) };
        counted.kernel().mkdir(counted.who, "1").expect("a row");
        counted
    }

    /// With a document in the row, whose inode is returned.
    fn with_doc() -> (Self, Ino) {
        let counted = Self::new();
        counted.kernel().send(counted.who, DOC, TEXT).expect("taken");
        let ino = counted.kernel().stat(counted.who, DOC).expect("there").ino;
        (counted, ino)
    }

    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    pub fn kernel(&self) -> Kernel<'_> {
        self.instance.kernel()
    }

    pub fn tree(&self) -> &Tree {
        self.instance.tree()
    }

    pub fn row(&self) -> Ino {
        self.kernel().row(self.who, "1").expect("a row")
    }

    fn open(&self, at: At, how: How) -> Descriptor {
        self.kernel().open(self.who, at, how).expect("opened")
    }

    /// Checks that no file has this name.
    pub fn finds_nothing(&self, parent: Ino, name: &str) {
        let found = self.kernel().lookup(self.who, parent, name);
        assert_eq!(found.err(), Some(Refusal::NotFound), "{name}");
    }

    /// The calls to the catalogue and to the store during `work`.
    pub fn calls<T>(&self, work: impl FnOnce() -> T) -> (Calls, Calls) {
        self.catalog.take_calls();
        self.blobs.take_calls();
        work();
        (self.catalog.take_calls(), self.blobs.take_calls())
    }
}

/// These calls to the catalogue, and none to the store.
pub fn queries<const N: usize>(queries: [(&'static str, usize); N]) -> (Calls, Calls) {
    (Calls::from(queries), Calls::new())
}

pub fn nothing() -> (Calls, Calls) {
    queries([])
}

#[test]
fn a_read_asks_the_catalogue_nothing() {
    let (counted, _) = Counted::with_doc();
    let fd = counted.open(DOC, How::Read);
    let calls = counted.calls(|| {
        for _ in 0..3 {
            assert_eq!(counted.kernel().read(fd), Ok(TEXT.to_vec()));
        }
        counted.kernel().close(counted.who, fd).expect("closed");
    });
    assert_eq!(calls, nothing());
}

#[test]
fn opening_to_read_asks_for_the_key_once_and_for_the_file_once() {
    let (counted, ino) = Counted::with_doc();
    let open = || counted.tree().open(counted.who, ino, How::Read.flags()).expect("opened");
    let calls = counted.calls(open);
    assert_eq!(calls, (Calls::from([("attachment", 1)]), Calls::from([("open", 1)])));
}

#[test]
fn opening_again_asks_nothing_until_a_commit() {
    let (counted, ino) = Counted::with_doc();
    let read = || {
        let opened = counted.tree().open(counted.who, ino, How::Read.flags());
        let fd = Descriptor { fh: opened.expect("opened").fh, ino };
        assert_eq!(counted.kernel().read(fd), Ok(TEXT.to_vec()));
        counted.kernel().close(counted.who, fd).expect("closed");
    };
    read();
    assert_eq!(counted.calls(read), nothing());
    counted.kernel().mkdir(counted.who, "2").expect("another row");
    let anew = (Calls::from([("attachment", 1)]), Calls::from([("open", 1)]));
    assert_eq!(counted.calls(read), anew, "after any commit");
    assert_eq!(counted.calls(read), nothing());
}

#[test]
fn a_file_without_a_name_is_not_opened_again() {
    let (counted, ino) = Counted::with_doc();
    let open = || counted.tree().open(counted.who, ino, How::Read.flags()).map(drop);
    open().expect("opened");
    counted.kernel().unlink(counted.who, DOC).expect("removed");
    assert!(matches!(open(), Err(Error::Stale)));
}

#[test]
fn a_stat_is_one_query() {
    let (counted, ino) = Counted::with_doc();
    let row = counted.row();
    let look = || counted.kernel().lookup(counted.who, row, "doc").expect("found");
    assert_eq!(counted.calls(look), queries([("find", 1)]));
    let stat = || counted.tree().getattr(counted.who, ino, None).expect("there");
    assert_eq!(counted.calls(stat), queries([("attachment", 1)]));
}

#[test]
fn a_lookup_of_a_missing_name_is_one_query() {
    let counted = Counted::new();
    let row = counted.row();
    for (name, query) in [("doc", "find"), ("note.txt", "find"), ("tmp.part", "scratch")] {
        let calls = counted.calls(|| counted.finds_nothing(row, name));
        assert_eq!(calls, queries([(query, 1)]), "{name}");
    }
}

#[test]
fn a_write_asks_nothing() {
    let counted = Counted::new();
    let fd = counted.open(DOC, How::Replace);
    let calls = counted.calls(|| {
        counted.kernel().write(fd, 0, b"a docu").expect("written");
        counted.kernel().write(fd, 6, b"ment").expect("written");
    });
    assert_eq!(calls, nothing());
}

#[test]
fn publishing_stores_once_and_links_once() {
    let counted = Counted::new();
    let fd = counted.kernel().begin(counted.who, DOC, TEXT);
    let calls = counted.calls(|| counted.kernel().flush(counted.who, fd).expect("taken"));
    let asked = Calls::from([("find", 1), ("publish", 1), ("reserve", 1), ("row_by_id", 1)]);
    assert_eq!(calls, (asked, Calls::from([("confirm", 1), ("put", 1)])));
    let closed = counted.calls(|| counted.kernel().close(counted.who, fd).expect("closed"));
    assert_eq!(closed, nothing(), "a close without new bytes repeats the verdict");
}

#[test]
fn bytes_that_are_stored_already_are_not_stored_again() {
    let (counted, _) = Counted::with_doc();
    let (catalog, blobs) =
        counted.calls(|| counted.kernel().send(counted.who, NOTE, TEXT).expect("taken"));
    assert_eq!((catalog.get("publish"), blobs.get("put")), (Some(&1), None));
}

#[test]
fn a_refused_file_is_neither_stored_nor_linked() {
    let counted = Counted::new();
    let (catalog, blobs) =
        counted.calls(|| counted.kernel().send(counted.who, DOC, b"x").expect_err("too small"));
    assert_eq!((catalog.get("reserve"), catalog.get("publish")), (None, None));
    assert_eq!(blobs, Calls::new());
}

#[test]
fn the_cost_of_an_item_does_not_depend_on_the_number_of_items() {
    let (counted, _) = Counted::with_doc();
    let (kernel, who) = (counted.kernel(), counted.who);
    let send =
        |name| counted.calls(|| kernel.send(who, At { row: "1", name }, TEXT).expect("taken"));
    let alone = send("list/a");
    assert_eq!(send("list/b"), alone);
    assert_eq!((alone.0.get("count_items"), alone.0.get("items")), (Some(&1), None));
    let list = kernel.lookup(who, counted.row(), "list").expect("there").attr.ino;
    let look = || kernel.lookup(who, list, "a").expect("there");
    assert_eq!(counted.calls(look), queries([("find", 1)]));
    let listed = counted.calls(|| {
        let page = counted.tree().readdir(list, 0).expect("listed");
        assert_eq!(page.entries().len(), 4);
        let end = page.entries()[3].next;
        assert!(counted.tree().readdir(list, end).expect("the end").entries().is_empty());
    });
    assert_eq!(listed, queries([("items", 1), ("scratches", 1)]));
}

#[test]
fn a_row_id_that_breaks_the_rule_is_refused_by_parsing_alone() {
    let counted = Counted::new();
    let table = counted.kernel().walk(counted.who, &["models", "user"]).expect("a table");
    let calls = counted.calls(|| {
        for name in ["007", "abc", ".git"] {
            counted.finds_nothing(table, name);
        }
    });
    assert_eq!(calls, nothing());
}

#[test]
fn a_row_is_listed_with_the_attributes_of_stat_by_one_query_for_its_fields() {
    let (counted, _) = Counted::with_doc();
    let (who, row, tree) = (counted.who, counted.row(), counted.tree());
    counted.kernel().send(who, PIC, &picture::png(20, 20, 1)).expect("a picture");
    let calls = counted.calls(|| {
        let page = tree.readdir(row, 0).expect("listed");
        let sizes = page.entries().iter().map(|listed| {
            (
                listed.name.to_string(),
                tree.entry_listed(who, listed, &page).expect("attributes").attr.size,
            )
        });
        let sizes: Vec<_> = sizes.collect();
        assert!(sizes.contains(&("doc".to_owned(), 10)), "{sizes:?}");
        let last = page.entries().last().expect("entries").next;
        assert!(tree.readdir(row, last).expect("the end").entries().is_empty());
    });
    assert_eq!(calls, queries([("row_by_id", 1), ("scratches", 1), ("singles", 1)]));
}
