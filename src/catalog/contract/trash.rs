//! Laws of retired attachments.

use super::{at, item, laws, name, place, publish, publish_with_original, row, share, sweep};
use crate::catalog::Catalog;
use words::attachment::AttachmentId;
use words::retired::Orphan;
use words::slot::Slot;

laws! {
    a_retired_attachment_remembers_its_last_link
    a_shared_attachment_is_retired_no_more
    retired_attachments_are_listed_from_a_time_on
    an_orphan_is_kept_where_its_last_field_says_so
    the_first_attachment_that_a_slot_lost_is_found_by_its_path
    a_renewed_attachment_waits_anew
}

fn a_retired_attachment_remembers_its_last_link(catalog: &dyn Catalog) {
    let user = row(catalog, "42");
    let photo = item(user, "photos", "front");
    let made = publish(catalog, &photo, "a", 2);
    share(catalog, made.id, &place(user, "avatar"), 3);
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

fn a_shared_attachment_is_retired_no_more(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let made = publish(catalog, &avatar, "a", 2);
    catalog.unlink(&avatar, at(3)).unwrap();
    share(catalog, made.id, &avatar, 4);
    assert_eq!(catalog.retired_by_id(made.id).unwrap(), None);
    assert_eq!(catalog.retired(at(0), 9).unwrap(), []);
    assert_eq!(sweep(catalog), 0);
}

fn retired_attachments_are_listed_from_a_time_on(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    for (now, text) in (10..).zip(["a", "b", "c", "d"]) {
        publish(catalog, &place(user, text), text, 2);
        catalog.unlink(&place(user, text), at(now)).unwrap();
    }
    let page = catalog.retired(at(11), 2).unwrap();
    assert_eq!(page.iter().map(|it| it.at).collect::<Vec<_>>(), [at(11), at(12)]);
}

fn an_orphan_is_kept_where_its_last_field_says_so(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let table = catalog.table(&name("user")).unwrap();
    catalog.field(table, &name("deed"), Orphan::Keep).unwrap();
    let deed = publish_with_original(catalog, &place(user, "deed"), "deed", "scan");
    publish(catalog, &place(user, "avatar"), "face", 2);
    catalog.unlink(&place(user, "deed"), at(3)).unwrap();
    catalog.unlink(&place(user, "avatar"), at(3)).unwrap();
    assert_eq!(sweep(catalog), 1);
    let orphans = catalog.orphans(AttachmentId(0), 9).unwrap();
    assert_eq!(orphans.iter().map(|it| it.attachment.id).collect::<Vec<_>>(), [deed.id]);
    assert_eq!(catalog.orphans(deed.id, 9).unwrap(), []);
    let avatar = place(user, "avatar");
    share(catalog, deed.id, &avatar, 4);
    catalog.unlink(&avatar, at(5)).unwrap();
    assert_eq!(sweep(catalog), 2, "the field of its last link decides");
}

fn the_first_attachment_that_a_slot_lost_is_found_by_its_path(catalog: &dyn Catalog) {
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

fn a_renewed_attachment_waits_anew(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let made = publish(catalog, &avatar, "a", 2);
    catalog.renew(made.id, at(9)).unwrap();
    assert_eq!(catalog.retired_by_id(made.id).unwrap(), None, "it is still linked");
    catalog.unlink(&avatar, at(3)).unwrap();
    catalog.renew(made.id, at(8)).unwrap();
    catalog.renew(AttachmentId(99), at(8)).unwrap();
    assert_eq!(catalog.retired_by_id(made.id).unwrap().unwrap().at, at(8));
    assert_eq!(catalog.doom(at(7), at(0), 9).unwrap().blobs, []);
    assert_eq!(catalog.doom(at(8), at(0), 9).unwrap().blobs, [made.blob]);
}
