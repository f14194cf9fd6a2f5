//! The trash without a kernel: names, pages and races. `mount/trash` has the tests on a mount.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::sync::Arc;
use std::thread;

use mediafs::blob;
use mediafs::catalog::memory::Memory;
use mediafs::library::keep::sweeper::Patience;
use mediafs::tree::Error;
use mediafs::tree::request::{NameIn, RenameMode};

use super::model::instance::{Backing, Instance};
use super::model::kernel::{At, Kernel, Refusal, process};
use super::model::trash::{Lost, ROOT};

const DOC: At = At { row: "1", name: "doc" };
const NOTE: At = At { row: "1", name: "note" };

fn instance(backing: Backing) -> Instance {
    let instance = Instance::new(backing);
    Kernel(instance.tree()).mkdir(process(0), "1").expect("a row");
    instance
}

/// Writes and removes this many files of one slot, each with bytes of its own.
fn detach(kernel: Kernel<'_>, count: usize) {
    for number in 0..count {
        let bytes = format!("document {number}");
        kernel.send(process(0), DOC, bytes.as_bytes()).expect("taken");
        kernel.unlink(process(0), DOC).expect("removed");
    }
}

#[test]
fn a_day_of_many_is_read_page_by_page_each_once_and_under_a_name_that_leads_to_it() {
    for backing in [Backing::Disk, Backing::Memory] {
        let instance = instance(backing);
        let kernel = Kernel(instance.tree());
        detach(kernel, 150);
        let lost = kernel.trash();
        let bytes: Vec<_> = lost.iter().map(|lost| lost.bytes.clone()).collect();
        let wanted: Vec<_> = (0..150).map(|n| format!("document {n}").into_bytes()).collect();
        assert_eq!(bytes, wanted, "in the order of detaching");
        let names: BTreeSet<_> = lost.iter().map(|lost| &lost.name).collect();
        assert_eq!(names.len(), lost.len());
        assert_eq!(lost[0].name, "user-1-doc.txt");
    }
}

#[test]
fn reading_a_day_goes_on_where_it_was_whatever_is_put_back_or_swept_meanwhile() {
    let instance = instance(Backing::Disk);
    let kernel = Kernel(instance.tree());
    detach(kernel, 150);
    let before = kernel.trash();
    let page = instance.tree().readdir(before[0].day, 0).expect("a page");
    let next = page.entries().last().expect("entries").next;
    let first: Vec<_> = page.entries().iter().skip(2).map(|entry| entry.name.to_string()).collect();
    kernel.restore(&before[first.len() - 1], DOC).expect("restored");
    let rest = instance.tree().readdir(before[0].day, next).expect("a page");
    assert_eq!(*rest.entries()[0].name, before[first.len()].name);
}

#[test]
fn a_name_costs_a_few_queries_however_full_the_day_is() {
    let catalog = Arc::new(Memory::new());
    let instance = Instance::of(Arc::clone(&catalog) as _, Arc::new(blob::memory::Memory::new()));
    let kernel = Kernel(instance.tree());
    kernel.mkdir(process(0), "1").expect("a row");
    detach(kernel, 40);
    let lost = kernel.trash();
    for Lost { day, name, .. } in [&lost[0], &lost[39]] {
        catalog.take_calls();
        kernel.lookup(ROOT, *day, name).expect("there");
        let calls: usize = catalog.take_calls().values().sum();
        assert!(calls <= 4, "{name}: {calls} queries");
    }
    let day = lost[0].day;
    catalog.take_calls();
    assert_eq!(kernel.lookup(ROOT, day, "user-1-doc-9999.txt").err(), Some(Refusal::NotFound));
    let calls: usize = catalog.take_calls().values().sum();
    assert!(calls <= 5, "{calls} queries for nothing");
}

#[test]
fn a_day_is_listed_with_all_that_stat_shows_of_what_is_in_it() {
    let catalog = Arc::new(Memory::new());
    let instance = Instance::of(Arc::clone(&catalog) as _, Arc::new(blob::memory::Memory::new()));
    let kernel = Kernel(instance.tree());
    kernel.mkdir(process(0), "1").expect("a row");
    detach(kernel, 40);
    let (day, tree) = (kernel.trash()[0].day, instance.tree());
    let page = tree.readdir(day, 0).expect("a page");
    let shown = |ino| tree.getattr(ROOT, ino, None).expect("there").attr;
    catalog.take_calls();
    let listed = page.entries().iter().map(|it| tree.entry_listed(ROOT, it, &page).attr);
    let listed: Vec<_> = listed.skip(2).collect();
    assert_eq!(catalog.take_calls().values().sum::<usize>(), 0);
    let asked: Vec<_> = listed.iter().map(|attr| shown(attr.ino)).collect();
    assert_eq!((listed.len(), listed), (40, asked));
}

#[test]
fn the_first_of_a_slot_is_found_by_its_number_too() {
    let instance = instance(Backing::Disk);
    let kernel = Kernel(instance.tree());
    detach(kernel, 2);
    let lost = kernel.trash();
    kernel.restore(&lost[0], NOTE).expect("restored");
    let left = kernel.trash();
    assert_eq!(left[0].name, "user-1-doc.txt", "the plain name goes to the next");
    assert_eq!(kernel.read_lost(left[0].day, &lost[1].name), Ok(b"document 1".to_vec()));
}

#[test]
fn what_is_swept_at_the_same_moment_is_restored_or_not_there() {
    let instance = instance(Backing::Disk);
    let kernel = Kernel(instance.tree());
    for round in 0..20 {
        detach(kernel, 1);
        let lost = kernel.trash().remove(0);
        let restored = thread::scope(|scope| {
            let sweep = scope.spawn(|| instance.library().sweeper.sweep(Patience::None));
            let restored = Kernel(instance.tree()).restore(&lost, NOTE);
            sweep.join().expect("no panic").expect("swept");
            restored
        });
        match restored {
            Ok(()) => {
                assert_eq!(kernel.cat(process(0), NOTE), Ok(b"document 0".to_vec()), "{round}");
                kernel.unlink(process(0), NOTE).expect("removed");
                instance.library().sweeper.sweep(Patience::None).expect("swept");
            }
            Err(refusal) => assert_eq!(refusal, Refusal::NotFound, "{round}"),
        }
        assert_eq!(kernel.trash().len(), 0);
    }
}

#[test]
fn an_inode_of_the_trash_that_was_put_back_is_looked_up_again() {
    let instance = instance(Backing::Memory);
    let kernel = Kernel(instance.tree());
    detach(kernel, 1);
    let lost = kernel.trash().remove(0);
    let ino = kernel.lookup(ROOT, lost.day, &lost.name).expect("there").attr.ino;
    kernel.restore(&lost, DOC).expect("restored");
    let tree = instance.tree();
    assert!(matches!(tree.getattr(ROOT, ino, None), Err(Error::Stale)));
    let opened = tree.open(ROOT, ino, super::model::kernel::How::Read.flags());
    assert!(matches!(opened, Err(Error::Stale)));
    let linked = tree.link(ROOT, ino, kernel.row(ROOT, "1").expect("a row"), OsStr::new("note"));
    assert!(matches!(linked, Err(Error::Stale)));
}

#[test]
fn another_user_puts_nothing_back() {
    let instance = instance(Backing::Memory);
    let kernel = Kernel(instance.tree());
    detach(kernel, 1);
    let lost = kernel.trash().remove(0);
    let row = kernel.row(ROOT, "1").expect("a row");
    let (from, to) = (
        NameIn { parent: lost.day, name: OsStr::new(&lost.name) },
        NameIn { parent: row, name: OsStr::new("doc") },
    );
    let moved = instance.tree().rename(process(2), from, to, RenameMode::Replace);
    assert!(matches!(moved, Err(Error::Denied)), "{moved:?}");
    instance.tree().rename(process(0), from, to, RenameMode::Replace).expect("its owner does");
}
