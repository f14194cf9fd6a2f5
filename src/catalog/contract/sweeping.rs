//! The laws of blobs: reserving, variants, dooming and forgetting.
//! Does not know files.

use std::sync::Barrier;

use super::{FOREVER, at, is_new, laws, name, picture, place, publication, publish, reserve, row};
use crate::access::Fixed;
use crate::attachment::{BlobKey, StoreId, VariantId};
use crate::catalog::{Catalog, Collision, Error, Reservation};
use crate::digest::Digest;
use crate::variant::Variant;

laws! {
    stored_bytes_are_reserved_once
    bytes_that_are_only_reserved_get_a_second_key
    a_doomed_blob_is_gone_for_publications_and_variants
    a_blob_is_doomed_again_until_it_is_forgotten
    a_forgotten_blob_comes_back_with_a_new_generation
    forgetting_a_live_blob_changes_nothing
    a_blob_lives_as_long_as_one_of_its_attachments
    a_hold_keeps_a_blob_until_its_time
    a_fresh_reservation_is_work_in_progress
    what_a_crash_made_forget_is_recalled_and_doomed
    recalling_what_is_known_changes_nothing
    attributes_go_with_their_attachment
    what_could_be_doomed_is_told_without_dooming_it
    dooming_keeps_to_its_limit_and_the_rest_comes_later
    retired_attachments_do_not_pile_up_behind_a_living_blob
    a_variant_is_found_by_its_original_and_its_number
    a_variant_that_exists_is_not_made_twice
    variants_die_with_their_original
    a_variant_lives_on_in_another_original_or_an_attachment
    a_variant_that_was_attached_itself_stays_until_its_original_goes
    what_was_rendered_from_an_attachment_goes_with_it_though_its_blob_lives_on
    many_attachments_of_one_blob_go_a_batch_at_a_time
    a_trimmed_variant_is_the_next_sweeps_however_new_it_is
    trimming_keeps_to_its_limit
    a_variant_is_removed_by_its_number
    variants_that_lead_in_a_circle_die_all_the_same
    the_variants_used_least_recently_are_trimmed
    every_blob_that_must_be_stored_is_listed
    two_threads_that_publish_to_one_slot_leave_one_link_and_no_leak
}

fn variant(text: &str) -> Variant {
    Variant::parse(text).expect("a variant")
}

/// Reserves some bytes and adds them as a variant of `original`.
fn render(catalog: &dyn Catalog, original: BlobKey, which: &str, bytes: &str, now: i64) -> BlobKey {
    let blob = reserve(catalog, bytes, now);
    catalog.add_variant(original, variant(which), blob, &picture(10)).expect("a variant").blob
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
    let gone =
        catalog.share(attachment.id, &to, &to.field, (Collision::Refuse, Fixed::default()), at(5));
    assert!(matches!(gone, Err(Error::Missing)), "{gone:?}");
}

fn a_blob_is_doomed_again_until_it_is_forgotten(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let key = publish(catalog, &avatar, "a", 2).blob;
    catalog.unlink(&avatar, at(3)).unwrap();
    for _ in 0..2 {
        assert_eq!(catalog.doom(at(3), at(0), 9).unwrap().blobs, [key]);
    }
    catalog.forget(&[key]).unwrap();
    catalog.forget(&[key]).unwrap();
    assert_eq!(catalog.doom(FOREVER, FOREVER, 9).unwrap().blobs, []);
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

fn a_hold_keeps_a_blob_until_its_time(catalog: &dyn Catalog) {
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

fn what_a_crash_made_forget_is_recalled_and_doomed(catalog: &dyn Catalog) {
    let known = reserve(catalog, "a", 1);
    let forgotten = BlobKey { generation: known.generation + 7000, ..known };
    assert_eq!(catalog.recall(&[forgotten], at(5)).unwrap(), []);
    assert_eq!(catalog.doom(at(0), at(4), 9).unwrap().blobs, [known]);
    assert_eq!(catalog.doom(at(0), at(5), 9).unwrap().blobs, [known, forgotten]);
    catalog.forget(&[known, forgotten]).unwrap();
    let next = reserve(catalog, "a", 6);
    assert!(![known, forgotten].contains(&next), "no number comes twice");
}

fn recalling_what_is_known_changes_nothing(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let (stored, other) = (publish(catalog, &avatar, "a", 2).blob, reserve(catalog, "b", 3));
    assert_eq!(catalog.recall(&[other, stored], at(9)).unwrap(), [stored]);
    assert_eq!(catalog.find(&avatar).unwrap().unwrap().attachment.blob, stored);
    let doomed = catalog.doom(at(0), at(9), 9).unwrap().blobs;
    assert_eq!(doomed, [other]);
    assert_eq!(catalog.recall(&[other], at(10)).unwrap(), [], "it is doomed");
    let gone = catalog.publish(&publication(&avatar, other, 10));
    assert!(matches!(gone, Err(Error::BlobGone(key)) if key == other), "{gone:?}");
}

fn attributes_go_with_their_attachment(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let id = publish(catalog, &avatar, "a", 2).id;
    catalog.set_attribute(id, "user.note", Some(b"x"), at(3)).unwrap();
    catalog.unlink(&avatar, at(4)).unwrap();
    assert_eq!(catalog.attributes(id).unwrap().len(), 1, "held with the attachment");
    catalog.doom(at(4), at(4), 9).unwrap();
    assert_eq!(catalog.attributes(id).unwrap(), []);
}

fn what_could_be_doomed_is_told_without_dooming_it(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let attachment = publish(catalog, &avatar, "a", 2);
    render(catalog, attachment.blob, "w200.webp", "t", 2);
    catalog.unlink(&avatar, at(3)).unwrap();
    let told = catalog.doomable(at(3), at(3), 9).unwrap();
    assert_eq!(told.blobs.len(), 2);
    assert_eq!(catalog.attachment(attachment.id).unwrap().map(|a| a.links), Some(0));
    assert_eq!(catalog.variants(attachment.blob).unwrap().len(), 1);
    assert_eq!(catalog.doomable(at(3), at(3), 9).unwrap(), told);
    assert_eq!(catalog.doom(at(3), at(3), 9).unwrap(), told);
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

fn retired_attachments_do_not_pile_up_behind_a_living_blob(catalog: &dyn Catalog) {
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

fn a_variant_is_found_by_its_original_and_its_number(catalog: &dyn Catalog) {
    let original = publish(catalog, &place(row(catalog, "1"), "avatar"), "a", 7).blob;
    let thumb = reserve(catalog, "t", 9);
    let added = catalog.add_variant(original, variant("w200.webp"), thumb, &picture(10)).unwrap();
    assert_eq!((added.original, added.blob, added.committed), (original, thumb, at(7)));
    assert_eq!((added.variant, &added.content), (variant("w200.webp"), &picture(10)));
    assert_eq!(catalog.variant_by_id(added.id).unwrap(), Some(added.clone()));
    assert_eq!(catalog.variant(original, variant("w200.webp")).unwrap(), Some(added.clone()));
    assert_eq!(catalog.variant(original, variant("w100.webp")).unwrap(), None);
    assert_eq!(catalog.variant(thumb, variant("w200.webp")).unwrap(), None);
    render(catalog, original, "200x200c.png", "u", 9);
    let names: Vec<_> =
        catalog.variants(original).unwrap().iter().map(|v| v.variant.to_string()).collect();
    assert_eq!(names, ["200x200c.png", "w200.webp"]);
}

fn a_variant_that_exists_is_not_made_twice(catalog: &dyn Catalog) {
    let original = publish(catalog, &place(row(catalog, "1"), "avatar"), "a", 2).blob;
    let first = render(catalog, original, "w200.webp", "t", 3);
    let late = reserve(catalog, "u", 4);
    let known = catalog.add_variant(original, variant("w200.webp"), late, &picture(10)).unwrap();
    assert_eq!(known.blob, first);
    assert_eq!(catalog.doom(FOREVER, FOREVER, 9).unwrap().blobs, [late]);
}

fn variants_die_with_their_original(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let original = publish(catalog, &avatar, "a", 2).blob;
    let first = render(catalog, original, "w200.webp", "t", 3);
    let second = render(catalog, original, "w100.webp", "u", 3);
    let nested = render(catalog, first, "w50.webp", "v", 3);
    assert_eq!(catalog.doom(FOREVER, FOREVER, 9).unwrap().blobs, []);
    catalog.unlink(&avatar, at(4)).unwrap();
    let doomed = catalog.doom(at(4), at(0), 9).unwrap().blobs;
    assert_eq!(doomed, [original, first, second, nested]);
    assert_eq!(catalog.variants(original).unwrap(), []);
    assert_eq!(catalog.totals().unwrap().variants, 0);
}

fn a_variant_lives_on_in_another_original_or_an_attachment(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (one, two, three) = (place(user, "one"), place(user, "two"), place(user, "three"));
    let first = publish(catalog, &one, "a", 2).blob;
    let second = publish(catalog, &two, "b", 2).blob;
    let shared = render(catalog, first, "w200.webp", "t", 3);
    assert_eq!(render(catalog, second, "w200.webp", "t", 3), shared);
    catalog.unlink(&one, at(4)).unwrap();
    assert_eq!(catalog.doom(FOREVER, FOREVER, 9).unwrap().blobs, [first]);
    catalog.forget(&[first]).unwrap();
    assert_eq!(publish(catalog, &three, "t", 5).blob, shared);
    catalog.unlink(&two, at(6)).unwrap();
    assert_eq!(catalog.doom(FOREVER, FOREVER, 9).unwrap().blobs, [second]);
    catalog.forget(&[second]).unwrap();
    catalog.unlink(&three, at(7)).unwrap();
    assert_eq!(catalog.doom(FOREVER, FOREVER, 9).unwrap().blobs, [shared]);
}

fn a_variant_that_was_attached_itself_stays_until_its_original_goes(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (cover, avatar) = (place(user, "cover"), place(user, "avatar"));
    let thumb = publish(catalog, &cover, "t", 2);
    let original = publish(catalog, &avatar, "a", 2);
    assert_eq!(render(catalog, original.blob, "w1.png", "t", 3), thumb.blob);
    catalog.unlink(&cover, at(4)).unwrap();
    catalog.unlink(&avatar, at(4)).unwrap();
    let first = catalog.doom(FOREVER, FOREVER, 1).unwrap();
    assert_eq!((first.blobs, first.attachments), (vec![], vec![thumb.id]));
    assert!(catalog.variant(original.blob, variant("w1.png")).unwrap().is_some());
    let second = catalog.doom(FOREVER, FOREVER, 1).unwrap();
    assert_eq!(second.blobs, [thumb.blob, original.blob]);
    assert_eq!(catalog.variant(original.blob, variant("w1.png")).unwrap(), None);
    catalog.forget(&[thumb.blob, original.blob]).unwrap();
    assert_eq!(catalog.doom(FOREVER, FOREVER, 9).unwrap().blobs, []);
}

fn what_was_rendered_from_an_attachment_goes_with_it_though_its_blob_lives_on(
    catalog: &dyn Catalog,
) {
    let user = row(catalog, "1");
    let (cover, avatar) = (place(user, "cover"), place(user, "avatar"));
    let thumb = publish(catalog, &cover, "t", 2).blob;
    let tiny = render(catalog, thumb, "w1.png", "y", 3);
    let original = publish(catalog, &avatar, "a", 2).blob;
    assert_eq!(render(catalog, original, "w9.png", "t", 3), thumb);
    catalog.unlink(&cover, at(4)).unwrap();
    assert_eq!(catalog.doom(FOREVER, FOREVER, 9).unwrap().blobs, [tiny]);
    assert_eq!(catalog.variants(thumb).unwrap(), []);
    assert_eq!(catalog.variants(original).unwrap().len(), 1);
}

fn many_attachments_of_one_blob_go_a_batch_at_a_time(catalog: &dyn Catalog) {
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

fn a_trimmed_variant_is_the_next_sweeps_however_new_it_is(catalog: &dyn Catalog) {
    let original = publish(catalog, &place(row(catalog, "1"), "avatar"), "a", 2).blob;
    let thumb = render(catalog, original, "w1.png", "t", 900);
    assert_eq!(catalog.trim_variants(0, 9).unwrap(), 1);
    let again = catalog.reserve(thumb.store, thumb.digest, at(901)).unwrap();
    assert_eq!(again, Reservation::Stored(thumb));
    assert_eq!(catalog.doom(at(0), at(0), 9).unwrap().blobs, [thumb]);
    let late = catalog.add_variant(original, variant("w1.png"), thumb, &picture(10));
    assert!(matches!(late, Err(Error::BlobGone(key)) if key == thumb), "{late:?}");
}

fn trimming_keeps_to_its_limit(catalog: &dyn Catalog) {
    let original = publish(catalog, &place(row(catalog, "1"), "avatar"), "a", 2).blob;
    for which in ["w1.png", "w2.png", "w3.png"] {
        render(catalog, original, which, which, 3);
    }
    let trimmed = || catalog.trim_variants(0, 2).unwrap();
    assert_eq!([trimmed(), trimmed(), trimmed()], [2, 1, 0]);
}

fn a_variant_is_removed_by_its_number(catalog: &dyn Catalog) {
    let original = publish(catalog, &place(row(catalog, "1"), "avatar"), "a", 2).blob;
    let (first, second) =
        (render(catalog, original, "w1.png", "t", 3), render(catalog, original, "w2.png", "u", 3));
    let id = catalog.variant(original, variant("w1.png")).unwrap().unwrap().id;
    assert!(catalog.remove_variant(id).unwrap());
    assert!(!catalog.remove_variant(id).unwrap());
    assert_eq!(catalog.variant(original, variant("w1.png")).unwrap(), None);
    assert_eq!(catalog.doom(at(0), at(0), 9).unwrap().blobs, [first]);
    catalog.forget(&[first]).unwrap();
    let again = render(catalog, original, "w1.png", "t", 4);
    assert!(again.generation > second.generation, "rendered anew under a number of its own");
    assert_ne!(catalog.variant(original, variant("w1.png")).unwrap().unwrap().id, id);
}

fn variants_that_lead_in_a_circle_die_all_the_same(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let original = publish(catalog, &avatar, "a", 2).blob;
    assert_eq!(render(catalog, original, "full.png", "a", 3), original);
    let other = render(catalog, original, "full.webp", "b", 3);
    assert_eq!(render(catalog, other, "full.png", "a", 3), original);
    assert_eq!(catalog.doom(FOREVER, FOREVER, 9).unwrap().blobs, []);
    catalog.unlink(&avatar, at(4)).unwrap();
    assert_eq!(catalog.doom(FOREVER, FOREVER, 9).unwrap().blobs, [original, other]);
}

fn the_variants_used_least_recently_are_trimmed(catalog: &dyn Catalog) {
    let minute = 60_000_000_000;
    let original = publish(catalog, &place(row(catalog, "1"), "avatar"), "a", 2).blob;
    let key = |which: &str| catalog.variant(original, variant(which)).unwrap();
    let blobs = ["w1.png", "w2.png", "w3.png", "w4.png"]
        .map(|which| render(catalog, original, which, which, 3));
    catalog.touch_variants(&[(key("w1.png").unwrap().id, at(3 + 2 * minute))]).unwrap();
    catalog.touch_variants(&[(key("w2.png").unwrap().id, at(4))]).unwrap();
    catalog.touch_variants(&[(VariantId(999), at(4))]).unwrap();
    assert_eq!(catalog.trim_variants(40, 9).unwrap(), 0);
    assert_eq!(catalog.trim_variants(25, 9).unwrap(), 2);
    let left: Vec<_> =
        catalog.variants(original).unwrap().into_iter().map(|found| found.blob).collect();
    assert_eq!(left, [blobs[0], blobs[3]]);
    assert_eq!(catalog.doom(FOREVER, FOREVER, 9).unwrap().blobs, [blobs[1], blobs[2]]);
    assert_eq!(catalog.trim_variants(0, 9).unwrap(), 2);
}

fn every_blob_that_must_be_stored_is_listed(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (avatar, cover) = (place(user, "avatar"), place(user, "cover"));
    let doomed = publish(catalog, &avatar, "a", 2).blob;
    reserve(catalog, "reserved", 2);
    let linked = publish(catalog, &cover, "b", 2).blob;
    let thumb = render(catalog, linked, "w1.png", "t", 3);
    assert_eq!(catalog.blobs_after(None, 9).unwrap(), [doomed, linked, thumb]);
    catalog.unlink(&avatar, at(4)).unwrap();
    catalog.doom(at(4), at(0), 9).unwrap();
    assert_eq!(catalog.blobs_after(None, 1).unwrap(), [linked]);
    assert_eq!(catalog.blobs_after(Some(linked), 9).unwrap(), [thumb]);
    assert_eq!(catalog.blobs_after(Some(thumb), 9).unwrap(), []);
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
    assert_eq!(catalog.blobs_after(None, 99).unwrap(), [link.attachment.blob]);
    assert_eq!(catalog.find(&avatar).unwrap().as_ref().map(|l| &l.written), Some(&name("avatar")));
}
