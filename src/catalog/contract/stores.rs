//! Laws of stores, and of the move of an attachment from one to another.

use super::{FOREVER, at, laws, name, picture, place, publication, publish, reserve, row, share};
use crate::catalog::blobs::StoreRecord;
use crate::catalog::slots::Rehoming;
use crate::catalog::{Catalog, Error};
use words::access::Fixed;
use words::attachment::{Attachment, BlobKey, Original, StoreId};
use words::digest::Digest;
use words::link::Collision;
use words::place::Place;
use words::variant::Variant;

laws! {
    the_blobs_and_bytes_of_each_store_are_known
    equal_bytes_in_two_stores_are_two_blobs
    an_attachment_that_moves_to_another_store_keeps_all_but_its_blob
    an_original_moves_with_its_attachment
    the_old_blobs_are_doomed_with_their_variants
    an_attachment_with_other_links_does_not_move_to_another_store
    an_attachment_never_moves_to_a_blob_of_other_bytes
    a_move_that_fails_leaves_everything_as_it_was
    a_move_onto_a_taken_slot_displaces_its_attachment
}

const COLD: StoreId = StoreId(1);

fn cold(catalog: &dyn Catalog, bytes: &str) -> BlobKey {
    catalog.reserve(COLD, Digest::of(bytes.as_bytes()), at(7)).unwrap().key()
}

fn rehoming(from: &Place, to: &Place, blob: BlobKey) -> Rehoming {
    Rehoming {
        from: from.clone(),
        to: to.clone(),
        written: to.field.clone(),
        collision: Collision::Replace,
        blob,
        original: None,
        fixed: Fixed::default(),
        now: at(8),
    }
}

fn held(catalog: &dyn Catalog, place: &Place) -> Attachment {
    catalog.find(place).unwrap().unwrap().attachment
}

fn the_blobs_and_bytes_of_each_store_are_known(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    assert_eq!(catalog.store(&name("cold")).unwrap(), COLD);
    publish(catalog, &place(user, "avatar"), "a", 2);
    let mut deed = publication(&place(user, "deed"), cold(catalog, "b"), 3);
    deed.content = picture(7);
    catalog.publish(&deed).unwrap();
    cold(catalog, "only reserved");
    let told = |records: Vec<_>| {
        let told = |it: StoreRecord| (it.id.0, it.name, it.blobs, it.bytes);
        records.into_iter().map(told).collect::<Vec<_>>()
    };
    let stores = told(catalog.stores().unwrap());
    assert_eq!(stores, [(0, None, 1, 100), (1, Some(name("cold")), 1, 7)]);
}

fn equal_bytes_in_two_stores_are_two_blobs(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let cold = catalog.store(&name("cold")).unwrap();
    let here = publish(catalog, &place(user, "avatar"), "same", 2).blob;
    let there = catalog.reserve(cold, Digest::of(b"same"), at(3)).unwrap().key();
    assert_eq!((there.store, there.digest), (cold, here.digest));
    assert_ne!(there.generation, here.generation);
    assert_eq!(reserve(catalog, "same", 4), here);
}

fn an_attachment_that_moves_to_another_store_keeps_all_but_its_blob(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (avatar, deed) = (place(user, "avatar"), place(user, "deed"));
    let made = publish(catalog, &avatar, "a", 2);
    catalog.set_attribute(made.id, "user.note", Some(b"x"), at(3)).unwrap();
    let before = held(catalog, &avatar);
    let blob = cold(catalog, "a");
    assert_eq!(catalog.rehome(&rehoming(&avatar, &deed, blob)).unwrap(), None);
    assert_eq!(catalog.find(&avatar).unwrap(), None);
    assert_eq!(held(catalog, &deed), Attachment { blob, ..before });
    assert_eq!(catalog.attributes(made.id).unwrap().len(), 1);
    assert_eq!(cold(catalog, "a"), blob, "it counts as stored");
}

fn an_original_moves_with_its_attachment(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (avatar, deed) = (place(user, "avatar"), place(user, "deed"));
    let mut made = publication(&avatar, reserve(catalog, "kept", 2), 2);
    made.original = Some(Original { blob: reserve(catalog, "sent", 2), content: picture(7) });
    catalog.publish(&made).unwrap();
    let mut way = rehoming(&avatar, &deed, cold(catalog, "kept"));
    let left = catalog.rehome(&way);
    assert!(matches!(left, Err(Error::BlobGone(_))), "{left:?}");
    way.original = Some(cold(catalog, "sent"));
    catalog.rehome(&way).unwrap();
    let original = held(catalog, &deed).original.unwrap();
    assert_eq!((original.blob.store, original.content), (COLD, picture(7)));
    assert_eq!(catalog.doom(FOREVER, FOREVER, 9).unwrap().blobs.len(), 2);
}

fn the_old_blobs_are_doomed_with_their_variants(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (avatar, deed) = (place(user, "avatar"), place(user, "deed"));
    let old = publish(catalog, &avatar, "a", 2).blob;
    let small = reserve(catalog, "small", 3);
    let variant = Variant::parse("w64.jpg").unwrap();
    catalog.add_variant(old, variant, small, &picture(5)).unwrap();
    let blob = cold(catalog, "a");
    catalog.rehome(&rehoming(&avatar, &deed, blob)).unwrap();
    assert_eq!(catalog.variants(blob).unwrap(), [], "they are made again there");
    assert_eq!(catalog.doom(FOREVER, FOREVER, 9).unwrap().blobs, [old, small]);
}

fn an_attachment_with_other_links_does_not_move_to_another_store(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (avatar, deed) = (place(user, "avatar"), place(user, "deed"));
    let made = publish(catalog, &avatar, "a", 2);
    let second = place(user, "cover");
    share(catalog, made.id, &second, 3);
    let answer = catalog.rehome(&rehoming(&avatar, &deed, cold(catalog, "a")));
    assert!(matches!(answer, Err(Error::Shared)), "{answer:?}");
    assert_eq!(held(catalog, &avatar).blob, made.blob);
}

fn an_attachment_never_moves_to_a_blob_of_other_bytes(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (avatar, deed) = (place(user, "avatar"), place(user, "deed"));
    let made = publish(catalog, &avatar, "replaced meanwhile", 2);
    let answer = catalog.rehome(&rehoming(&avatar, &deed, cold(catalog, "a")));
    assert!(matches!(answer, Err(Error::BlobGone(old)) if old == made.blob), "{answer:?}");
    assert_eq!(held(catalog, &avatar), made);
}

fn a_move_that_fails_leaves_everything_as_it_was(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (avatar, deed) = (place(user, "avatar"), place(user, "deed"));
    let made = publish(catalog, &avatar, "a", 2);
    publish(catalog, &deed, "taken", 2);
    let mut way = rehoming(&avatar, &deed, cold(catalog, "a"));
    way.collision = Collision::Refuse;
    assert!(matches!(catalog.rehome(&way), Err(Error::Taken)));
    way.collision = Collision::Replace;
    catalog.doom(FOREVER, FOREVER, 9).unwrap();
    assert!(matches!(catalog.rehome(&way), Err(Error::BlobGone(gone)) if gone == way.blob));
    assert_eq!((held(catalog, &avatar), held(catalog, &deed).version), (made, 1));
    let nothing = rehoming(&place(user, "cover"), &deed, way.blob);
    assert!(matches!(catalog.rehome(&nothing), Err(Error::Missing)));
}

fn a_move_onto_a_taken_slot_displaces_its_attachment(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (avatar, deed) = (place(user, "avatar"), place(user, "deed"));
    let made = publish(catalog, &avatar, "a", 2);
    let there = publish(catalog, &deed, "there", 2);
    let displaced = catalog.rehome(&rehoming(&avatar, &deed, cold(catalog, "a"))).unwrap();
    assert_eq!(displaced.map(|it| (it.id, it.links)), Some((there.id, 0)));
    assert_eq!(held(catalog, &deed).id, made.id);
}
