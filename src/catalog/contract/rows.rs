//! Laws of tables, fields and rows.

use super::{ACCESS, at, laws, name, place, publish, row};
use crate::catalog::{Catalog, Error};
use words::attachment::{RowId, StoreId, TableId};
use words::link::Collision;
use words::place::Folder;
use words::retired::Orphan;

laws! {
    a_table_has_one_number
    fields_and_stores_keep_their_numbers
    a_row_is_found_by_name_and_by_number
    a_row_of_a_taken_name_or_an_unknown_table_is_refused
    a_thousand_rows_come_in_pages
    a_removed_row_gives_up_its_scratch_and_its_number_is_not_used_again
    a_row_with_links_is_not_removed
    a_row_is_renamed_onto_a_free_or_an_empty_name_only
    rows_exchange_their_names
    the_largest_number_is_found_between_prefix_and_suffix
}

fn a_table_has_one_number(catalog: &dyn Catalog) {
    let user = catalog.table(&name("user")).unwrap();
    let post = catalog.table(&name("post")).unwrap();
    assert_ne!(user, post);
    assert_eq!(catalog.table(&name("user")).unwrap(), user);
}

fn fields_and_stores_keep_their_numbers(catalog: &dyn Catalog) {
    let (user, page) = (name("user"), name("page"));
    let (user, page) = (catalog.table(&user).unwrap(), catalog.table(&page).unwrap());
    let field = |table, text, orphan| catalog.field(table, &name(text), orphan).unwrap();
    let cover = field(user, "cover", Orphan::Delete);
    assert_ne!(field(page, "cover", Orphan::Delete), cover);
    assert_ne!(field(user, "avatar", Orphan::Delete), cover);
    assert_eq!(field(user, "cover", Orphan::Keep), cover);
    let nowhere = catalog.field(TableId(9), &name("x"), Orphan::Keep);
    assert!(matches!(nowhere, Err(Error::Missing)));
    let cold = catalog.store(&name("cold")).unwrap();
    assert_ne!(cold, StoreId::default());
    assert_eq!(catalog.store(&name("cold")).unwrap(), cold);
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

fn the_largest_number_is_found_between_prefix_and_suffix(catalog: &dyn Catalog) {
    let table = catalog.table(&name("user")).unwrap();
    let largest = |before, after| catalog.largest_number(table, before, after).unwrap();
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
