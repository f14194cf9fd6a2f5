//! Laws of the access that slots fix: a link that arrives there gets it in the same transaction.

use super::{ACCESS, at, destination, laws, name, place, publish, row};
use crate::catalog::slots::Rehoming;
use crate::catalog::{Catalog, Error};
use words::access::{Fixed, Terms};
use words::attachment::{Access, AttachmentId, StoreId};
use words::digest::Digest;
use words::link::Collision;
use words::quota::{Account, Limits, Quota};

laws! {
    sharing_sets_what_the_slot_fixes
    a_move_sets_what_the_slot_fixes_and_an_exchange_at_both_ends
    a_move_to_another_store_sets_what_the_slot_fixes
    sharing_from_the_trash_sets_what_the_slot_fixes_and_an_undone_unlink_does_not
    a_move_that_fails_or_goes_nowhere_sets_nothing
    a_fixed_owner_is_charged_and_held_to_its_quota
}

const THERE: Fixed = Fixed { uid: Some(33), gid: None, mode: Some(0o640) };
const BACK: Fixed = Fixed { uid: None, gid: Some(34), mode: None };
const TERMS: Terms = Terms { there: THERE, back: BACK };

fn access(catalog: &dyn Catalog, id: AttachmentId) -> Access {
    catalog.attachment(id).unwrap().unwrap().access
}

fn sharing_sets_what_the_slot_fixes(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let id = publish(catalog, &place(user, "avatar"), "a", 2).id;
    let cover = place(user, "cover");
    catalog
        .share(id, destination(&cover, &name("cover"), Collision::Refuse), THERE, at(3))
        .unwrap();
    assert_eq!(access(catalog, id), THERE.of(ACCESS));
}

fn a_move_sets_what_the_slot_fixes_and_an_exchange_at_both_ends(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (avatar, cover) = (place(user, "avatar"), place(user, "cover"));
    let one = publish(catalog, &avatar, "a", 2).id;
    let moved =
        |from, to, how| catalog.move_link(from, destination(to, &name("x"), how), TERMS, at(3));
    moved(&avatar, &cover, Collision::Refuse).unwrap();
    assert_eq!(access(catalog, one), THERE.of(ACCESS));
    let other = publish(catalog, &avatar, "b", 4).id;
    let back = moved(&avatar, &cover, Collision::Exchange).unwrap().unwrap();
    assert_eq!((back.id, back.access), (one, BACK.of(THERE.of(ACCESS))));
    assert_eq!((access(catalog, one), access(catalog, other)), (back.access, THERE.of(ACCESS)));
}

fn a_move_to_another_store_sets_what_the_slot_fixes(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (from, to) = (place(user, "avatar"), place(user, "deed"));
    let id = publish(catalog, &from, "a", 2).id;
    catalog.store(&name("cold")).unwrap();
    let blob = catalog.reserve(StoreId(1), Digest::of(b"a"), at(3)).unwrap().key();
    let (written, collision) = (name("deed"), Collision::Refuse);
    let way =
        Rehoming { from, to, written, collision, blob, original: None, fixed: THERE, now: at(4) };
    catalog.rehome(&way).unwrap();
    assert_eq!(access(catalog, id), THERE.of(ACCESS));
}

fn sharing_from_the_trash_sets_what_the_slot_fixes_and_an_undone_unlink_does_not(
    catalog: &dyn Catalog,
) {
    let avatar = place(row(catalog, "1"), "avatar");
    let id = publish(catalog, &avatar, "a", 2).id;
    catalog.unlink(&avatar, at(3)).unwrap();
    catalog.put_back(id, &avatar, &name("avatar"), at(4)).unwrap();
    assert_eq!(access(catalog, id), ACCESS);
    catalog.unlink(&avatar, at(5)).unwrap();
    catalog
        .share(id, destination(&avatar, &name("avatar"), Collision::Refuse), THERE, at(6))
        .unwrap();
    assert_eq!(access(catalog, id), THERE.of(ACCESS));
}

fn a_move_that_fails_or_goes_nowhere_sets_nothing(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (avatar, cover) = (place(user, "avatar"), place(user, "cover"));
    let (one, other) = (publish(catalog, &avatar, "a", 2).id, publish(catalog, &cover, "b", 2).id);
    let refuse = Collision::Refuse;
    let shared = catalog.share(one, destination(&cover, &name("cover"), refuse), THERE, at(3));
    assert!(matches!(shared, Err(Error::Taken)));
    let moved =
        catalog.move_link(&avatar, destination(&cover, &name("cover"), refuse), TERMS, at(3));
    assert!(matches!(moved, Err(Error::Taken)));
    catalog.move_link(&avatar, destination(&avatar, &name("a.png"), refuse), TERMS, at(3)).unwrap();
    assert_eq!((access(catalog, one), access(catalog, other)), (ACCESS, ACCESS));
}

fn a_fixed_owner_is_charged_and_held_to_its_quota(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (avatar, cover) = (place(user, "avatar"), place(user, "cover"));
    let id = publish(catalog, &avatar, "a", 2).id;
    let limit = |files| {
        let uid = Quota { files: Some(files), ..Quota::default() };
        catalog.limit(Limits { uid, ..Limits::default() });
    };
    limit(0);
    let go = || {
        catalog.move_link(&avatar, destination(&cover, &name("x"), Collision::Refuse), TERMS, at(3))
    };
    assert!(matches!(go(), Err(Error::Quota(excess)) if excess.account == Account::Uid(33)));
    assert_eq!(access(catalog, id), ACCESS);
    limit(1);
    go().unwrap();
    let files = |uid| catalog.usage(Account::Uid(uid)).unwrap().files;
    assert_eq!((files(ACCESS.uid), files(33)), (0, 1));
}
