//! What statements cost, as laws: whatever programs do often walks no table and sorts nothing, however much there is.
//! Does not measure time.

use std::cell::Cell;

use rusqlite::{Statement, StatementStatus};

use super::Sqlite;
use crate::catalog::Catalog;
use crate::catalog::contract::{ACCESS, at, item, name, place, publication, publish, reserve};
use words::access::Terms;
use words::link::Collision;
use words::place::Folder;
use words::quota::{Account, Limits, Quota};

/// What the statements of a thread have cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Cost {
    /// Rows of whole tables.
    walked: i32,
    sorted: i32,
    /// Statements that were there, and compiled again.
    compiled: i32,
}

thread_local! {
    static COST: Cell<Cost> = const { Cell::new(Cost { walked: 0, sorted: 0, compiled: 0 }) };
}

pub(super) fn note(statement: &Statement) {
    let Cost { walked, sorted, compiled } = COST.get();
    let more = |status| statement.reset_status(status);
    COST.set(Cost {
        walked: walked + more(StatementStatus::FullscanStep),
        sorted: sorted + more(StatementStatus::Sort),
        compiled: compiled + more(StatementStatus::RePrepare),
    });
}

/// Checks that this walks nothing, sorts nothing and compiles nothing again.
fn cheap<T>(what: &str, work: impl FnOnce() -> T) -> T {
    COST.take();
    let answer = work();
    assert_eq!(COST.get(), Cost::default(), "{what}");
    answer
}

#[test]
fn what_programs_do_often_walks_no_table_however_much_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Sqlite::open(&folder.path().join("catalog.sqlite")).unwrap();
    let user = catalog.table(&name("user")).unwrap();
    let quota = Quota { files: Some(1_000_000), ..Quota::default() };
    catalog.limit(Limits { uid: quota, ..Limits::default() });
    let rows: Vec<_> = (0..40)
        .map(|n| catalog.add_row(user, &name(&n.to_string()), ACCESS, at(1)).unwrap().id)
        .collect();
    for row in &rows {
        for field in ["avatar", "cover"] {
            publish(&catalog, &place(*row, field), &format!("{row:?}{field}"), 2);
        }
    }
    let row = rows[7];
    let avatar = place(row, "avatar");
    let link = cheap("find", || catalog.find(&avatar)).unwrap().unwrap();
    let id = link.attachment.id;
    cheap("row", || catalog.row(user, &name("7"))).unwrap().unwrap();
    cheap("row by number", || catalog.row_by_id(row)).unwrap().unwrap();
    assert_eq!(cheap("a page of rows", || catalog.rows(user, row, 9)).unwrap().len(), 9);
    cheap("attachment", || catalog.attachment(id)).unwrap().unwrap();
    assert_eq!(cheap("places", || catalog.places(id)).unwrap(), std::slice::from_ref(&avatar));
    cheap("attributes", || catalog.attributes(id)).unwrap();
    cheap("scratch", || catalog.scratch(&Folder::row(row), &name(".x"))).unwrap();
    cheap("usage", || catalog.usage(Account::Table(user))).unwrap();
    cheap("items", || catalog.count_items(row, &name("photos"))).unwrap();
    cheap("stores", || catalog.lengths(&[link.attachment.blob])).unwrap();

    let new = cheap("reserve", || reserve(&catalog, "new", 3));
    cheap("publish", || catalog.publish(&publication(&avatar, new, 3))).unwrap();
    let photo = item(row, "photos", "1.jpg");
    let new = reserve(&catalog, "photo", 3);
    cheap("publish an item", || catalog.publish(&publication(&photo, new, 3))).unwrap();
    let known = reserve(&catalog, "new", 4);
    cheap("publish the same", || catalog.publish(&publication(&avatar, known, 4))).unwrap();
    let to = place(rows[8], "cover");
    cheap("move", || {
        catalog.move_link(&avatar, &to, &to.field, (Collision::Replace, Terms::default()), at(5))
    })
    .unwrap();
    cheap("unlink", || catalog.unlink(&to, at(6))).unwrap().unwrap();
    cheap("sweep", || catalog.doom(at(9), at(9), 9)).unwrap();
}

/// A start asks for it, and `status.json` does.
#[test]
fn what_stores_hold_is_not_counted_but_known_and_no_total_looks_at_each_entry() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = Sqlite::open(&folder.path().join("catalog.sqlite")).unwrap();
    let user = catalog.table(&name("user")).unwrap();
    let row = catalog.add_row(user, &name("1"), ACCESS, at(1)).unwrap().id;
    for n in 0..20 {
        publish(&catalog, &place(row, &format!("f{n}")), &n.to_string(), 2);
    }
    COST.take();
    assert_eq!(catalog.stores().unwrap()[0].blobs, 20);
    assert_eq!(catalog.totals().unwrap().attachments, 20);
    assert!(COST.get().walked < 5, "{:?}", COST.get());
}
