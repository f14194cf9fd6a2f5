//! Laws of blobs: reserved, stored, doomed and forgotten.

use std::sync::Barrier;

use super::variants::{render, variant};
use super::{
    FOREVER, at, destination, is_new, laws, name, picture, place, publication, publish, reserve,
    row,
};
use crate::catalog::blobs::{Due, Reservation};
use crate::catalog::{Catalog, Error};
use words::access::Fixed;
use words::attachment::{BlobKey, StoreId};
use words::digest::Digest;
use words::link::Collision;

laws! {
    stored_bytes_are_reserved_once
    bytes_that_are_only_reserved_get_a_second_key
    a_doomed_blob_is_gone_for_publications_and_variants
    a_doomed_blob_is_listed_until_it_is_forgotten
    a_forgotten_blob_comes_back_with_a_new_generation
    forgetting_a_live_blob_changes_nothing
    a_blob_lives_as_long_as_one_of_its_attachments
    a_retired_attachment_keeps_its_blob_until_its_time
    a_fresh_reservation_is_work_in_progress
    a_blob_counts_as_stored_from_its_link_until_it_is_doomed
    what_is_due_is_counted_and_not_doomed
    a_variant_is_due_once_each_original_is
    dooming_keeps_to_its_limit_and_the_rest_comes_later
    a_retired_attachment_goes_though_its_blob_is_still_used
    many_attachments_of_one_blob_go_a_few_at_a_time
    two_threads_that_publish_to_one_slot_leave_one_link_and_no_leak
    blobs_have_the_lengths_of_their_content
}

fn stored_bytes_are_reserved_once(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let key = publish(catalog, &place(user, "avatar"), "a", 2).blob;
    let again = catalog.reserve(StoreId::default(), Digest::of(b"a"), at(3)).unwrap();
    assert_eq!(again, Reservation::Stored(key));
    let second = publish(catalog, &place(user, "cover"), "a", 3);
    assert_eq!((second.blob, second.links), (key, 1));
    let thumb = render(catalog, key, "w200.webp", "t", 4);
    assert_eq!(
        catalog.reserve(StoreId::default(), Digest::of(b"t"), at(5)).unwrap(),
        Reservation::Stored(thumb)
    );
}

fn bytes_that_are_only_reserved_get_a_second_key(catalog: &dyn Catalog) {
    let first =
        is_new(catalog.reserve(StoreId::default(), Digest::of(b"a"), at(1)).unwrap()).unwrap();
    let second =
        is_new(catalog.reserve(StoreId::default(), Digest::of(b"a"), at(1)).unwrap()).unwrap();
    assert_eq!(first.digest, second.digest);
    assert!(second.generation > first.generation);
}

fn a_doomed_blob_is_gone_for_publications_and_variants(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let attachment = publish(catalog, &avatar, "a", 2);
    let thumb = reserve(catalog, "t", 9);
    catalog.unlink(&avatar, at(3)).unwrap();
    let doomed = catalog.doom(at(3), at(3), 9).unwrap();
    assert_eq!((doomed.blobs, doomed.attachments), (vec![attachment.blob], vec![attachment.id]));
    for forgotten in [false, true] {
        if forgotten {
            catalog.forget(&[attachment.blob]).unwrap();
        }
        let gone = catalog.publish(&publication(&avatar, attachment.blob, 4));
        assert!(matches!(gone, Err(Error::BlobGone(key)) if key == attachment.blob), "{gone:?}");
        let gone = catalog.add_variant(attachment.blob, variant("w200.webp"), thumb, &picture(1));
        assert!(matches!(gone, Err(Error::BlobGone(key)) if key == attachment.blob), "{gone:?}");
    }
    let other = publish(catalog, &avatar, "b", 4).blob;
    let gone = catalog.add_variant(other, variant("w200.webp"), attachment.blob, &picture(1));
    assert!(matches!(gone, Err(Error::BlobGone(key)) if key == attachment.blob), "{gone:?}");
    let to = place(avatar.row, "cover");
    let gone = catalog.share(
        attachment.id,
        destination(&to, &to.field, Collision::Refuse),
        Fixed::default(),
        at(5),
    );
    assert!(matches!(gone, Err(Error::Missing)), "{gone:?}");
}

fn a_doomed_blob_is_listed_until_it_is_forgotten(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let keys = ["a", "b"].map(|bytes| publish(catalog, &avatar, bytes, 2).blob);
    catalog.unlink(&avatar, at(3)).unwrap();
    assert_eq!(catalog.doom(at(3), at(0), 9).unwrap().blobs, keys);
    assert_eq!(catalog.doom(at(3), at(0), 9).unwrap().blobs, [], "each is doomed once");
    assert_eq!(catalog.doomed(0, 9).unwrap(), keys);
    assert_eq!(catalog.doomed(0, 1).unwrap(), keys[..1]);
    assert_eq!(catalog.doomed(keys[0].generation, 9).unwrap(), keys[1..]);
    for _ in 0..2 {
        catalog.forget(&keys).unwrap();
        assert_eq!(catalog.doomed(0, 9).unwrap(), []);
    }
}

fn a_forgotten_blob_comes_back_with_a_new_generation(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let key = publish(catalog, &avatar, "a", 2).blob;
    catalog.unlink(&avatar, at(3)).unwrap();
    catalog.doom(at(3), at(3), 9).unwrap();
    let between = is_new(catalog.reserve(key.store, key.digest, at(4)).unwrap()).unwrap();
    catalog.doom(at(5), at(5), 9).unwrap();
    catalog.forget(&[between]).unwrap();
    catalog.forget(&[key]).unwrap();
    let after = is_new(catalog.reserve(key.store, key.digest, at(6)).unwrap()).unwrap();
    assert!(key.generation < between.generation && between.generation < after.generation);
}

fn forgetting_a_live_blob_changes_nothing(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let attachment = publish(catalog, &avatar, "a", 2);
    catalog.forget(&[attachment.blob]).unwrap();
    assert_eq!(catalog.find(&avatar).unwrap().unwrap().attachment, attachment);
}

fn a_blob_lives_as_long_as_one_of_its_attachments(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (avatar, cover) = (place(user, "avatar"), place(user, "cover"));
    let key = publish(catalog, &avatar, "a", 2).blob;
    publish(catalog, &cover, "a", 2);
    catalog.unlink(&avatar, at(3)).unwrap();
    assert_eq!(catalog.doom(FOREVER, FOREVER, 9).unwrap().blobs, []);
    catalog.unlink(&cover, at(4)).unwrap();
    assert_eq!(catalog.doom(FOREVER, FOREVER, 9).unwrap().blobs, [key]);
}

fn a_retired_attachment_keeps_its_blob_until_its_time(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let key = publish(catalog, &avatar, "a", 2).blob;
    publish(catalog, &avatar, "b", 10);
    assert_eq!(catalog.doom(at(9), FOREVER, 9).unwrap().blobs, []);
    assert_eq!(catalog.doom(at(10), at(0), 9).unwrap().blobs, [key]);
}

fn a_fresh_reservation_is_work_in_progress(catalog: &dyn Catalog) {
    let key = reserve(catalog, "a", 10);
    assert_eq!(catalog.doom(FOREVER, at(9), 9).unwrap().blobs, []);
    assert_eq!(catalog.doom(at(0), at(10), 9).unwrap().blobs, [key]);
}

fn a_blob_counts_as_stored_from_its_link_until_it_is_doomed(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let (linked, reserved) = (publish(catalog, &avatar, "a", 2).blob, reserve(catalog, "b", 3));
    let unknown = BlobKey { generation: reserved.generation + 7000, ..reserved };
    let all = [unknown, linked, reserved];
    assert_eq!(catalog.stored(&all).unwrap(), [linked]);
    catalog.unlink(&avatar, at(4)).unwrap();
    assert_eq!(catalog.stored(&all).unwrap(), [linked], "it is retired");
    assert_eq!(catalog.doom(at(4), at(4), 9).unwrap().blobs, [linked, reserved]);
    assert_eq!(catalog.stored(&all).unwrap(), []);
    let gone = catalog.publish(&publication(&avatar, reserved, 10));
    assert!(matches!(gone, Err(Error::BlobGone(key)) if key == reserved), "{gone:?}");
}

fn what_is_due_is_counted_and_not_doomed(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let attachment = publish(catalog, &avatar, "a", 2);
    render(catalog, attachment.blob, "w200.webp", "t", 2);
    reserve(catalog, "r", 2);
    catalog.unlink(&avatar, at(3)).unwrap();
    let due = Due { attachments: 1, blobs: 3, bytes: 110 };
    for _ in 0..2 {
        assert_eq!(catalog.due(at(3), at(3)).unwrap(), due);
    }
    assert_eq!(catalog.due(at(2), at(1)).unwrap(), Due::default());
    assert_eq!(catalog.attachment(attachment.id).unwrap().map(|a| a.links), Some(0));
    assert_eq!(catalog.variants(attachment.blob).unwrap().len(), 1);
    assert_eq!(catalog.doom(at(3), at(3), 9).unwrap().blobs.len(), 3);
    assert_eq!(catalog.due(at(3), at(3)).unwrap(), Due { attachments: 0, ..due });
}

fn a_variant_is_due_once_each_original_is(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (avatar, cover) = (place(user, "avatar"), place(user, "cover"));
    for (place, bytes) in [(&avatar, "a"), (&cover, "c")] {
        let original = publish(catalog, place, bytes, 2).blob;
        render(catalog, original, "w200.webp", "t", 2);
    }
    catalog.unlink(&avatar, at(3)).unwrap();
    assert_eq!(catalog.due(at(9), at(0)).unwrap().blobs, 1, "the variant is the cover's too");
    catalog.unlink(&cover, at(4)).unwrap();
    assert_eq!(catalog.due(at(9), at(0)).unwrap().blobs, 3);
}

fn dooming_keeps_to_its_limit_and_the_rest_comes_later(catalog: &dyn Catalog) {
    let keys: Vec<_> = (0..5).map(|n| reserve(catalog, &n.to_string(), 1)).collect();
    let mut swept = Vec::new();
    for expected in [2, 2, 1, 0] {
        let doomed = catalog.doom(FOREVER, FOREVER, 2).unwrap().blobs;
        assert_eq!(doomed.len(), expected);
        for key in &doomed {
            catalog.forget(&[*key]).unwrap();
        }
        swept.extend(doomed);
    }
    assert_eq!(swept, keys);
}

fn a_retired_attachment_goes_though_its_blob_is_still_used(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (avatar, cover) = (place(user, "avatar"), place(user, "cover"));
    publish(catalog, &cover, "a", 2);
    let retired = publish(catalog, &avatar, "a", 2).id;
    catalog.unlink(&avatar, at(3)).unwrap();
    assert_eq!(catalog.doom(at(2), at(2), 9).unwrap().attachments, []);
    let doomed = catalog.doom(at(3), at(3), 9).unwrap();
    assert_eq!((doomed.blobs, doomed.attachments), (vec![], vec![retired]));
    assert_eq!(catalog.attachment(retired).unwrap(), None);
}

fn many_attachments_of_one_blob_go_a_few_at_a_time(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let places: Vec<_> = (0..5).map(|n| place(user, &format!("field{n}"))).collect();
    let all: Vec<_> = places.iter().map(|place| publish(catalog, place, "a", 2)).collect();
    for place in &places {
        catalog.unlink(place, at(3)).unwrap();
    }
    for pair in [&all[0..2], &all[2..4]] {
        let ids: Vec<_> = pair.iter().map(|attachment| attachment.id).collect();
        let batch = catalog.doom(at(3), at(0), 2).unwrap();
        assert_eq!((batch.blobs, batch.attachments), (vec![], ids));
    }
    let last = catalog.doom(at(3), at(0), 2).unwrap();
    assert_eq!((last.blobs, last.attachments), (vec![all[4].blob], vec![all[4].id]));
}

fn two_threads_that_publish_to_one_slot_leave_one_link_and_no_leak(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let together = Barrier::new(2);
    std::thread::scope(|scope| {
        for writer in ["a", "b"] {
            let (avatar, together) = (&avatar, &together);
            scope.spawn(move || {
                together.wait();
                for round in 0..20 {
                    publish(catalog, avatar, &format!("{writer}{round}"), round);
                }
            });
        }
    });
    let links = catalog.links(avatar.row).unwrap();
    let [link] = links.as_slice() else { panic!("one link, not {links:?}") };
    assert_eq!((link.attachment.links, link.attachment.version), (1, 40));
    let doomed = catalog.doom(FOREVER, FOREVER, 99).unwrap();
    assert_eq!((doomed.blobs.len(), doomed.attachments.len()), (39, 39));
    assert_eq!(catalog.stores().unwrap()[0].blobs, 1);
    assert_eq!(catalog.find(&avatar).unwrap().as_ref().map(|l| &l.written), Some(&name("avatar")));
}

fn blobs_have_the_lengths_of_their_content(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let made = publish(catalog, &avatar, "a", 2);
    let reserved = reserve(catalog, "b", 2);
    assert_eq!(catalog.lengths(&[reserved, made.blob]).unwrap(), [0, 100]);
    catalog.unlink(&avatar, at(3)).unwrap();
    assert_eq!(catalog.due(at(3), at(0)).unwrap().bytes, 100);
    assert_eq!(catalog.lengths(&[made.blob]).unwrap(), [100]);
}
