//! Laws of slots that are items of collections.

use super::{at, destination, item, laws, name, place, publish, row, share};
use crate::catalog::slots::{Revision, VACANCY};
use crate::catalog::{Catalog, Error};
use words::access::Terms;
use words::attachment::RowId;
use words::link::Collision;
use words::place::Place;

laws! {
    items_are_listed_in_the_order_of_their_arrival
    single_fields_are_listed_by_name_without_the_items
    items_follow_one_another_by_their_positions
    a_replaced_item_keeps_its_position
    a_renamed_item_keeps_its_position_unless_it_takes_anothers
    an_item_from_elsewhere_comes_last
    an_item_that_comes_back_in_time_has_its_position_again
    arranged_items_come_first_and_the_others_follow
    a_row_is_revised_completely_or_not_at_all
    an_item_and_a_single_field_of_one_name_are_two_slots
}

fn order(catalog: &dyn Catalog, row: RowId) -> Vec<String> {
    let items = catalog.items(row, &name("photos")).unwrap();
    items.into_iter().map(|link| link.place.item.unwrap().to_string()).collect()
}

fn filled(catalog: &dyn Catalog) -> RowId {
    let user = row(catalog, "1");
    for (now, text) in (2..).zip(["c", "a", "b"]) {
        publish(catalog, &item(user, "photos", text), text, now);
    }
    user
}

fn items_are_listed_in_the_order_of_their_arrival(catalog: &dyn Catalog) {
    let user = filled(catalog);
    publish(catalog, &place(user, "avatar"), "x", 9);
    assert_eq!(order(catalog, user), ["c", "a", "b"]);
    assert_eq!(catalog.count_items(user, &name("photos")).unwrap(), 3);
    assert_eq!(catalog.count_items(user, &name("avatar")).unwrap(), 0);
    let links = catalog.links(user).unwrap();
    let names: Vec<_> = links.iter().map(|link| link.place.item.as_ref()).collect();
    assert_eq!(names, [None, Some(&name("c")), Some(&name("a")), Some(&name("b"))]);
}

fn single_fields_are_listed_by_name_without_the_items(catalog: &dyn Catalog) {
    let user = filled(catalog);
    for field in ["cover", "avatar"] {
        publish(catalog, &place(user, field), field, 9);
    }
    let singles = catalog.singles(user).unwrap();
    let fields: Vec<_> = singles.iter().map(|link| link.place.field.as_str()).collect();
    assert_eq!(fields, ["avatar", "cover"]);
    assert_eq!(catalog.singles(RowId(99)).unwrap(), []);
}

fn items_follow_one_another_by_their_positions(catalog: &dyn Catalog) {
    let user = filled(catalog);
    let positions = |catalog: &dyn Catalog| -> Vec<u64> {
        let items = catalog.items(user, &name("photos")).unwrap();
        items.iter().map(|link| link.position).collect()
    };
    let before = positions(catalog);
    assert!(before.is_sorted_by(|one, next| one < next), "{before:?}");
    catalog.unlink(&item(user, "photos", "a"), at(9)).unwrap();
    assert_eq!(positions(catalog), [before[0], before[2]], "the others keep theirs");
}

fn a_replaced_item_keeps_its_position(catalog: &dyn Catalog) {
    let user = filled(catalog);
    publish(catalog, &item(user, "photos", "a"), "other", 9);
    assert_eq!(order(catalog, user), ["c", "a", "b"]);
}

fn a_renamed_item_keeps_its_position_unless_it_takes_anothers(catalog: &dyn Catalog) {
    let user = filled(catalog);
    let photo = |text| item(user, "photos", text);
    let rename = |from, to, how| {
        catalog
            .move_link(
                &photo(from),
                destination(&photo(to), &name(to), how),
                Terms::default(),
                at(9),
            )
            .unwrap()
    };
    rename("a", "z", Collision::Refuse);
    assert_eq!(order(catalog, user), ["c", "z", "b"]);
    rename("b", "c", Collision::Replace);
    assert_eq!(order(catalog, user), ["c", "z"]);
    assert_eq!(catalog.find(&photo("c")).unwrap().unwrap().written, name("c"));
    let before = catalog.find(&photo("z")).unwrap().unwrap().attachment.id;
    rename("c", "z", Collision::Exchange);
    assert_eq!(order(catalog, user), ["c", "z"]);
    assert_eq!(catalog.find(&photo("c")).unwrap().unwrap().attachment.id, before);
}

fn an_item_from_elsewhere_comes_last(catalog: &dyn Catalog) {
    let (user, other) = (filled(catalog), row(catalog, "2"));
    publish(catalog, &item(other, "photos", "a0"), "x", 9);
    let (from, to) = (item(other, "photos", "a0"), item(user, "photos", "a0"));
    catalog
        .move_link(&from, destination(&to, &name("a0"), Collision::Refuse), Terms::default(), at(9))
        .unwrap();
    assert_eq!(order(catalog, user), ["c", "a", "b", "a0"]);
    let avatar = publish(catalog, &place(user, "avatar"), "y", 9).id;
    let to = item(user, "photos", "0");
    share(catalog, avatar, &to, 9);
    assert_eq!(order(catalog, user), ["c", "a", "b", "a0", "0"]);
}

fn an_item_that_comes_back_in_time_has_its_position_again(catalog: &dyn Catalog) {
    let user = filled(catalog);
    let photo = |text| item(user, "photos", text);
    let late = 9 + 1 + i64::try_from(VACANCY.as_nanos()).unwrap();
    catalog.unlink(&photo("a"), at(9)).unwrap();
    publish(catalog, &photo("new"), "n", 9);
    publish(catalog, &photo("a"), "other", 10);
    assert_eq!(order(catalog, user), ["c", "a", "b", "new"]);
    // An item that is moved out and back.
    let out = place(user, "avatar");
    let rename = |from: &Place, to: &Place, text: &str, now| {
        catalog
            .move_link(
                from,
                destination(to, &name(text), Collision::Refuse),
                Terms::default(),
                at(now),
            )
            .unwrap();
    };
    rename(&photo("c"), &out, "avatar", 9);
    rename(&out, &photo("c"), "c", 9);
    assert_eq!(order(catalog, user), ["c", "a", "b", "new"]);
    // An item under the old name of a renamed one is new.
    rename(&photo("a"), &photo("z"), "z", 9);
    publish(catalog, &photo("a"), "newest", 9);
    assert_eq!(order(catalog, user), ["c", "z", "b", "new", "a"]);
    catalog.unlink(&photo("c"), at(9)).unwrap();
    publish(catalog, &photo("c"), "late", late);
    assert_eq!(order(catalog, user), ["z", "b", "new", "a", "c"]);
}

fn arranged_items_come_first_and_the_others_follow(catalog: &dyn Catalog) {
    let user = filled(catalog);
    let arrange = |row, wanted: &[&str]| {
        let order = wanted.iter().map(|text| name(text)).collect();
        catalog.revise(row, &[Revision::Arrange { field: name("photos"), order }], at(9))
    };
    arrange(user, &["b"]).unwrap();
    assert_eq!(order(catalog, user), ["b", "c", "a"]);
    arrange(user, &["a", "nothing", "c", "b"]).unwrap();
    assert_eq!(order(catalog, user), ["a", "c", "b"]);
    publish(catalog, &item(user, "photos", "0"), "new", 9);
    assert_eq!(order(catalog, user), ["a", "c", "b", "0"]);
    assert!(matches!(arrange(RowId(9), &[]), Err(Error::Missing)));
}

fn a_row_is_revised_completely_or_not_at_all(catalog: &dyn Catalog) {
    let user = filled(catalog);
    let photo = |text| item(user, "photos", text);
    let annotate = |text, value: Option<&str>| Revision::Annotate {
        place: photo(text),
        name: "json.note".into(),
        value: value.map(|value| value.as_bytes().to_vec()),
    };
    let rename = Revision::Rename { place: photo("a"), original_filename: "me.jpg".into() };
    let lost = Revision::Detach(photo("b"));
    let bad = [rename.clone(), lost.clone(), annotate("b", Some("x"))];
    assert!(matches!(catalog.revise(user, &bad, at(9)), Err(Error::Missing)));
    let a = catalog.find(&photo("a")).unwrap().unwrap().attachment;
    assert_ne!(a.original_filename, "me.jpg");
    assert_eq!(order(catalog, user), ["c", "a", "b"]);

    let b = catalog.find(&photo("b")).unwrap().unwrap().attachment.id;
    let displaced = catalog.revise(user, &[rename, lost, annotate("a", Some("x"))], at(9)).unwrap();
    assert_eq!(displaced.iter().map(|it| (it.id, it.links)).collect::<Vec<_>>(), [(b, 0)]);
    let renamed = catalog.find(&photo("a")).unwrap().unwrap().attachment;
    assert_eq!((renamed.id, renamed.original_filename.as_str()), (a.id, "me.jpg"));
    assert_eq!((renamed.times.modified, renamed.times.changed), (a.times.modified, at(9)));
    assert_eq!(catalog.attributes(a.id).unwrap(), [("json.note".to_owned(), b"x".to_vec())]);
    let require = |text, id| Revision::Require { place: photo(text), id };
    for other in [require("a", b), require("b", b), require("nothing", a.id)] {
        let refused = catalog.revise(user, &[annotate("a", None), other], at(9));
        assert!(matches!(refused, Err(Error::Missing)));
    }
    assert_eq!(catalog.attributes(a.id).unwrap().len(), 1);
    catalog.revise(user, &[require("a", a.id), annotate("a", None)], at(9)).unwrap();
    assert_eq!(catalog.attributes(a.id).unwrap(), []);
}

fn an_item_and_a_single_field_of_one_name_are_two_slots(catalog: &dyn Catalog) {
    let user = filled(catalog);
    assert_eq!(catalog.find(&place(user, "photos")).unwrap(), None);
    publish(catalog, &place(user, "photos"), "whole", 9);
    assert_eq!(order(catalog, user), ["c", "a", "b"]);
    assert!(catalog.unlink(&item(user, "photos", "a"), at(9)).unwrap().is_some());
    assert!(catalog.find(&place(user, "photos")).unwrap().is_some());
    assert!(matches!(catalog.remove_row(user), Err(Error::NotEmpty)));
}
