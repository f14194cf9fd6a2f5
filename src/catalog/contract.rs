//! The laws of a catalogue: one suite that every implementation runs.
//! Does not know how any of them keeps what it is told.

mod access;
mod arrivals;
mod collections;
mod originals;
mod quotas;
mod random;
mod rows;
mod slots;
mod stores;
mod sweeping;
mod variants;

use crate::catalog::{Catalog, Publication, Reservation};
use words::attachment::{Access, Attachment, BlobKey, Content, RowId, StoreId, Times};
use words::digest::Digest;
use words::dimensions::Dimensions;
use words::media_type::MediaType;
use words::place::Place;
use words::slot::Name;
use words::timestamp::Timestamp;

/// Makes each law a test of its own for each implementation.
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
                super::$law(&crate::catalog::sqlite::Sqlite::open(&path).expect("a catalogue"));
            })*
        }
    };
}
use laws;

pub(super) const ACCESS: Access = Access { uid: 1000, gid: 100, mode: 0o644 };
pub(super) const FOREVER: Timestamp = Timestamp(i64::MAX);

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

/// A row of the table `user`.
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

fn is_new(reservation: Reservation) -> Option<BlobKey> {
    match reservation {
        Reservation::New(key) => Some(key),
        Reservation::Stored(_) => None,
    }
}
