//! The laws of files in drop boxes: offered, enrolled and taken once.
//! Does not know what a box is.

use super::{ACCESS, at, laws, name, row};
use crate::catalog::{Catalog, Error};
use words::attachment::ScratchId;
use words::digest::Digest;
use words::place::Folder;
use words::scratch::{Arrival, ScratchRecord};

laws! {
    what_is_offered_is_listed_until_it_is_taken
    a_row_is_made_for_a_file_and_noted_there_or_neither
    the_largest_number_is_found_between_what_stands_around_it
}

fn scratch(catalog: &dyn Catalog, text: &str) -> ScratchRecord {
    let table = catalog.table(&name("$drop")).unwrap();
    let inbox = match catalog.row(table, &name("inbox")).unwrap() {
        Some(row) => row.id,
        None => catalog.add_row(table, &name("inbox"), ACCESS, at(1)).unwrap().id,
    };
    catalog.add_scratch(&Folder::row(inbox), &name(text), text, ACCESS, at(2)).unwrap()
}

fn what_is_offered_is_listed_until_it_is_taken(catalog: &dyn Catalog) {
    let (a, b) = (scratch(catalog, "a"), scratch(catalog, "b"));
    let offered = || {
        let found = catalog.offered(ScratchId(0), 9).unwrap();
        found.into_iter().map(|it| it.id).collect::<Vec<_>>()
    };
    assert_eq!((offered(), a.arrival), (Vec::new(), Arrival::default()));
    catalog.offer(b.id).unwrap();
    catalog.offer(a.id).unwrap();
    assert_eq!(offered(), [a.id, b.id]);
    assert_eq!(catalog.offered(a.id, 9).unwrap().len(), 1);
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

fn a_row_is_made_for_a_file_and_noted_there_or_neither(catalog: &dyn Catalog) {
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

fn the_largest_number_is_found_between_what_stands_around_it(catalog: &dyn Catalog) {
    let table = catalog.table(&name("user")).unwrap();
    let largest = |before, after| catalog.largest_number(table, (before, after)).unwrap();
    assert_eq!(largest("", ""), 0);
    for id in ["-5", "1e9", "2026-11-24"] {
        row(catalog, id);
    }
    assert_eq!(largest("", ""), 0, "no whole numbers");
    for id in
        ["9", "10", "2", "99999999999999999999", "\u{e9}-7", "\u{e9}-12", "\u{e9}-", "a3z", "a4"]
    {
        row(catalog, id);
    }
    assert_eq!(largest("", ""), 10);
    assert_eq!((largest("\u{e9}-", ""), largest("a", "z"), largest("a", "")), (12, 3, 4));
    assert_eq!((largest("b", ""), largest("2026-11-24", "")), (0, 0));
    row(catalog, "9999999999999999999");
    assert_eq!(largest("", ""), u64::MAX >> 1, "no more than SQL counts to");
}
