//! Laws of variants.

use super::{FOREVER, at, laws, picture, place, publish, reserve, row};
use crate::catalog::blobs::Reservation;
use crate::catalog::{Catalog, Error};
use words::attachment::{BlobKey, VariantId};
use words::variant::Variant;

laws! {
    a_variant_is_found_by_its_original_and_its_number
    a_variant_that_exists_is_not_made_twice
    variants_are_doomed_with_their_original
    a_variant_that_another_original_or_an_attachment_uses_stays
    a_variant_that_was_attached_itself_stays_until_its_original_goes
    the_variants_of_an_attachment_go_with_it_though_its_blob_is_still_used
    the_next_sweep_dooms_a_trimmed_variant_however_new_it_is
    trimming_keeps_to_its_limit
    a_variant_is_removed_by_its_number
    variants_of_each_other_are_doomed_too
    the_variants_used_least_recently_are_trimmed
}

pub(super) fn variant(text: &str) -> Variant {
    Variant::parse(text).expect("a variant")
}

/// Reserves some bytes and adds them as a variant of an original.
pub(super) fn render(
    catalog: &dyn Catalog,
    original: BlobKey,
    which: &str,
    bytes: &str,
    now: i64,
) -> BlobKey {
    let blob = reserve(catalog, bytes, now);
    catalog.add_variant(original, variant(which), blob, &picture(10)).expect("a variant").blob
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

fn variants_are_doomed_with_their_original(catalog: &dyn Catalog) {
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

fn a_variant_that_another_original_or_an_attachment_uses_stays(catalog: &dyn Catalog) {
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

fn the_variants_of_an_attachment_go_with_it_though_its_blob_is_still_used(catalog: &dyn Catalog) {
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

fn the_next_sweep_dooms_a_trimmed_variant_however_new_it_is(catalog: &dyn Catalog) {
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

fn variants_of_each_other_are_doomed_too(catalog: &dyn Catalog) {
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
