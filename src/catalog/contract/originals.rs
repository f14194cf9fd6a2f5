//! The laws of originals, and of what is detached: how long which blob is needed, and what a trash may show.
//! Does not know how long a trash keeps anything.

use super::{FOREVER, at, item, laws, name, picture, place, publication, publish, reserve, row};
use crate::catalog::Catalog;
use words::access::Fixed;
use words::attachment::{Attachment, AttachmentId, Original};
use words::link::Collision;
use words::place::Place;
use words::retired::Orphan;
use words::slot::Slot;

laws! {
    an_original_is_needed_while_an_attachment_keeps_it
    a_replaced_original_goes_although_its_attachment_stays
    an_original_that_is_also_attached_stays
    an_original_goes_with_an_attachment_whose_blob_lives_on
    a_source_is_kept_with_the_attachment
    what_is_detached_remembers_its_last_name
    what_is_put_back_is_not_detached
    what_is_detached_is_read_page_by_page
    an_orphan_is_kept_where_its_last_field_says_so
    the_first_that_a_slot_lost_is_found_by_the_slots_name
    what_is_renewed_waits_anew
    blobs_have_the_lengths_of_their_content
    what_is_detached_is_counted
}

fn publish_both(catalog: &dyn Catalog, at_place: &Place, (kept, sent): (&str, &str)) -> Attachment {
    let mut made = publication(at_place, reserve(catalog, kept, 5), 5);
    let content = picture(7);
    made.original = Some(Original { blob: reserve(catalog, sent, 5), content });
    catalog.publish(&made).unwrap().attachment
}

fn sweep(catalog: &dyn Catalog) -> usize {
    let doomed = catalog.doom(FOREVER, FOREVER, 99).unwrap().blobs;
    catalog.forget(&doomed).unwrap();
    doomed.len()
}

fn an_original_is_needed_while_an_attachment_keeps_it(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let made = publish_both(catalog, &avatar, ("kept", "sent"));
    let sent = made.original.clone().unwrap();
    assert_eq!((sent.content.length, sent.blob), (7, reserve(catalog, "sent", 6)));
    assert_eq!(catalog.find(&avatar).unwrap().unwrap().attachment, made);
    assert_eq!(sweep(catalog), 0);
    catalog.unlink(&avatar, at(6)).unwrap();
    assert_eq!(catalog.doom(at(5), FOREVER, 99).unwrap().blobs, [], "held");
    assert_eq!(sweep(catalog), 2);
    assert_eq!(catalog.totals().unwrap().blobs, 0);
}

fn a_replaced_original_goes_although_its_attachment_stays(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let first = publish_both(catalog, &avatar, ("kept", "sent"));
    let again = publish_both(catalog, &avatar, ("kept", "other"));
    assert_eq!(first.id, again.id);
    assert_ne!(first.original, again.original);
    assert_eq!(catalog.doom(FOREVER, FOREVER, 99).unwrap().blobs, [first.original.unwrap().blob]);
    assert_eq!(publish(catalog, &avatar, "kept", 9).original, None);
}

fn an_original_that_is_also_attached_stays(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    publish_both(catalog, &place(user, "avatar"), ("kept", "sent"));
    publish(catalog, &place(user, "cover"), "sent", 6);
    catalog.unlink(&place(user, "avatar"), at(7)).unwrap();
    assert_eq!(sweep(catalog), 1);
    publish_both(catalog, &place(user, "avatar"), ("kept", "sent"));
    catalog.unlink(&place(user, "cover"), at(7)).unwrap();
    assert_eq!(sweep(catalog), 0);
    catalog.unlink(&place(user, "avatar"), at(7)).unwrap();
    assert_eq!(sweep(catalog), 2);
}

fn an_original_goes_with_an_attachment_whose_blob_lives_on(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let first = publish_both(catalog, &place(user, "avatar"), ("kept", "sent"));
    publish(catalog, &place(user, "cover"), "kept", 6);
    catalog.unlink(&place(user, "avatar"), at(7)).unwrap();
    assert_eq!(sweep(catalog) + sweep(catalog), 1);
    assert_eq!(catalog.attachment(first.id).unwrap(), None);
    assert_eq!(catalog.totals().unwrap().blobs, 1);
}

fn a_source_is_kept_with_the_attachment(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let mut made = publication(&avatar, reserve(catalog, "a", 5), 5);
    made.source = Some("https://example.org/a.jpg".into());
    catalog.publish(&made).unwrap();
    assert_eq!(catalog.find(&avatar).unwrap().unwrap().attachment.source, made.source);
    made.source = None;
    assert_eq!(catalog.publish(&made).unwrap().attachment.source, None);
}

fn what_is_detached_remembers_its_last_name(catalog: &dyn Catalog) {
    let user = row(catalog, "42");
    let photo = item(user, "photos", "front");
    let made = publish(catalog, &photo, "a", 2);
    catalog
        .share(
            made.id,
            &place(user, "avatar"),
            &name("avatar"),
            (Collision::Refuse, Fixed::default()),
            at(3),
        )
        .unwrap();
    catalog.unlink(&place(user, "avatar"), at(4)).unwrap();
    assert_eq!(catalog.retired_by_id(made.id).unwrap(), None);
    catalog.unlink(&photo, at(5)).unwrap();
    let retired = catalog.retired_by_id(made.id).unwrap().unwrap();
    assert_eq!(Some(retired.slot), Slot::parse("user/42/photos/front"));
    assert_eq!((retired.written, retired.at), (name("photos"), at(5)));
    assert_eq!((retired.orphan, retired.attachment.links), (Orphan::Delete, 0));
    catalog.remove_row(user).unwrap();
    assert!(catalog.retired_by_id(made.id).unwrap().is_some(), "the row may go");
}

fn what_is_put_back_is_not_detached(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let made = publish(catalog, &avatar, "a", 2);
    catalog.unlink(&avatar, at(3)).unwrap();
    catalog
        .share(made.id, &avatar, &name("avatar"), (Collision::Refuse, Fixed::default()), at(4))
        .unwrap();
    assert_eq!(catalog.retired_by_id(made.id).unwrap(), None);
    assert_eq!(catalog.retired(at(0), None, 9).unwrap(), []);
    assert_eq!(sweep(catalog), 0);
}

fn what_is_detached_is_read_page_by_page(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    for (now, text) in (10..).zip(["a", "b", "c", "d"]) {
        publish(catalog, &place(user, text), text, 2);
        catalog.unlink(&place(user, text), at(now)).unwrap();
    }
    let page = catalog.retired(at(11), None, 2).unwrap();
    assert_eq!(page.iter().map(|it| it.at).collect::<Vec<_>>(), [at(11), at(12)]);
    let last = page.last().map(|it| (it.at, it.attachment.id));
    let rest = catalog.retired(at(11), last, 9).unwrap();
    assert_eq!(rest.iter().map(|it| it.at).collect::<Vec<_>>(), [at(13)]);
}

fn an_orphan_is_kept_where_its_last_field_says_so(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let table = catalog.table(&name("user")).unwrap();
    catalog.field(table, &name("deed"), Orphan::Keep).unwrap();
    let deed = publish_both(catalog, &place(user, "deed"), ("deed", "scan"));
    publish(catalog, &place(user, "avatar"), "face", 2);
    catalog.unlink(&place(user, "deed"), at(3)).unwrap();
    catalog.unlink(&place(user, "avatar"), at(3)).unwrap();
    assert_eq!(sweep(catalog), 1);
    let orphans = catalog.orphans(AttachmentId(0), 9).unwrap();
    assert_eq!(orphans.iter().map(|it| it.attachment.id).collect::<Vec<_>>(), [deed.id]);
    assert_eq!(catalog.orphans(deed.id, 9).unwrap(), []);
    let avatar = place(user, "avatar");
    catalog
        .share(deed.id, &avatar, &name("avatar"), (Collision::Refuse, Fixed::default()), at(4))
        .unwrap();
    catalog.unlink(&avatar, at(5)).unwrap();
    assert_eq!(sweep(catalog), 2, "the field that it hung from last decides");
}

fn the_first_that_a_slot_lost_is_found_by_the_slots_name(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let front = item(user, "photos", "front");
    let lost = |bytes, now| {
        let made = publish(catalog, &front, bytes, 2).id;
        catalog.unlink(&front, at(now)).unwrap();
        made
    };
    let (one, two) = (lost("a", 10), lost("b", 20));
    let first = |slot, since| {
        let found = catalog.first_retired(slot, at(since)).unwrap();
        found.map(|retired| retired.attachment.id)
    };
    assert_eq!(first("user-1-photos-front", 10), Some(one));
    assert_eq!(first("user-1-photos-front", 11), Some(two));
    assert_eq!(first("user-1-photos-front", 21), None);
    assert_eq!(first("user-1-photos", 0), None);
}

fn what_is_renewed_waits_anew(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let made = publish(catalog, &avatar, "a", 2);
    catalog.renew(made.id, at(9)).unwrap();
    assert_eq!(catalog.retired_by_id(made.id).unwrap(), None, "it has its name");
    catalog.unlink(&avatar, at(3)).unwrap();
    catalog.renew(made.id, at(8)).unwrap();
    catalog.renew(AttachmentId(99), at(8)).unwrap();
    assert_eq!(catalog.retired_by_id(made.id).unwrap().unwrap().at, at(8));
    assert_eq!(catalog.doom(at(7), at(0), 9).unwrap().blobs, []);
    assert_eq!(catalog.doom(at(8), at(0), 9).unwrap().blobs, [made.blob]);
}

fn blobs_have_the_lengths_of_their_content(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let made = publish(catalog, &avatar, "a", 2);
    let reserved = reserve(catalog, "b", 2);
    assert_eq!(catalog.lengths(&[reserved, made.blob]).unwrap(), [0, 100]);
    catalog.unlink(&avatar, at(3)).unwrap();
    assert_eq!(catalog.doomable(at(3), at(0), 9).unwrap().blobs, [made.blob]);
    assert_eq!(catalog.lengths(&[made.blob]).unwrap(), [100]);
}

fn what_is_detached_is_counted(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (avatar, cover) = (place(user, "avatar"), place(user, "cover"));
    publish(catalog, &avatar, "a", 2);
    publish(catalog, &cover, "a", 2);
    let count = || catalog.totals().map(|totals| (totals.retired, totals.retired_bytes)).unwrap();
    assert_eq!(count(), (0, 0));
    catalog.unlink(&avatar, at(3)).unwrap();
    catalog.unlink(&cover, at(3)).unwrap();
    assert_eq!(count(), (2, 200));
    assert_eq!(sweep(catalog), 1);
    assert_eq!(count(), (0, 0));
}
