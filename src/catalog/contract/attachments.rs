//! Laws of attachments: their access, attributes, sources and originals.

use super::{
    ACCESS, FOREVER, at, laws, name, place, publication, publish, publish_with_original, reserve,
    row, sweep,
};
use crate::catalog::slots::Revision;
use crate::catalog::{Catalog, Error};
use words::attachment::Amendment;
use words::place::Folder;

laws! {
    amendments_are_kept
    attributes_are_set_replaced_and_removed
    attributes_go_with_their_attachment
    a_source_is_kept_with_the_attachment
    a_source_is_noted_and_forgotten
    an_original_is_needed_while_an_attachment_keeps_it
    a_replaced_original_goes_although_its_attachment_stays
    an_original_that_is_also_attached_stays
    an_original_goes_with_its_attachment_though_the_blob_is_still_used
}

fn amendments_are_kept(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let id = publish(catalog, &place(user, "avatar"), "a", 2).id;
    let change = Amendment {
        mode: Some(0o600),
        uid: Some(7),
        modified: Some(at(-5)),
        ..Amendment::default()
    };
    let amended = catalog.amend(id, change, at(9)).unwrap();
    assert_eq!((amended.access.mode, amended.access.uid, amended.access.gid), (0o600, 7, 100));
    assert_eq!((amended.times.modified, amended.times.changed), (at(-5), at(9)));
    assert_eq!(catalog.attachment(id).unwrap(), Some(amended));
    let amended = catalog.amend_row(user, change, at(9)).unwrap();
    assert_eq!((amended.access.mode, amended.times.modified), (0o600, at(-5)));
    assert_eq!(catalog.row_by_id(user).unwrap(), Some(amended));
    let scratch =
        catalog.add_scratch(&Folder::row(user), &name(".x"), "s", ACCESS, at(9)).unwrap().id;
    let amended = catalog.amend_scratch(scratch, change, at(10)).unwrap();
    assert_eq!((amended.access.mode, amended.access.uid), (0o600, 7));
    assert_eq!(catalog.scratch_by_id(scratch).unwrap(), Some(amended));
}

fn attributes_are_set_replaced_and_removed(catalog: &dyn Catalog) {
    let id = publish(catalog, &place(row(catalog, "1"), "avatar"), "a", 2).id;
    let set = |name: &str, value: Option<&[u8]>| catalog.set_attribute(id, name, value, at(5));
    assert!(!set("user.note", Some(b"one")).unwrap());
    assert!(!set("user.a", Some(b"")).unwrap());
    assert!(set("user.note", Some(b"two\0")).unwrap());
    let note = ("user.note".to_owned(), b"two\0".to_vec());
    assert_eq!(catalog.attributes(id).unwrap(), [("user.a".into(), Vec::new()), note.clone()]);
    assert!(set("user.a", None).unwrap());
    assert!(!set("user.a", None).unwrap());
    assert_eq!(catalog.attributes(id).unwrap(), [note]);
    assert_eq!(catalog.attachment(id).unwrap().unwrap().times.changed, at(5));
}

fn attributes_go_with_their_attachment(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let id = publish(catalog, &avatar, "a", 2).id;
    catalog.set_attribute(id, "user.note", Some(b"x"), at(3)).unwrap();
    catalog.unlink(&avatar, at(4)).unwrap();
    assert_eq!(catalog.attributes(id).unwrap().len(), 1, "kept with the attachment");
    catalog.doom(at(4), at(4), 9).unwrap();
    assert_eq!(catalog.attributes(id).unwrap(), []);
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

fn a_source_is_noted_and_forgotten(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let avatar = place(user, "avatar");
    let id = publish(catalog, &avatar, "a", 2).id;
    let trace = |place: &_, source: Option<&str>| {
        let (place, source) = (Clone::clone(place), source.map(str::to_owned));
        catalog.revise(user, &[Revision::Trace { place, source }], at(5)).map(drop)
    };
    trace(&avatar, Some("https://example.org/a")).unwrap();
    let noted = catalog.attachment(id).unwrap().unwrap();
    assert_eq!(noted.source.as_deref(), Some("https://example.org/a"));
    assert_eq!(noted.times.changed, at(5));
    trace(&avatar, None).unwrap();
    assert_eq!(catalog.attachment(id).unwrap().unwrap().source, None);
    assert!(matches!(trace(&place(user, "cover"), None), Err(Error::Missing)));
    assert_eq!(reserve(catalog, "a", 9), noted.blob, "the bytes are the same");
}

fn an_original_is_needed_while_an_attachment_keeps_it(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let made = publish_with_original(catalog, &avatar, "kept", "sent");
    let sent = made.original.clone().unwrap();
    assert_eq!((sent.content.length, sent.blob), (7, reserve(catalog, "sent", 6)));
    assert_eq!(catalog.find(&avatar).unwrap().unwrap().attachment, made);
    assert_eq!(sweep(catalog), 0);
    catalog.unlink(&avatar, at(6)).unwrap();
    assert_eq!(catalog.doom(at(5), FOREVER, 99).unwrap().blobs, [], "not yet");
    assert_eq!(sweep(catalog), 2);
    assert_eq!(catalog.totals().unwrap().blobs, 0);
}

fn a_replaced_original_goes_although_its_attachment_stays(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let first = publish_with_original(catalog, &avatar, "kept", "sent");
    let again = publish_with_original(catalog, &avatar, "kept", "other");
    assert_eq!(first.id, again.id);
    assert_ne!(first.original, again.original);
    assert_eq!(catalog.doom(FOREVER, FOREVER, 99).unwrap().blobs, [first.original.unwrap().blob]);
    assert_eq!(publish(catalog, &avatar, "kept", 9).original, None);
}

fn an_original_that_is_also_attached_stays(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    publish_with_original(catalog, &place(user, "avatar"), "kept", "sent");
    publish(catalog, &place(user, "cover"), "sent", 6);
    catalog.unlink(&place(user, "avatar"), at(7)).unwrap();
    assert_eq!(sweep(catalog), 1);
    publish_with_original(catalog, &place(user, "avatar"), "kept", "sent");
    catalog.unlink(&place(user, "cover"), at(7)).unwrap();
    assert_eq!(sweep(catalog), 0);
    catalog.unlink(&place(user, "avatar"), at(7)).unwrap();
    assert_eq!(sweep(catalog), 2);
}

fn an_original_goes_with_its_attachment_though_the_blob_is_still_used(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let first = publish_with_original(catalog, &place(user, "avatar"), "kept", "sent");
    publish(catalog, &place(user, "cover"), "kept", 6);
    catalog.unlink(&place(user, "avatar"), at(7)).unwrap();
    assert_eq!(sweep(catalog) + sweep(catalog), 1);
    assert_eq!(catalog.attachment(first.id).unwrap(), None);
    assert_eq!(catalog.totals().unwrap().blobs, 1);
}
