//! Laws of slots and their links.

use super::{
    ACCESS, FOREVER, at, destination, laws, name, place, publication, publish, reserve, row, share,
};
use crate::catalog::{Catalog, Error};
use words::access::{Fixed, Terms};
use words::attachment::{Amendment, AttachmentId, RowId, ScratchId, VariantId};
use words::link::{Collision, Link};
use words::place::Folder;

laws! {
    changes_to_entries_that_do_not_exist_fail
    a_publication_is_found_as_it_was_made
    a_second_publication_displaces_the_first_and_counts_on
    publishing_the_same_bytes_keeps_the_attachment
    a_shared_attachment_counts_its_links
    sharing_onto_a_taken_slot_follows_the_collision
    a_retired_attachment_is_linked_again_by_sharing
    an_unlinked_slot_is_free_and_the_number_is_not_used_again
    a_moved_link_keeps_its_attachment
    moving_to_itself_changes_the_written_name_only
    moving_onto_another_link_of_the_same_attachment_removes_the_first
    links_exchange_their_slots
    links_are_listed_by_field
    a_row_is_touched_by_what_it_lists
}

fn changes_to_entries_that_do_not_exist_fail(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (nowhere, here) = (place(RowId(99), "avatar"), place(user, "avatar"));
    let kept = publish(catalog, &here, "a", 1).id;
    let key = reserve(catalog, "b", 1);
    let (gone, avatar, change) = (AttachmentId(99), name("avatar"), Amendment::default());
    let (replace, other) = (Collision::Replace, place(user, "other"));
    let missing = [
        catalog.remove_row(RowId(99)).map(drop),
        catalog.rename_row(RowId(99), &avatar, replace, at(1)),
        catalog.amend_row(RowId(99), change, at(1)).map(drop),
        catalog.publish(&publication(&nowhere, key, 1)).map(drop),
        catalog
            .share(gone, destination(&other, &avatar, replace), Fixed::default(), at(1))
            .map(drop),
        catalog
            .share(kept, destination(&nowhere, &avatar, replace), Fixed::default(), at(1))
            .map(drop),
        catalog
            .share(kept, destination(&other, &avatar, Collision::Exchange), Fixed::default(), at(1))
            .map(drop),
        catalog
            .move_link(&other, destination(&here, &avatar, replace), Terms::default(), at(1))
            .map(drop),
        catalog
            .move_link(&here, destination(&nowhere, &avatar, replace), Terms::default(), at(1))
            .map(drop),
        catalog
            .move_link(
                &here,
                destination(&other, &avatar, Collision::Exchange),
                Terms::default(),
                at(1),
            )
            .map(drop),
        catalog.amend(gone, change, at(1)).map(drop),
        catalog.set_attribute(gone, "note", Some(b"x"), at(1)).map(drop),
        catalog.add_scratch(&Folder::row(RowId(99)), &avatar, "s", ACCESS, at(1)).map(drop),
        catalog.rename_scratch(ScratchId(9), &Folder::row(user), &avatar, replace, at(1)).map(drop),
        catalog.amend_scratch(ScratchId(9), change, at(1)).map(drop),
    ];
    for (index, answer) in missing.into_iter().enumerate() {
        assert!(matches!(answer, Err(Error::Missing)), "{index}: {answer:?}");
    }
    assert_eq!(catalog.find(&nowhere).unwrap(), None);
    assert_eq!(catalog.attachment(gone).unwrap(), None);
    assert_eq!(catalog.attributes(gone).unwrap(), []);
    assert_eq!(catalog.unlink(&other, at(1)).unwrap(), None);
    assert_eq!(catalog.variant_by_id(VariantId(9)).unwrap(), None);
    assert_eq!(catalog.remove_scratch(ScratchId(9), at(1)).unwrap(), None);
    assert_eq!(catalog.find(&here).unwrap().unwrap().attachment.links, 1);
}

fn a_publication_is_found_as_it_was_made(catalog: &dyn Catalog) {
    let user = row(catalog, "42");
    let avatar = place(user, "avatar");
    let mut made = publication(&avatar, reserve(catalog, "a", 5), 7);
    made.written = name("avatar.JPG");
    made.attributes = vec![("user.note".into(), b"hello".to_vec())];
    let published = catalog.publish(&made).unwrap();
    assert_eq!(published.displaced, None);
    let link = catalog.find(&avatar).unwrap().unwrap();
    assert_eq!((&link.place, &link.written), (&avatar, &name("avatar.JPG")));
    assert_eq!(link.attachment, published.attachment);
    let found = link.attachment;
    assert_eq!((found.blob, &found.content, found.access), (made.blob, &made.content, ACCESS));
    assert_eq!((found.times, found.committed, found.version), (made.times, at(7), 1));
    assert_eq!((found.links, found.original_filename.as_str()), (1, "avatar"));
    assert_eq!(catalog.attachment(found.id).unwrap(), Some(found.clone()));
    assert_eq!(catalog.attributes(found.id).unwrap(), made.attributes);
    assert_eq!(catalog.places(found.id).unwrap(), [avatar]);
}

fn a_second_publication_displaces_the_first_and_counts_on(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "42"), "avatar");
    let first = publish(catalog, &avatar, "a", 2);
    let key = reserve(catalog, "b", 3);
    let second = catalog.publish(&publication(&avatar, key, 3)).unwrap();
    assert_eq!((second.attachment.version, second.attachment.links), (2, 1));
    assert!(second.attachment.id > first.id);
    let displaced = second.displaced.unwrap();
    assert_eq!((displaced.id, displaced.links), (first.id, 0));
    assert_eq!(catalog.attachment(first.id).unwrap(), Some(displaced));
}

fn publishing_the_same_bytes_keeps_the_attachment(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "42"), "avatar");
    let first = publish(catalog, &avatar, "a", 2);
    let mut again = publication(&avatar, reserve(catalog, "a", 9), 9);
    again.written = name("avatar.jpg");
    again.access.mode = 0o600;
    let published = catalog.publish(&again).unwrap();
    assert_eq!(published.displaced, None);
    let kept = published.attachment;
    assert_eq!((kept.id, kept.version, kept.committed), (first.id, 1, at(2)));
    assert_eq!((kept.blob, kept.links), (first.blob, 1));
    assert_eq!((kept.times.modified, kept.access.mode), (at(9), 0o600));
    assert_eq!(catalog.find(&avatar).unwrap().unwrap().written, name("avatar.jpg"));
}

fn a_shared_attachment_counts_its_links(catalog: &dyn Catalog) {
    let (one, two) = (row(catalog, "1"), row(catalog, "2"));
    let (first, second) = (place(one, "avatar"), place(two, "avatar"));
    let id = publish(catalog, &first, "a", 2).id;
    share(catalog, id, &second, 3);
    assert_eq!(catalog.find(&second).unwrap().unwrap().attachment.links, 2);
    assert_eq!(catalog.places(id).unwrap(), [first.clone(), second.clone()]);
    assert_eq!(catalog.unlink(&first, at(4)).unwrap().unwrap().links, 1);
    let key = reserve(catalog, "b", 5);
    let replaced = catalog.publish(&publication(&second, key, 5)).unwrap().displaced.unwrap();
    assert_eq!((replaced.id, replaced.links), (id, 0));
    assert_eq!(catalog.places(id).unwrap(), []);
}

fn sharing_onto_a_taken_slot_follows_the_collision(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (avatar, cover) = (place(user, "avatar"), place(user, "cover"));
    let (kept, lost) = (publish(catalog, &avatar, "a", 2).id, publish(catalog, &cover, "b", 2).id);
    let share = |written: &str, how| {
        catalog.share(kept, destination(&cover, &name(written), how), Fixed::default(), at(3))
    };
    assert!(matches!(share("cover", Collision::Refuse), Err(Error::Taken)));
    let displaced = share("cover", Collision::Replace).unwrap().unwrap();
    assert_eq!((displaced.id, displaced.links), (lost, 0));
    assert_eq!(share("cover.jpg", Collision::Replace).unwrap(), None);
    let link = catalog.find(&cover).unwrap().unwrap();
    assert_eq!((link.attachment.links, link.written), (2, name("cover.jpg")));
}

fn a_retired_attachment_is_linked_again_by_sharing(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let id = publish(catalog, &avatar, "a", 2).id;
    assert_eq!(catalog.unlink(&avatar, at(3)).unwrap().unwrap().links, 0);
    share(catalog, id, &avatar, 4);
    let back = catalog.find(&avatar).unwrap().unwrap().attachment;
    assert_eq!((back.id, back.links, back.version), (id, 1, 1));
    let doomed = catalog.doom(FOREVER, FOREVER, 9).unwrap();
    assert_eq!(doomed.blobs, []);
}

fn an_unlinked_slot_is_free_and_the_number_is_not_used_again(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let first = publish(catalog, &avatar, "a", 2).id;
    catalog.unlink(&avatar, at(3)).unwrap();
    assert_eq!(catalog.find(&avatar).unwrap(), None);
    assert_eq!(catalog.unlink(&avatar, at(3)).unwrap(), None);
    catalog.doom(at(3), at(3), 9).unwrap();
    assert_eq!(catalog.attachment(first).unwrap(), None);
    assert!(publish(catalog, &avatar, "a", 4).id > first);
}

fn a_moved_link_keeps_its_attachment(catalog: &dyn Catalog) {
    let (one, two) = (row(catalog, "1"), row(catalog, "2"));
    let (from, to) = (place(one, "avatar"), place(two, "cover"));
    let id = publish(catalog, &from, "a", 2).id;
    let go = |from, to, how| {
        catalog.move_link(from, destination(to, &name("x"), how), Terms::default(), at(3))
    };
    assert_eq!(go(&from, &to, Collision::Refuse).unwrap(), None);
    assert_eq!(catalog.find(&from).unwrap(), None);
    let link = catalog.find(&to).unwrap().unwrap();
    assert_eq!((link.attachment.id, link.attachment.links, link.written), (id, 1, name("x")));
    let other = publish(catalog, &from, "b", 4).id;
    assert!(matches!(go(&from, &to, Collision::Refuse), Err(Error::Taken)));
    let displaced = go(&from, &to, Collision::Replace).unwrap().unwrap();
    assert_eq!((displaced.id, displaced.links), (id, 0));
    assert_eq!(catalog.find(&to).unwrap().unwrap().attachment.id, other);
}

fn moving_to_itself_changes_the_written_name_only(catalog: &dyn Catalog) {
    let avatar = place(row(catalog, "1"), "avatar");
    let id = publish(catalog, &avatar, "a", 2).id;
    for how in [Collision::Replace, Collision::Refuse, Collision::Exchange] {
        let moved = catalog.move_link(
            &avatar,
            destination(&avatar, &name("avatar.jpg"), how),
            Terms::default(),
            at(3),
        );
        assert_eq!(moved.unwrap(), None);
    }
    let link = catalog.find(&avatar).unwrap().unwrap();
    assert_eq!((link.attachment.id, link.attachment.links), (id, 1));
    assert_eq!(link.written, name("avatar.jpg"));
}

fn moving_onto_another_link_of_the_same_attachment_removes_the_first(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (avatar, cover) = (place(user, "avatar"), place(user, "cover"));
    let id = publish(catalog, &avatar, "a", 2).id;
    share(catalog, id, &cover, 3);
    let moved = catalog.move_link(
        &avatar,
        destination(&cover, &name("cover"), Collision::Replace),
        Terms::default(),
        at(4),
    );
    assert_eq!(moved.unwrap(), None);
    assert_eq!(catalog.attachment(id).unwrap().unwrap().links, 1);
    assert_eq!(catalog.places(id).unwrap(), [cover]);
}

fn links_exchange_their_slots(catalog: &dyn Catalog) {
    let (one, two) = (row(catalog, "1"), row(catalog, "2"));
    let (left, right) = (place(one, "avatar"), place(two, "cover"));
    let (a, b) = (publish(catalog, &left, "a", 2).id, publish(catalog, &right, "b", 2).id);
    let other = catalog
        .move_link(
            &left,
            destination(&right, &name("cover.png"), Collision::Exchange),
            Terms::default(),
            at(3),
        )
        .unwrap();
    assert_eq!(other.map(|other| (other.id, other.links)), Some((b, 1)));
    let (left, right) = (catalog.find(&left).unwrap(), catalog.find(&right).unwrap());
    let seen = |link: Option<Link>| link.map(|l| (l.attachment.id, l.written));
    assert_eq!(seen(left), Some((b, name("avatar"))));
    assert_eq!(seen(right), Some((a, name("cover.png"))));
}

fn links_are_listed_by_field(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    for field in ["cover", "avatar", "resume"] {
        publish(catalog, &place(user, field), field, 2);
    }
    publish(catalog, &place(row(catalog, "2"), "avatar"), "x", 2);
    let fields: Vec<_> =
        catalog.links(user).unwrap().into_iter().map(|link| link.place.field).collect();
    assert_eq!(fields, [name("avatar"), name("cover"), name("resume")]);
}

fn a_row_is_touched_by_what_it_lists(catalog: &dyn Catalog) {
    let (user, other) = (row(catalog, "1"), row(catalog, "2"));
    let modified = |id| catalog.row_by_id(id).unwrap().unwrap().times.modified;
    let (avatar, cover) = (place(user, "avatar"), place(other, "cover"));
    let id = publish(catalog, &avatar, "a", 10).id;
    assert_eq!(modified(user), at(10));
    publish(catalog, &avatar, "a", 11);
    assert_eq!(modified(user), at(10), "the same bytes under the same name list the same");
    share(catalog, id, &cover, 12);
    assert_eq!((modified(user), modified(other)), (at(10), at(12)));
    catalog.unlink(&cover, at(13)).unwrap();
    assert_eq!(modified(other), at(13));
    catalog
        .move_link(
            &avatar,
            destination(&cover, &name("cover"), Collision::Refuse),
            Terms::default(),
            at(14),
        )
        .unwrap();
    assert_eq!((modified(user), modified(other)), (at(14), at(14)));
    let scratch =
        catalog.add_scratch(&Folder::row(user), &name(".x"), "s", ACCESS, at(15)).unwrap().id;
    assert_eq!(modified(user), at(15));
    catalog
        .rename_scratch(scratch, &Folder::row(other), &name(".y"), Collision::Refuse, at(16))
        .unwrap();
    assert_eq!((modified(user), modified(other)), (at(16), at(16)));
    catalog.remove_scratch(scratch, at(17)).unwrap();
    assert_eq!((modified(user), modified(other)), (at(16), at(17)));
}
