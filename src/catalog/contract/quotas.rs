//! Laws of what accounts are charged, and of quotas.

use std::collections::BTreeMap;

use super::{
    ACCESS, at, destination, item, laws, name, picture, place, publication, publish, reserve, row,
    share, usages,
};
use crate::catalog::slots::Publication;
use crate::catalog::{Catalog, Error};
use words::access::{Fixed, Terms};
use words::attachment::{Amendment, Original, RowId, TableId};
use words::link::Collision;
use words::quota::{Account, Excess, Limits, Measure, Quota, Usage};

laws! {
    each_link_is_charged_to_its_table_and_to_its_owner
    a_removed_link_is_charged_no_more
    an_original_is_charged_too
    replacing_a_file_is_charged_the_difference
    chown_moves_the_charge
    a_move_to_another_table_moves_the_charge
    nothing_is_published_above_a_quota_and_nothing_changes
    nothing_is_shared_or_moved_above_a_quota
    an_unlink_is_undone_whatever_the_quotas_say
    of_two_writers_at_the_limit_at_most_one_passes
    a_lowered_quota_stops_only_growth
}

const OWNER: Account = Account::Uid(ACCESS.uid);

fn user(catalog: &dyn Catalog) -> TableId {
    catalog.table(&name("user")).unwrap()
}

fn used(catalog: &dyn Catalog, account: Account) -> (u64, u64) {
    let Usage { files, bytes } = catalog.usage(account).unwrap();
    (files, bytes)
}

fn both(catalog: &dyn Catalog) -> [(u64, u64); 2] {
    [used(catalog, Account::Table(user(catalog))), used(catalog, OWNER)]
}

fn limits(catalog: &dyn Catalog, table: Quota, uid: Quota) -> Limits {
    let tables = BTreeMap::from([(user(catalog), table)]);
    Limits { tables, uid, uids: BTreeMap::new() }
}

fn files(files: u64) -> Quota {
    Quota { files: Some(files), ..Quota::default() }
}

fn bytes(bytes: u64) -> Quota {
    Quota { bytes: Some(bytes), ..Quota::default() }
}

/// A publication of bytes that are said to have this length.
fn sized(catalog: &dyn Catalog, row: RowId, field: &str, text: &str, length: u64) -> Publication {
    let key = reserve(catalog, text, 2);
    Publication { content: picture(length), ..publication(&place(row, field), key, 2) }
}

fn excess<T: std::fmt::Debug>(answer: Result<T, Error>) -> Excess {
    match answer {
        Err(Error::Quota(excess)) => excess,
        other => unreachable!("{other:?}"),
    }
}

fn each_link_is_charged_to_its_table_and_to_its_owner(catalog: &dyn Catalog) {
    let one = row(catalog, "1");
    let id = publish(catalog, &place(one, "avatar"), "a", 2).id;
    publish(catalog, &item(one, "photos", "b.jpg"), "a", 2);
    assert_eq!(both(catalog), [(2, 200), (2, 200)]);
    share(catalog, id, &place(one, "cover"), 3);
    assert_eq!(both(catalog), [(3, 300), (3, 300)]);
    let wanted = Usage { files: 3, bytes: 300 };
    let all = [(Account::Table(user(catalog)), wanted), (OWNER, wanted)];
    assert_eq!(usages(catalog), all);
}

fn a_removed_link_is_charged_no_more(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    publish(catalog, &avatar, "a", 2);
    catalog.unlink(&avatar, at(3)).unwrap();
    assert_eq!(both(catalog), [(0, 0), (0, 0)]);
    assert_eq!(usages(catalog), []);
}

fn an_original_is_charged_too(catalog: &dyn Catalog) {
    let one = row(catalog, "1");
    let mut made = sized(catalog, one, "avatar", "a", 10);
    made.original = Some(Original { blob: reserve(catalog, "sent", 2), content: picture(70) });
    catalog.publish(&made).unwrap();
    assert_eq!(both(catalog), [(1, 80), (1, 80)]);
    catalog.publish(&Publication { original: None, ..made }).unwrap();
    assert_eq!(both(catalog), [(1, 10), (1, 10)]);
}

fn replacing_a_file_is_charged_the_difference(catalog: &dyn Catalog) {
    let one = row(catalog, "1");
    catalog.publish(&sized(catalog, one, "avatar", "a", 60)).unwrap();
    catalog.limit(limits(catalog, bytes(100), files(1)));
    catalog.publish(&sized(catalog, one, "avatar", "b", 100)).unwrap();
    assert_eq!(both(catalog), [(1, 100), (1, 100)]);
}

fn chown_moves_the_charge(catalog: &dyn Catalog) {
    let one = row(catalog, "1");
    let id = publish(catalog, &place(one, "avatar"), "a", 2).id;
    share(catalog, id, &place(one, "cover"), 3);
    catalog.limit(limits(catalog, Quota::default(), files(1)));
    let to = |uid| Amendment { uid: Some(uid), ..Amendment::default() };
    catalog.amend(id, to(7), at(3)).unwrap();
    assert_eq!(used(catalog, Account::Uid(7)), (2, 200), "also above the new owner's quota");
    assert_eq!(both(catalog), [(2, 200), (0, 0)]);
}

fn a_move_to_another_table_moves_the_charge(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    publish(catalog, &avatar, "a", 2);
    let page = catalog.table(&name("page")).unwrap();
    let there = catalog.add_row(page, &name("x"), ACCESS, at(2)).unwrap().id;
    let other = place(there, "cover");
    catalog
        .move_link(
            &avatar,
            destination(&other, &name("cover"), Collision::Refuse),
            Terms::default(),
            at(3),
        )
        .unwrap();
    assert_eq!(both(catalog), [(0, 0), (1, 100)]);
    assert_eq!(used(catalog, Account::Table(page)), (1, 100));
}

fn nothing_is_published_above_a_quota_and_nothing_changes(catalog: &dyn Catalog) {
    let one = row(catalog, "1");
    catalog.limit(limits(catalog, files(1), bytes(100)));
    catalog.publish(&sized(catalog, one, "avatar", "a", 60)).unwrap();
    let before = (catalog.links(one).unwrap(), catalog.row_by_id(one).unwrap());
    let refused = excess(catalog.publish(&sized(catalog, one, "cover", "b", 1)));
    assert_eq!((refused.measure, refused.used, refused.wanted), (Measure::Files, 1, 2));
    let refused = excess(catalog.publish(&sized(catalog, one, "avatar", "b", 101)));
    assert_eq!((refused.account, refused.measure), (OWNER, Measure::Bytes));
    assert_eq!((refused.used, refused.wanted, refused.allowed), (60, 101, 100));
    assert_eq!((catalog.links(one).unwrap(), catalog.row_by_id(one).unwrap()), before);
    assert_eq!(both(catalog), [(1, 60), (1, 60)]);
}

fn nothing_is_shared_or_moved_above_a_quota(catalog: &dyn Catalog) {
    let one = row(catalog, "1");
    let id = publish(catalog, &place(one, "avatar"), "a", 2).id;
    let page = catalog.table(&name("page")).unwrap();
    let there = catalog.add_row(page, &name("x"), ACCESS, at(2)).unwrap().id;
    let tables = BTreeMap::from([(page, files(0))]);
    catalog.limit(Limits { tables, uid: files(1), ..Limits::default() });
    let (cover, written) = (place(one, "cover"), name("cover"));
    let shared = catalog.share(
        id,
        destination(&cover, &written, Collision::Refuse),
        Fixed::default(),
        at(3),
    );
    assert_eq!(excess(shared).account, OWNER);
    let other = place(there, "cover");
    let moved = catalog.move_link(
        &place(one, "avatar"),
        destination(&other, &written, Collision::Refuse),
        Terms::default(),
        at(3),
    );
    assert_eq!(excess(moved).account, Account::Table(page));
    assert!(catalog.find(&other).unwrap().is_none());
    catalog
        .move_link(
            &place(one, "avatar"),
            destination(&cover, &written, Collision::Refuse),
            Terms::default(),
            at(3),
        )
        .expect("nothing grows");
}

fn an_unlink_is_undone_whatever_the_quotas_say(catalog: &dyn Catalog) {
    let one = row(catalog, "1");
    let avatar = place(one, "avatar");
    let id = publish(catalog, &avatar, "a", 2).id;
    catalog.unlink(&avatar, at(3)).unwrap();
    catalog.limit(limits(catalog, files(0), files(0)));
    catalog.put_back(id, &avatar, &name("avatar"), at(4)).unwrap();
    assert_eq!(catalog.find(&avatar).unwrap().unwrap().attachment.id, id);
    let taken = catalog.put_back(id, &avatar, &name("avatar"), at(4));
    assert!(matches!(taken, Err(Error::Taken)), "{taken:?}");
}

fn of_two_writers_at_the_limit_at_most_one_passes(catalog: &dyn Catalog) {
    let one = row(catalog, "1");
    catalog.limit(limits(catalog, files(1), Quota::default()));
    let made = ["a", "b"].map(|field| sized(catalog, one, field, field, 1));
    let passed = std::thread::scope(|scope| {
        let write = |publication| scope.spawn(move || catalog.publish(publication).is_ok());
        let writers = made.each_ref().map(write);
        writers.map(|writer| writer.join().expect("a writer")).iter().filter(|it| **it).count()
    });
    assert_eq!(passed, 1);
    assert_eq!(catalog.links(one).unwrap().len(), 1);
}

fn a_lowered_quota_stops_only_growth(catalog: &dyn Catalog) {
    let one = row(catalog, "1");
    catalog.publish(&sized(catalog, one, "avatar", "a", 60)).unwrap();
    catalog.limit(limits(catalog, bytes(10), Quota::default()));
    catalog.publish(&sized(catalog, one, "avatar", "b", 50)).unwrap();
    excess(catalog.publish(&sized(catalog, one, "avatar", "c", 51)));
    assert_eq!(both(catalog), [(1, 50), (1, 50)]);
}
