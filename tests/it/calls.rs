//! The number of calls to the catalogue and the stores that common operations cost.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::sync::Arc;

use mediafs::blob;
use mediafs::catalog;
use mediafs::library::keep::sweeper::Patience;
use mediafs::tree::{Caller, Error, Ino};

use super::model::instance::Instance;
use super::model::kernel::{At, Descriptor, How, Kernel, Refusal, process};
use super::mount::picture;

const DOC: At = At { row: "1", name: "doc" };
const PIC: At = At { row: "1", name: "pic" };

type Calls = BTreeMap<&'static str, usize>;

/// A library with one row, and stores that count their calls.
struct Counted {
    instance: Instance,
    catalog: Arc<catalog::memory::Memory>,
    blobs: Arc<blob::memory::Memory>,
    who: Caller,
}

fn counted() -> Counted {
    let catalog = Arc::new(catalog::memory::Memory::new());
    let blobs = Arc::new(blob::memory::Memory::new());
    let instance = Instance::of(Arc::clone(&catalog) as _, Arc::clone(&blobs) as _);
    let counted = Counted { instance, catalog, blobs, who: process(0) };
    counted.kernel().mkdir(counted.who, "1").expect("a row");
    counted
}

impl Counted {
    fn kernel(&self) -> Kernel<'_> {
        Kernel(self.instance.tree())
    }

    fn row(&self) -> Ino {
        self.kernel().row(self.who, "1").expect("a row")
    }

    fn open(&self, at: At, how: How) -> Descriptor {
        self.kernel().open(self.who, at, how).expect("opened")
    }

    /// The calls to the catalogue and to the store during `of`.
    fn calls(&self, of: impl FnOnce()) -> (Calls, Calls) {
        self.catalog.take_calls();
        self.blobs.take_calls();
        of();
        (self.catalog.take_calls(), self.blobs.take_calls())
    }
}

fn nothing() -> (Calls, Calls) {
    (Calls::new(), Calls::new())
}

#[test]
fn a_read_asks_the_catalogue_nothing() {
    let counted = counted();
    counted.kernel().send(counted.who, DOC, b"a document").expect("taken");
    let fd = counted.open(DOC, How::Read);
    let calls = counted.calls(|| {
        for _ in 0..3 {
            assert_eq!(counted.kernel().read(fd), Ok(b"a document".to_vec()));
        }
        counted.kernel().close(counted.who, fd).expect("closed");
    });
    assert_eq!(calls, nothing());
}

#[test]
fn opening_to_read_asks_for_the_key_once_and_for_the_file_once() {
    let counted = counted();
    counted.kernel().send(counted.who, DOC, b"a document").expect("taken");
    let ino = counted.kernel().stat(counted.who, DOC).expect("there").ino;
    let calls = counted.calls(|| {
        counted.instance.tree().open(counted.who, ino, How::Read.flags()).expect("opened");
    });
    assert_eq!(calls, (Calls::from([("attachment", 1)]), Calls::from([("open", 1)])));
}

#[test]
fn opening_again_asks_nothing_until_something_changes() {
    let counted = counted();
    counted.kernel().send(counted.who, DOC, b"a document").expect("taken");
    let ino = counted.kernel().stat(counted.who, DOC).expect("there").ino;
    let read = || {
        let opened = counted.instance.tree().open(counted.who, ino, How::Read.flags());
        let fd = Descriptor { fh: opened.expect("opened").fh, ino };
        assert_eq!(counted.kernel().read(fd), Ok(b"a document".to_vec()));
        counted.kernel().close(counted.who, fd).expect("closed");
    };
    read();
    assert_eq!(counted.calls(read), nothing());
    counted.kernel().mkdir(counted.who, "2").expect("another row");
    let anew = (Calls::from([("attachment", 1)]), Calls::from([("open", 1)]));
    assert_eq!(counted.calls(read), anew, "whatever that was");
    assert_eq!(counted.calls(read), nothing());
}

#[test]
fn what_has_lost_its_name_is_not_opened_again() {
    let counted = counted();
    counted.kernel().send(counted.who, DOC, b"a document").expect("taken");
    let ino = counted.kernel().stat(counted.who, DOC).expect("there").ino;
    let open = || counted.instance.tree().open(counted.who, ino, How::Read.flags()).map(drop);
    open().expect("opened");
    counted.kernel().unlink(counted.who, DOC).expect("removed");
    assert!(matches!(open(), Err(Error::Stale)), "the inode leads nowhere");
}

#[test]
fn a_stat_is_one_query() {
    let counted = counted();
    counted.kernel().send(counted.who, DOC, b"a document").expect("taken");
    let row = counted.row();
    let mut ino = None;
    let looked_up = counted.calls(|| {
        ino = counted.kernel().lookup(counted.who, row, "doc").ok().map(|entry| entry.attr.ino);
    });
    assert_eq!(looked_up, (Calls::from([("find", 1)]), Calls::new()));
    let ino = ino.expect("found");
    let asked = counted.calls(|| {
        counted.instance.tree().getattr(counted.who, ino, None).expect("there");
    });
    assert_eq!(asked, (Calls::from([("attachment", 1)]), Calls::new()));
}

#[test]
fn a_lookup_of_what_is_not_there_is_one_query() {
    let counted = counted();
    let row = counted.row();
    for (name, query) in [("doc", "find"), ("note.txt", "find"), ("tmp.part", "scratch")] {
        let calls = counted.calls(|| {
            let found = counted.kernel().lookup(counted.who, row, name);
            assert_eq!(found.err(), Some(Refusal::NotFound));
        });
        assert_eq!(calls, (Calls::from([(query, 1)]), Calls::new()), "{name}");
    }
}

#[test]
fn a_write_asks_nothing() {
    let counted = counted();
    let fd = counted.open(DOC, How::Replace);
    let calls = counted.calls(|| {
        counted.kernel().write(fd, 0, b"a docu").expect("written");
        counted.kernel().write(fd, 6, b"ment").expect("written");
    });
    assert_eq!(calls, nothing());
}

#[test]
fn publishing_stores_once_and_links_once() {
    let counted = counted();
    let fd = counted.open(DOC, How::Replace);
    counted.kernel().write(fd, 0, b"a document").expect("written");
    let calls = counted.calls(|| counted.kernel().flush(counted.who, fd).expect("taken"));
    let asked = Calls::from([("find", 1), ("publish", 1), ("reserve", 1), ("row_by_id", 1)]);
    assert_eq!(calls, (asked, Calls::from([("confirm", 1), ("put", 1)])));
    let closed = counted.calls(|| counted.kernel().close(counted.who, fd).expect("closed"));
    assert_eq!(closed, nothing(), "a close without new bytes repeats the verdict");
}

#[test]
fn bytes_that_are_stored_already_are_not_stored_again() {
    let counted = counted();
    counted.kernel().send(counted.who, DOC, b"a document").expect("taken");
    let note = At { row: "1", name: "note" };
    let (catalog, blobs) =
        counted.calls(|| counted.kernel().send(counted.who, note, b"a document").expect("taken"));
    assert_eq!((catalog.get("publish"), blobs.get("put")), (Some(&1), None));
}

#[test]
fn a_refused_file_is_neither_stored_nor_linked() {
    let counted = counted();
    let (catalog, blobs) = counted.calls(|| {
        counted.kernel().send(counted.who, DOC, b"x").expect_err("too small");
    });
    assert_eq!((catalog.get("reserve"), catalog.get("publish")), (None, None));
    assert_eq!(blobs, Calls::new());
}

#[test]
fn an_item_costs_the_same_however_many_there_are() {
    let counted = counted();
    let (kernel, who) = (counted.kernel(), counted.who);
    let (first, second) = (At { row: "1", name: "list/a" }, At { row: "1", name: "list/b" });
    let send = |at| counted.calls(|| kernel.send(who, at, b"a document").expect("taken"));
    kernel.send(who, DOC, b"a document").expect("taken");
    let alone = send(first);
    assert_eq!(send(second), alone);
    assert_eq!((alone.0.get("count_items"), alone.0.get("items")), (Some(&1), None));
    let list = kernel.lookup(who, counted.row(), "list").expect("there").attr.ino;
    let looked_up = counted.calls(|| {
        kernel.lookup(who, list, "a").expect("there");
    });
    assert_eq!(looked_up, (Calls::from([("find", 1)]), Calls::new()));
    let listed = counted.calls(|| {
        let page = counted.instance.tree().readdir(list, 0).expect("listed");
        assert_eq!(page.entries().len(), 4);
        let end = page.entries()[3].next;
        assert!(counted.instance.tree().readdir(list, end).expect("the end").entries().is_empty());
    });
    assert_eq!(listed, (Calls::from([("items", 1), ("scratches", 1)]), Calls::new()));
}

/// The directory of the variants of user/1/pic, which has a picture of 20x20.
fn thumbs(counted: &Counted) -> Ino {
    let (kernel, who) = (counted.kernel(), counted.who);
    kernel.send(who, PIC, &picture::png(20, 20, 1)).expect("a picture");
    let mut thumbs = Ino(1);
    for name in ["thumbs", "user", "1", "pic"] {
        thumbs = kernel.lookup(who, thumbs, name).expect("a directory").attr.ino;
    }
    thumbs
}

#[test]
fn a_name_that_is_no_variant_is_refused_by_parsing_alone() {
    let counted = counted();
    let (kernel, who) = (counted.kernel(), counted.who);
    let thumbs = thumbs(&counted);
    let calls = counted.calls(|| {
        for name in ["w0.jpg", "w200", "w200.exe", "huge.jpg", "index.html", ".DS_Store"] {
            assert_eq!(kernel.lookup(who, thumbs, name).err(), Some(Refusal::NotFound), "{name}");
        }
    });
    assert_eq!(calls, nothing());
    let row = counted.row();
    let calls = counted.calls(|| {
        for name in ["pic@huge.jpg", "pic@"] {
            assert_eq!(kernel.lookup(who, row, name).err(), Some(Refusal::NotFound), "{name}");
        }
    });
    assert_eq!(calls, nothing());
}

/// A variant has one name. Any other spelling of it is an unknown name.
#[test]
fn only_the_canonical_name_of_a_variant_is_looked_at() {
    let counted = counted();
    let (kernel, who) = (counted.kernel(), counted.who);
    let (thumbs, row) = (thumbs(&counted), counted.row());
    let names = [
        "w016.png",
        "w+16.png",
        "W16.png",
        "w16.PNG",
        "w16.jpeg",
        "w16.png.png",
        "w16 .png",
        "16X16.png",
        "16x16C.png",
        "16x016.png",
        "+16x16.png",
        "16x.png",
        "x16.png",
        "16.png",
        "r.5.png",
        "r0.50.png",
        "r00.5.png",
        "r1.0.png",
        "r0.5000.png",
        "r2.png",
        "r0.png",
        "Full.png",
        "full.bmp",
        "full.tiff",
        "full",
        ".png",
        "w65536.png",
        "w99999999999.png",
        "w1e1.png",
        "w\u{661}6.png",
        "full.webp/",
        "w16.png\0",
    ];
    let calls = counted.calls(|| {
        for name in names {
            assert_eq!(kernel.lookup(who, thumbs, name).err(), Some(Refusal::NotFound), "{name}");
            let beside = format!("pic@{name}");
            assert_eq!(kernel.lookup(who, row, &beside).err(), Some(Refusal::NotFound), "{name}");
        }
    });
    assert_eq!(calls, nothing());
}

#[test]
fn a_million_names_that_are_no_variant_ask_nothing_and_leave_nothing() {
    let counted = counted();
    let (kernel, who) = (counted.kernel(), counted.who);
    let thumbs = thumbs(&counted);
    let mut state = 1_u64;
    let calls = counted.calls(|| {
        for number in 0..1_000_000_u64 {
            // Marsaglia's xorshift64.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let name = match number % 4 {
                0 => format!("{state:x}.jpg"),
                1 => format!("w0{state}.png"),
                2 => format!("{state}x{state}.webp"),
                _ => format!("h{state:x}"),
            };
            assert_eq!(kernel.lookup(who, thumbs, &name).err(), Some(Refusal::NotFound), "{name}");
        }
    });
    assert_eq!(calls, nothing());
}

#[test]
fn removing_a_variant_that_was_never_rendered_finds_nothing() {
    let counted = counted();
    let (kernel, who) = (counted.kernel(), counted.who);
    let (thumbs, row) = (thumbs(&counted), counted.row());
    let unlink = |parent, name: &str| {
        counted.instance.tree().unlink(who, parent, OsStr::new(name)).map_err(Refusal::from)
    };
    for (parent, name) in [
        (thumbs, "w16.png"),
        (thumbs, "w016.png"),
        (thumbs, "x"),
        (row, "pic@w16.png"),
        (row, "pic@x"),
    ] {
        assert_eq!(unlink(parent, name), Err(Refusal::NotFound), "{name}");
    }
    kernel.lookup(who, thumbs, "w16.png").expect("rendered");
    assert_eq!(unlink(row, "pic@w16.png"), Ok(()));
    assert_eq!(unlink(thumbs, "w16.png"), Err(Refusal::NotFound));
}

#[test]
fn opening_a_variant_waits_for_no_writer() {
    let counted = counted();
    let (kernel, who) = (counted.kernel(), counted.who);
    let thumbs = thumbs(&counted);
    let ino = kernel.lookup(who, thumbs, "w16.png").expect("rendered").attr.ino;
    let (catalog, _) = counted.calls(|| {
        for _ in 0..3 {
            let opened = counted.instance.tree().open(who, ino, How::Read.flags()).expect("opened");
            counted.instance.tree().release(opened.fh);
        }
    });
    assert_eq!(catalog, Calls::from([("variant_by_id", 1)]), "and asked for once");
    let (catalog, _) = counted.calls(|| {
        counted.instance.library().sweeper.sweep(Patience::Hold).expect("swept");
    });
    assert_eq!(catalog.get("touch_variants"), Some(&1), "noted once, by the sweep");
}

#[test]
fn a_row_whose_id_breaks_the_rule_is_refused_by_parsing_alone() {
    let counted = counted();
    let mut table = Ino(1);
    for name in ["models", "user"] {
        table = counted.kernel().lookup(counted.who, table, name).expect("there").attr.ino;
    }
    let calls = counted.calls(|| {
        for name in ["007", "abc", ".git"] {
            let found = counted.kernel().lookup(counted.who, table, name);
            assert_eq!(found.err(), Some(Refusal::NotFound), "{name}");
        }
    });
    assert_eq!(calls, nothing());
}

#[test]
fn a_variant_is_rendered_once_and_found_by_two_queries_then() {
    let counted = counted();
    let (kernel, who, row) = (counted.kernel(), counted.who, counted.row());
    kernel.send(who, PIC, &picture::png(20, 20, 1)).expect("a picture");
    let (catalog, blobs) = counted.calls(|| {
        kernel.lookup(who, row, "pic@w16.png").expect("rendered");
    });
    assert_eq!((catalog.get("add_variant"), blobs.get("put")), (Some(&1), Some(&1)));
    let again = counted.calls(|| {
        kernel.lookup(who, row, "pic@w16.png").expect("found");
    });
    assert_eq!(again, (Calls::from([("find", 1), ("variant", 1)]), Calls::new()));
}

#[test]
fn a_row_is_listed_with_all_that_stat_shows_by_one_query_for_its_fields() {
    let counted = counted();
    let (kernel, who, row) = (counted.kernel(), counted.who, counted.row());
    kernel.send(who, DOC, b"a document").expect("taken");
    kernel.send(who, PIC, &picture::png(20, 20, 1)).expect("a picture");
    let tree = counted.instance.tree();
    let (catalog, blobs) = counted.calls(|| {
        let page = tree.readdir(row, 0).expect("listed");
        // With the dots, which carry no attributes.
        let sizes: Vec<_> = page
            .entries()
            .iter()
            .map(|listed| {
                (listed.name.to_string(), tree.entry_listed(who, listed, &page).attr.size)
            })
            .collect();
        assert!(sizes.contains(&("doc".to_owned(), 10)), "{sizes:?}");
        let last = page.entries().last().expect("entries").next;
        assert!(tree.readdir(row, last).expect("the end").entries().is_empty());
    });
    assert_eq!(catalog, Calls::from([("row_by_id", 1), ("scratches", 1), ("singles", 1)]));
    assert_eq!(blobs, Calls::new());
}
