//! The laws of a catalogue, a file for each noun: one suite that every engine runs.

mod attachments;
mod blobs;
mod collections;
mod fixed;
mod quotas;
mod random;
mod rows;
mod scratch;
mod slots;
mod stores;
mod summary;
mod trash;
mod variants;

use std::path::Path;

use crate::catalog::Catalog;
use crate::catalog::blobs::Reservation;
use crate::catalog::slots::{Destination, Publication};
use crate::catalog::sql::SqlCatalog;
use crate::catalog::sqlite::Sqlite;
use words::access::Fixed;
use words::attachment::{
    Access, Attachment, AttachmentId, BlobKey, Content, Original, RowId, StoreId, TableId, Times,
};
use words::digest::Digest;
use words::dimensions::Dimensions;
use words::link::Collision;
use words::media_type::MediaType;
use words::place::Place;
use words::quota::{Account, Usage};
use words::slot::Name;
use words::timestamp::Timestamp;

/// Makes each law a test for each engine.
macro_rules! laws {
    ($($law:ident)*) => {
        mod memory {
            $(#[test]
            fn $law() {
                super::$law(&crate::catalog::memory::Memory::new());
            })*
        }
        mod sqlite {
            $(#[test]
            fn $law() {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let path = folder.path().join("catalog.sqlite");
                super::$law(&super::super::open(&path));
            })*
        }
    };
}
use laws;

pub(super) const ACCESS: Access = Access { uid: 1000, gid: 100, mode: 0o644 };
pub(super) const FOREVER: Timestamp = Timestamp(i64::MAX);

/// A catalogue in a file.
pub(super) fn open(path: &Path) -> SqlCatalog {
    SqlCatalog::new(Sqlite::open(path).expect("a catalogue"))
}

pub(super) fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

pub(super) fn at(time: i64) -> Timestamp {
    Timestamp(time)
}

pub(super) fn picture(length: u64) -> Content {
    let dimensions = Some(Dimensions::new(640, 480));
    Content { media_type: MediaType::from_static("image/jpeg"), length, dimensions }
}

/// Adds a row to the table `user`.
pub(super) fn row(catalog: &dyn Catalog, id: &str) -> RowId {
    let table = catalog.table(&name("user")).expect("a table");
    catalog.add_row(table, &name(id), ACCESS, at(1)).expect("a row").id
}

pub(super) fn place(row: RowId, field: &str) -> Place {
    Place::one(row, name(field))
}

pub(super) fn item(row: RowId, field: &str, item: &str) -> Place {
    Place { item: Some(name(item)), ..place(row, field) }
}

pub(super) fn destination<'a>(
    place: &'a Place,
    written: &'a Name,
    collision: Collision,
) -> Destination<'a> {
    Destination { place, written, collision }
}

pub(super) fn reserve(catalog: &dyn Catalog, bytes: &str, now: i64) -> BlobKey {
    catalog
        .reserve(StoreId::default(), Digest::of(bytes.as_bytes()), at(now))
        .expect("a reservation")
        .key()
}

pub(super) fn publication(place: &Place, blob: BlobKey, now: i64) -> Publication {
    Publication {
        place: place.clone(),
        written: place.field.clone(),
        blob,
        content: picture(100),
        access: ACCESS,
        times: Times::all(at(now)),
        original_filename: place.field.to_string(),
        source: None,
        original: None,
        attributes: Vec::new(),
        now: at(now),
    }
}

/// Reserves and publishes some bytes.
pub(super) fn publish(catalog: &dyn Catalog, place: &Place, bytes: &str, now: i64) -> Attachment {
    let blob = reserve(catalog, bytes, now);
    catalog.publish(&publication(place, blob, now)).expect("published").attachment
}

/// Links an attachment at another slot as well, which is free and is written as its field is named.
pub(super) fn share(catalog: &dyn Catalog, id: AttachmentId, place: &Place, now: i64) {
    let to = destination(place, &place.field, Collision::Refuse);
    let displaced = catalog.share(id, to, Fixed::default(), at(now)).expect("shared");
    assert_eq!(displaced, None);
}

/// The usage of each account that is charged for anything: of the first tables, and of the users in these tests.
pub(super) fn usages(catalog: &dyn Catalog) -> Vec<(Account, Usage)> {
    let users = [0, 1, 2, ACCESS.uid].map(Account::Uid);
    let accounts = (0..9).map(TableId).map(Account::Table).chain(users);
    let usages = accounts.map(|account| (account, catalog.usage(account).expect("a usage")));
    usages.filter(|(_, usage)| *usage != Usage::default()).collect()
}

fn is_new(reservation: Reservation) -> Option<BlobKey> {
    match reservation {
        Reservation::New(key) => Some(key),
        Reservation::Stored(_) => None,
    }
}

/// Publishes some bytes, and others as their original.
fn publish_with_original(
    catalog: &dyn Catalog,
    place: &Place,
    bytes: &str,
    original: &str,
) -> Attachment {
    let mut made = publication(place, reserve(catalog, bytes, 5), 5);
    made.original = Some(Original { blob: reserve(catalog, original, 5), content: picture(7) });
    catalog.publish(&made).unwrap().attachment
}

/// Dooms and forgets everything that nothing uses. Returns the number of blobs.
fn sweep(catalog: &dyn Catalog) -> usize {
    let doomed = catalog.doom(FOREVER, FOREVER, 99).unwrap().blobs;
    catalog.forget(&doomed).unwrap();
    doomed.len()
}
