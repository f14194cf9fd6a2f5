//! Laws of scratch files, and of those in drop boxes.

use super::{ACCESS, at, item, laws, name, row};
use crate::catalog::{Catalog, Error};
use words::attachment::ScratchId;
use words::digest::Digest;
use words::link::Collision;
use words::place::Folder;
use words::scratch::{Arrival, ScratchRecord};

laws! {
    scratch_is_added_found_and_removed
    scratch_is_renamed_across_rows
    old_scratch_is_found_in_any_row
    scratch_of_a_collection_is_not_scratch_of_its_row
    an_offered_file_waits_until_it_is_taken
    a_row_is_added_for_a_file_and_noted_there_or_neither
}

fn scratch(catalog: &dyn Catalog, text: &str) -> ScratchRecord {
    let table = catalog.table(&name("$drop")).unwrap();
    let inbox = match catalog.row(table, &name("inbox")).unwrap() {
        Some(row) => row.id,
        None => catalog.add_row(table, &name("inbox"), ACCESS, at(1)).unwrap().id,
    };
    catalog.add_scratch(&Folder::row(inbox), &name(text), text, ACCESS, at(2)).unwrap()
}

fn scratch_is_added_found_and_removed(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let added =
        catalog.add_scratch(&Folder::row(user), &name(".x.swp"), "s1", ACCESS, at(3)).unwrap();
    assert_eq!((added.folder.row, added.file.as_str(), added.created), (user, "s1", at(3)));
    assert_eq!(catalog.scratch(&Folder::row(user), &name(".x.swp")).unwrap(), Some(added.clone()));
    assert_eq!(catalog.scratch_by_id(added.id).unwrap(), Some(added.clone()));
    let taken = catalog.add_scratch(&Folder::row(user), &name(".x.swp"), "s2", ACCESS, at(3));
    assert!(matches!(taken, Err(Error::Taken)), "{taken:?}");
    let second = catalog.add_scratch(&Folder::row(user), &name(".a"), "s2", ACCESS, at(4)).unwrap();
    assert_eq!(catalog.scratches(&Folder::row(user)).unwrap(), [added.clone(), second.clone()]);
    assert_eq!(catalog.remove_scratch(added.id, at(5)).unwrap(), Some(added));
    assert_eq!(catalog.scratches(&Folder::row(user)).unwrap(), [second]);
}

fn scratch_is_renamed_across_rows(catalog: &dyn Catalog) {
    let (one, two) = (row(catalog, "1"), row(catalog, "2"));
    let a = catalog.add_scratch(&Folder::row(one), &name("a"), "s1", ACCESS, at(3)).unwrap();
    let b = catalog.add_scratch(&Folder::row(two), &name("b"), "s2", ACCESS, at(3)).unwrap();
    let go = |id, row, to: &str, how| {
        catalog.rename_scratch(id, &Folder::row(row), &name(to), how, at(4))
    };
    assert_eq!(go(a.id, one, "a", Collision::Refuse).unwrap(), None);
    assert!(matches!(go(a.id, two, "b", Collision::Refuse), Err(Error::Taken)));
    assert!(matches!(go(a.id, two, "c", Collision::Exchange), Err(Error::Missing)));
    assert_eq!(go(a.id, two, "b", Collision::Exchange).unwrap(), Some(b.clone()));
    assert_eq!(catalog.scratch(&Folder::row(two), &name("b")).unwrap().unwrap().id, a.id);
    assert_eq!(catalog.scratch(&Folder::row(one), &name("a")).unwrap().unwrap().id, b.id);
    let lost = go(a.id, one, "a", Collision::Replace).unwrap().unwrap();
    assert_eq!((lost.id, lost.folder.row), (b.id, one));
    assert_eq!(catalog.scratch_by_id(b.id).unwrap(), None);
    assert_eq!(catalog.scratches(&Folder::row(two)).unwrap(), []);
}

fn old_scratch_is_found_in_any_row(catalog: &dyn Catalog) {
    let (one, two) = (row(catalog, "1"), row(catalog, "2"));
    let a = catalog.add_scratch(&Folder::row(one), &name("a"), "s1", ACCESS, at(3)).unwrap();
    let b = catalog.add_scratch(&Folder::row(two), &name("b"), "s2", ACCESS, at(4)).unwrap();
    catalog.add_scratch(&Folder::row(two), &name("c"), "s3", ACCESS, at(5)).unwrap();
    assert_eq!(catalog.scratch_before(at(5)).unwrap(), [a, b]);
}

fn scratch_of_a_collection_is_not_scratch_of_its_row(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (outer, inner) = (Folder::row(user), item(user, "photos", "x").folder());
    let x = name(".x");
    let one = catalog.add_scratch(&outer, &x, "s1", ACCESS, at(2)).unwrap();
    let two = catalog.add_scratch(&inner, &x, "s2", ACCESS, at(2)).unwrap();
    assert_eq!(catalog.scratch(&inner, &x).unwrap(), Some(two.clone()));
    assert_eq!(catalog.scratches(&outer).unwrap(), std::slice::from_ref(&one));
    let taken = catalog.rename_scratch(two.id, &outer, &x, Collision::Refuse, at(3));
    assert!(matches!(taken, Err(Error::Taken)));
    catalog.rename_scratch(two.id, &outer, &name(".y"), Collision::Refuse, at(3)).unwrap();
    assert_eq!(catalog.scratches(&inner).unwrap(), []);
    catalog.rename_scratch(one.id, &inner, &x, Collision::Refuse, at(3)).unwrap();
    assert_eq!(
        catalog.remove_row(user).unwrap().len(),
        2,
        "that of its collections goes with a row"
    );
}

fn an_offered_file_waits_until_it_is_taken(catalog: &dyn Catalog) {
    let (a, b) = (scratch(catalog, "a"), scratch(catalog, "b"));
    let offered = || {
        let found = catalog.scratches(&a.folder).unwrap();
        found.into_iter().filter(|it| it.arrival.waiting).map(|it| it.id).collect::<Vec<_>>()
    };
    assert_eq!((offered(), a.arrival), (Vec::new(), Arrival::default()));
    catalog.offer(b.id).unwrap();
    catalog.offer(a.id).unwrap();
    assert_eq!(offered(), [a.id, b.id]);
    let bytes = Digest::of(b"a");
    catalog.take(a.id, bytes).unwrap();
    assert_eq!(offered(), [b.id]);
    let found = catalog.scratch_by_id(a.id).unwrap().unwrap();
    assert_eq!(found.arrival, Arrival { taken: Some(bytes), ..Arrival::default() });
    catalog.offer(a.id).unwrap();
    assert_eq!(catalog.scratch_by_id(a.id).unwrap().unwrap().arrival.taken, Some(bytes));
    assert!(matches!(catalog.offer(ScratchId(99)), Err(Error::Missing)));
    assert!(matches!(catalog.take(ScratchId(99), bytes), Err(Error::Missing)));
}

fn a_row_is_added_for_a_file_and_noted_there_or_neither(catalog: &dyn Catalog) {
    let file = scratch(catalog, "a");
    row(catalog, "1");
    let table = catalog.table(&name("user")).unwrap();
    let enrol = |id, text| catalog.enrol(id, table, &name(text), ACCESS, at(3));
    assert!(matches!(enrol(file.id, "1"), Err(Error::Taken)));
    assert!(matches!(enrol(ScratchId(99), "2"), Err(Error::Missing)));
    assert_eq!(catalog.row(table, &name("2")).unwrap(), None);
    let made = enrol(file.id, "2").unwrap();
    assert_eq!(catalog.row(table, &name("2")).unwrap(), Some(made.clone()));
    let noted = catalog.scratch_by_id(file.id).unwrap().unwrap().arrival;
    assert_eq!((noted.becomes, noted.taken), (Some(made.id), None));
}
