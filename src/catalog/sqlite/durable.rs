//! The laws of a catalogue in a file, beyond those that every catalogue keeps.

use std::path::Path;

use super::Sqlite;
use crate::catalog::contract::{self, ACCESS, at, destination, name, place, publish, row};
use crate::catalog::sql::SqlCatalog;
use crate::catalog::{Catalog, Error};
use words::access::Terms;
use words::attachment::TableId;
use words::link::Collision;
use words::place::Folder;
use words::quota::{Account, Usage};

fn open(path: &Path) -> Box<dyn Catalog> {
    Box::new(contract::open(path))
}

#[test]
fn a_reopened_catalogue_answers_the_same_and_counts_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.sqlite");
    let catalog = open(&path);
    let user = row(&*catalog, "42");
    let kept = publish(&*catalog, &place(user, "avatar"), "a", 2);
    let lost = publish(&*catalog, &place(user, "cover"), "b", 2);
    let scratch = catalog.add_scratch(&Folder::row(user), &name(".x"), "s", ACCESS, at(3)).unwrap();
    catalog.remove_scratch(scratch.id, at(3)).unwrap();
    let empty = row(&*catalog, "43");
    catalog.remove_row(empty).unwrap();
    catalog.unlink(&place(user, "cover"), at(4)).unwrap();
    catalog.doom(at(4), at(4), 9).unwrap();
    catalog.forget(&[lost.blob]).unwrap();
    drop(catalog);

    let catalog = open(&path);
    assert_eq!(catalog.links(user).unwrap()[0].attachment, kept);
    assert!(row(&*catalog, "43") > empty);
    let again = publish(&*catalog, &place(user, "cover"), "b", 5);
    assert!(again.id > lost.id && again.blob.generation > lost.blob.generation);
    let renewed = catalog.add_scratch(&Folder::row(user), &name(".x"), "s", ACCESS, at(6)).unwrap();
    assert!(renewed.id > scratch.id);
}

#[test]
fn a_catalogue_of_a_newer_schema_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.sqlite");
    drop(open(&path));
    let newer = rusqlite::Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 7).unwrap();
    drop(newer);
    let refused = Sqlite::open(&path).err().unwrap();
    assert!(matches!(&refused, Error::Newer { found: 7, .. }), "{refused:?}");
    assert!(refused.to_string().contains("catalog.sqlite"), "{refused}");
}

#[test]
fn a_catalogue_of_the_first_schema_is_migrated_with_all_that_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.sqlite");
    let first = rusqlite::Connection::open(&path).unwrap();
    first.execute_batch(include_str!("schema/001.sql")).unwrap();
    let digest = words::digest::Digest::of(b"a");
    first
        .execute(
            "INSERT INTO blobs VALUES (5, ?, 1, 0, 0, 1, 'image/png', 9, 3, 3)",
            [digest.as_bytes()],
        )
        .unwrap();
    first
        .execute_batch(
            "INSERT INTO tables VALUES (1, 'user'); INSERT INTO rows VALUES (3, 1, '42', 0, 0, 493, 1, 1, 1); \
             INSERT INTO attachments VALUES (7, 5, 0, 0, 420, 1, 1, 1, 1, 1, 'me.png', 1, NULL); \
             INSERT INTO links VALUES (3, 'avatar', 'avatar.png', 7); \
             INSERT INTO scratch VALUES (9, 3, '.x', 's', 0, 0, 384, 1); DELETE FROM scratch; \
             INSERT INTO scratch VALUES (8, 3, '.x', 's', 0, 0, 384, 1); PRAGMA user_version = 1;",
        )
        .unwrap();
    drop(first);
    let catalog = open(&path);
    let user = words::attachment::RowId(3);
    let link = catalog.find(&place(user, "avatar")).unwrap().unwrap();
    assert_eq!((link.written, link.attachment.original), (name("avatar.png"), None));
    let charged = Usage { files: 1, bytes: 9 };
    let (table, root) = (Account::Table(TableId(1)), Account::Uid(0));
    assert_eq!(contract::usages(&*catalog), [(table, charged), (root, charged)]);
    let scratch = catalog.scratch(&Folder::row(user), &name(".x")).unwrap().unwrap();
    let next = catalog.add_scratch(&Folder::row(user), &name(".y"), "t", ACCESS, at(2)).unwrap();
    assert_eq!((scratch.id.0, next.id.0), (8, 10), "no number is given out twice");
}

#[test]
fn a_file_that_is_no_catalogue_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.sqlite");
    std::fs::write(&path, "x".repeat(4096)).unwrap();
    assert!(matches!(Sqlite::open(&path), Err(Error::Engine(_))));
    assert!(matches!(Sqlite::open(&folder.path().join("no/such")), Err(Error::Engine(_))));
}

#[test]
fn a_damaged_value_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.sqlite");
    let catalog = open(&path);
    let avatar = place(row(&*catalog, "42"), "avatar");
    publish(&*catalog, &avatar, "a", 2);
    let damage = rusqlite::Connection::open(&path).unwrap();
    damage.execute("UPDATE blobs SET media_type = 'nonsense'", []).unwrap();
    assert!(matches!(catalog.find(&avatar), Err(Error::Corrupt(_))));
}

#[test]
fn a_full_disk_is_an_error_and_leaves_nothing_half_done() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.sqlite");
    let engine = Sqlite::open(&path).unwrap();
    engine.writer.exclusive().db.0.pragma_update(None, "max_page_count", 40).unwrap();
    let catalog: &dyn Catalog = &SqlCatalog::new(engine);
    let user = row(catalog, "42");
    let kept = publish(catalog, &place(user, "avatar"), "a", 2);
    let mut added = 0;
    let full = loop {
        match catalog.add_scratch(
            &Folder::row(user),
            &name(&format!("{added:0>200}")),
            "s",
            ACCESS,
            at(3),
        ) {
            Ok(_) => added += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, Error::Full), "{full:?}");
    assert_eq!(catalog.scratches(&Folder::row(user)).unwrap().len(), added);
    assert_eq!(catalog.find(&place(user, "avatar")).unwrap().unwrap().attachment, kept);
    for scratch in catalog.scratches(&Folder::row(user)).unwrap() {
        catalog.remove_scratch(scratch.id, at(4)).unwrap();
    }
    assert_eq!(catalog.totals().unwrap().scratch, 0);
}

#[test]
fn a_failed_change_leaves_no_part_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let catalog = open(&folder.path().join("catalog.sqlite"));
    let (one, two) = (row(&*catalog, "1"), row(&*catalog, "2"));
    publish(&*catalog, &place(one, "avatar"), "a", 2);
    publish(&*catalog, &place(two, "avatar"), "b", 2);
    let before = (catalog.row_by_id(one).unwrap(), catalog.links(one).unwrap());
    let (from, to) = (place(one, "avatar"), place(two, "avatar"));
    let (written, refuse) = (name("x"), Collision::Refuse);
    let taken =
        catalog.move_link(&from, destination(&to, &written, refuse), Terms::default(), at(9));
    assert!(matches!(taken, Err(Error::Taken)));
    assert_eq!((catalog.row_by_id(one).unwrap(), catalog.links(one).unwrap()), before);
}

/// 2 is FULL (sqlite.org, `pragma.html`). With 1 a power cut takes commits that were acknowledged since the last checkpoint.
#[test]
fn each_commit_and_each_checkpoint_waits_for_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.sqlite");
    let engine = Sqlite::open(&path).unwrap();
    let synchronous = |db: &rusqlite::Connection| {
        db.pragma_query_value(None, "synchronous", |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(synchronous(&engine.writer.exclusive().db.0), 2);
    assert_eq!(synchronous(&rusqlite::Connection::open(&path).unwrap()), 2, "for checkpoints");
}

#[test]
fn a_read_does_not_wait_for_a_writer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("catalog.sqlite");
    let catalog = open(&path);
    let avatar = place(row(&*catalog, "1"), "avatar");
    publish(&*catalog, &avatar, "a", 2);
    let mut other = rusqlite::Connection::open(&path).unwrap();
    let writing =
        other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    writing.execute("UPDATE attachments SET version = 99", []).unwrap();
    assert_eq!(catalog.find(&avatar).unwrap().unwrap().attachment.version, 1);
    writing.commit().unwrap();
    assert_eq!(catalog.find(&avatar).unwrap().unwrap().attachment.version, 99);
}
