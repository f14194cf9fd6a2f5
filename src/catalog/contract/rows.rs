//! The laws of tables, rows and the scratch in them.
//! Does not know what hangs from a row, beyond whether anything does.

use super::{ACCESS, at, laws, name, place, publish, row};
use crate::catalog::{Catalog, Error};
use words::attachment::{RowId, TableId};
use words::link::Collision;
use words::place::Folder;

laws! {
    a_table_has_one_number
    a_row_is_found_by_name_and_by_number
    a_row_of_a_taken_name_or_an_unknown_table_is_refused
    a_thousand_rows_come_in_pages
    a_removed_row_gives_up_its_scratch_and_its_number_is_not_used_again
    a_row_with_links_is_not_removed
    a_row_is_renamed_onto_a_free_or_an_empty_name_only
    rows_exchange_their_names
    scratch_is_renamed_across_rows
    old_scratch_is_found_in_any_row
    scratch_is_added_found_and_removed
}

fn a_table_has_one_number(catalog: &dyn Catalog) {
    let user = catalog.table(&name("user")).unwrap();
    let post = catalog.table(&name("post")).unwrap();
    assert_ne!(user, post);
    assert_eq!(catalog.table(&name("user")).unwrap(), user);
}

fn a_row_is_found_by_name_and_by_number(catalog: &dyn Catalog) {
    let table = catalog.table(&name("user")).unwrap();
    let added = catalog.add_row(table, &name("42"), ACCESS, at(5)).unwrap();
    assert_eq!((added.access, added.times.modified), (ACCESS, at(5)));
    assert_eq!(catalog.row(table, &name("42")).unwrap(), Some(added.clone()));
    assert_eq!(catalog.row_by_id(added.id).unwrap(), Some(added));
    assert_eq!(catalog.row(table, &name("43")).unwrap(), None);
    let other = catalog.table(&name("post")).unwrap();
    assert_eq!(catalog.row(other, &name("42")).unwrap(), None);
}

fn a_row_of_a_taken_name_or_an_unknown_table_is_refused(catalog: &dyn Catalog) {
    row(catalog, "42");
    let table = catalog.table(&name("user")).unwrap();
    let taken = catalog.add_row(table, &name("42"), ACCESS, at(1));
    assert!(matches!(taken, Err(Error::Taken)), "{taken:?}");
    let nowhere = catalog.add_row(TableId(99), &name("42"), ACCESS, at(1));
    assert!(matches!(nowhere, Err(Error::Missing)), "{nowhere:?}");
}

fn a_thousand_rows_come_in_pages(catalog: &dyn Catalog) {
    let table = catalog.table(&name("user")).unwrap();
    let other = catalog.table(&name("post")).unwrap();
    let mut added = Vec::new();
    for number in 0..1000 {
        let text = name(&number.to_string());
        added.push(catalog.add_row(table, &text, ACCESS, at(1)).unwrap().id);
        if number % 100 == 0 {
            catalog.add_row(other, &text, ACCESS, at(1)).unwrap();
        }
    }
    let (mut found, mut last) = (Vec::new(), RowId(0));
    loop {
        let page = catalog.rows(table, last, 300).unwrap();
        let Some(end) = page.last() else { break };
        assert!(page.len() <= 300);
        last = end.id;
        found.extend(page.into_iter().map(|row| row.id));
    }
    assert_eq!(found, added);
}

fn a_removed_row_gives_up_its_scratch_and_its_number_is_not_used_again(catalog: &dyn Catalog) {
    let first = row(catalog, "42");
    let scratch =
        catalog.add_scratch(&Folder::row(first), &name(".x"), "s1", ACCESS, at(2)).unwrap();
    assert_eq!(catalog.remove_row(first).unwrap(), std::slice::from_ref(&scratch));
    assert_eq!(catalog.row_by_id(first).unwrap(), None);
    assert_eq!(catalog.scratch_by_id(scratch.id).unwrap(), None);
    let second = row(catalog, "42");
    assert!(second > first, "{second:?} after {first:?}");
    let again =
        catalog.add_scratch(&Folder::row(second), &name(".x"), "s2", ACCESS, at(3)).unwrap();
    assert!(again.id > scratch.id);
}

fn a_row_with_links_is_not_removed(catalog: &dyn Catalog) {
    let user = row(catalog, "42");
    let avatar = place(user, "avatar");
    publish(catalog, &avatar, "a", 2);
    assert!(matches!(catalog.remove_row(user), Err(Error::NotEmpty)));
    catalog.unlink(&avatar, at(3)).unwrap();
    assert_eq!(catalog.remove_row(user).unwrap(), []);
}

fn a_row_is_renamed_onto_a_free_or_an_empty_name_only(catalog: &dyn Catalog) {
    let table = catalog.table(&name("user")).unwrap();
    let (moved, empty) = (row(catalog, "1"), row(catalog, "2"));
    let (full, scratched) = (row(catalog, "3"), row(catalog, "4"));
    publish(catalog, &place(full, "avatar"), "a", 2);
    catalog.add_scratch(&Folder::row(scratched), &name(".x"), "s", ACCESS, at(2)).unwrap();
    let rename = |to: &str, how| catalog.rename_row(moved, &name(to), how, at(9));
    for onto in ["3", "4"] {
        let refused = rename(onto, Collision::Replace);
        assert!(matches!(refused, Err(Error::NotEmpty)), "{onto}: {refused:?}");
    }
    assert!(matches!(rename("2", Collision::Refuse), Err(Error::Taken)));
    rename("2", Collision::Replace).unwrap();
    assert_eq!(catalog.row_by_id(empty).unwrap(), None);
    assert_eq!(catalog.row(table, &name("2")).unwrap().map(|row| row.id), Some(moved));
    rename("5", Collision::Refuse).unwrap();
    rename("5", Collision::Refuse).unwrap();
    let row = catalog.row(table, &name("5")).unwrap().unwrap();
    assert_eq!((row.id, row.times.changed, row.times.modified), (moved, at(9), at(1)));
    assert_eq!(catalog.row(table, &name("1")).unwrap(), None);
}

fn rows_exchange_their_names(catalog: &dyn Catalog) {
    let (one, two) = (row(catalog, "1"), row(catalog, "2"));
    publish(catalog, &place(two, "avatar"), "a", 2);
    catalog.rename_row(one, &name("2"), Collision::Exchange, at(3)).unwrap();
    let called = |id| catalog.row_by_id(id).unwrap().map(|row| row.name);
    assert_eq!((called(one), called(two)), (Some(name("2")), Some(name("1"))));
    let alone = catalog.rename_row(one, &name("3"), Collision::Exchange, at(3));
    assert!(matches!(alone, Err(Error::Missing)), "{alone:?}");
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
