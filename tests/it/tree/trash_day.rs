//! A day of the trash: its names, its pages, its cost in queries, and a race with the sweep. `mount/trash` has the tests on a mount.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::sync::Arc;
use std::thread;

use mediafs::blob;
use mediafs::catalog::memory::Memory;
use mediafs::library::keep::sweeper::Patience;
use mediafs::tree::Error;
use mediafs::tree::request::{NameIn, RenameMode};

use super::instance::{Backing, Instance};
use super::lost::{Lost, ROOT};
use super::simulated_kernel::{How, Kernel, Refusal, process};
use super::{DOC, NOTE};

/// A library with a row, and its catalogue, which counts queries.
fn counted() -> (Instance, Arc<Memory>) {
    let catalog = Arc::new(Memory::new());
    let instance = Instance::of(Arc::clone(&catalog) as _, Arc::new(blob::memory::Memory::new()));
    instance.kernel().mkdir(process(0), "1").expect("a row");
    (instance, catalog)
}

/// Writes and removes this many files of one slot, with different bytes.
fn detach(kernel: Kernel<'_>, count: usize) {
    for number in 0..count {
        let bytes = format!("document {number}");
        kernel.send(process(0), DOC, bytes.as_bytes()).expect("taken");
        kernel.unlink(process(0), DOC).expect("removed");
    }
}

#[test]
fn a_large_day_lists_each_file_once_under_a_name_that_leads_to_it() {
    for backing in [Backing::Disk, Backing::Memory] {
        let instance = Instance::with_row(backing);
        let kernel = instance.kernel();
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
fn reading_a_day_goes_on_behind_the_last_page_after_a_file_was_restored() {
    let instance = Instance::with_row(Backing::Disk);
    let kernel = instance.kernel();
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
    let (instance, catalog) = counted();
    let kernel = instance.kernel();
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
    assert!(calls <= 5, "{calls} queries for a missing name");
}

#[test]
fn a_listing_of_a_day_has_the_attributes_that_stat_shows() {
    let (instance, catalog) = counted();
    let kernel = instance.kernel();
    detach(kernel, 40);
    let (day, tree) = (kernel.trash()[0].day, instance.tree());
    let page = tree.readdir(day, 0).expect("a page");
    let shown = |ino| tree.getattr(ROOT, ino, None).expect("there").attr;
    catalog.take_calls();
    let listed = page
        .entries()
        .iter()
        .map(|it| tree.entry_listed(ROOT, it, &page).expect("attributes").attr);
    let listed: Vec<_> = listed.skip(2).collect();
    assert_eq!(catalog.take_calls().values().sum::<usize>(), 0);
    let asked: Vec<_> = listed.iter().map(|attr| shown(attr.ino)).collect();
    assert_eq!((listed.len(), listed), (40, asked));
}

#[test]
fn the_first_file_of_a_slot_is_found_by_its_numbered_name_too() {
    let instance = Instance::with_row(Backing::Disk);
    let kernel = instance.kernel();
    detach(kernel, 2);
    let lost = kernel.trash();
    kernel.restore(&lost[0], NOTE).expect("restored");
    let left = kernel.trash();
    assert_eq!(left[0].name, "user-1-doc.txt", "the next file has the plain name");
    assert_eq!(kernel.read_lost(left[0].day, &lost[1].name), Ok(b"document 1".to_vec()));
}

#[test]
fn a_file_that_is_restored_during_its_sweep_is_whole_or_enoent() {
    let instance = Instance::with_row(Backing::Disk);
    let kernel = instance.kernel();
    for round in 0..20 {
        detach(kernel, 1);
        let lost = kernel.trash().remove(0);
        let restored = thread::scope(|scope| {
            let sweep = scope.spawn(|| instance.library().sweeper.sweep(Patience::None));
            let restored = instance.kernel().restore(&lost, NOTE);
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
fn the_trash_inode_of_a_restored_file_is_stale() {
    let instance = Instance::with_row(Backing::Memory);
    let kernel = instance.kernel();
    detach(kernel, 1);
    let lost = kernel.trash().remove(0);
    let ino = kernel.lookup(ROOT, lost.day, &lost.name).expect("there").attr.ino;
    kernel.restore(&lost, DOC).expect("restored");
    let tree = instance.tree();
    assert!(matches!(tree.getattr(ROOT, ino, None), Err(Error::Stale)));
    let opened = tree.open(ROOT, ino, How::Read.flags());
    assert!(matches!(opened, Err(Error::Stale)));
    let linked = tree.link(ROOT, ino, kernel.row(ROOT, "1").expect("a row"), OsStr::new("note"));
    assert!(matches!(linked, Err(Error::Stale)));
}

#[test]
fn another_user_restores_no_file() {
    let instance = Instance::with_row(Backing::Memory);
    let kernel = instance.kernel();
    detach(kernel, 1);
    let lost = kernel.trash().remove(0);
    let row = kernel.row(ROOT, "1").expect("a row");
    let from = NameIn { parent: lost.day, name: OsStr::new(&lost.name) };
    let to = NameIn { parent: row, name: OsStr::new("doc") };
    let moved = instance.tree().rename(process(2), from, to, RenameMode::Replace);
    assert!(matches!(moved, Err(Error::Denied)), "{moved:?}");
    instance
        .tree()
        .rename(process(0), from, to, RenameMode::Replace)
        .expect("restored by its owner");
}
