//! The costs of statements, as laws: the frequent ones walk no table and sort nothing, however large the catalogue is.

use crate::catalog::Catalog;
use crate::catalog::contract::{
    ACCESS, at, destination, item, name, open, place, publication, publish, reserve,
};
use crate::catalog::sqlite::cost::{self, Cost};
use words::access::Terms;
use words::link::Collision;
use words::place::Folder;
use words::quota::{Account, Limits, Quota};

/// Checks that the work walks no table, sorts nothing and compiles no statement again.
fn cheap<T>(what: &str, work: impl FnOnce() -> T) -> T {
    cost::take();
    let answer = work();
    assert_eq!(Cost { steps: 0, ..cost::take() }, Cost::default(), "{what}");
    answer
}

#[test]
fn frequent_statements_walk_no_table_however_large_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let catalog: &dyn Catalog = &open(&folder.path().join("catalog.sqlite"));
    let user = catalog.table(&name("user")).unwrap();
    let quota = Quota { files: Some(1_000_000), ..Quota::default() };
    catalog.limit(Limits { uid: quota, ..Limits::default() });
    let rows: Vec<_> = (0..40)
        .map(|n| catalog.add_row(user, &name(&n.to_string()), ACCESS, at(1)).unwrap().id)
        .collect();
    for row in &rows {
        for field in ["avatar", "cover"] {
            publish(catalog, &place(*row, field), &format!("{row:?}{field}"), 2);
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

    let new = cheap("reserve", || reserve(catalog, "new", 3));
    cheap("publish", || catalog.publish(&publication(&avatar, new, 3))).unwrap();
    let photo = item(row, "photos", "1.jpg");
    let new = reserve(catalog, "photo", 3);
    cheap("publish an item", || catalog.publish(&publication(&photo, new, 3))).unwrap();
    let known = reserve(catalog, "new", 4);
    cheap("publish the same", || catalog.publish(&publication(&avatar, known, 4))).unwrap();
    let cover = place(rows[8], "cover");
    let way = destination(&cover, &cover.field, Collision::Replace);
    cheap("move", || catalog.move_link(&avatar, way, Terms::default(), at(5))).unwrap();
    cheap("unlink", || catalog.unlink(&cover, at(6))).unwrap().unwrap();
    cheap("sweep", || catalog.doom(at(9), at(9), 9)).unwrap();
}

#[test]
fn counts_cost_the_same_however_much_there_is() {
    let folder = tempfile::tempdir().unwrap();
    let catalog: &dyn Catalog = &open(&folder.path().join("catalog.sqlite"));
    let user = catalog.table(&name("user")).unwrap();
    let row = catalog.add_row(user, &name("1"), ACCESS, at(1)).unwrap().id;
    let mut costs = Vec::new();
    for n in 1..=200 {
        publish(catalog, &item(row, "photos", &n.to_string()), &n.to_string(), 2);
        if n == 2 || n == 200 {
            cost::take();
            assert_eq!(catalog.count_items(row, &name("photos")).unwrap(), n);
            assert_eq!(catalog.totals().unwrap().attachments, n);
            costs.push(cost::take());
        }
    }
    assert_eq!(costs[0], costs[1]);
    assert!(costs[0].steps > 0);
}

/// Each start asks for these figures, and so does `status.json`.
#[test]
fn the_figures_of_stores_and_the_totals_look_at_no_single_entry() {
    let folder = tempfile::tempdir().unwrap();
    let catalog: &dyn Catalog = &open(&folder.path().join("catalog.sqlite"));
    let user = catalog.table(&name("user")).unwrap();
    let row = catalog.add_row(user, &name("1"), ACCESS, at(1)).unwrap().id;
    for n in 0..20 {
        publish(catalog, &place(row, &format!("f{n}")), &n.to_string(), 2);
    }
    cost::take();
    assert_eq!(catalog.stores().unwrap()[0].blobs, 20);
    assert_eq!(catalog.totals().unwrap().attachments, 20);
    let cost = cost::take();
    assert!(cost.walked < 5, "{cost:?}");
}
