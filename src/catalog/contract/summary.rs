//! Laws of the totals, and of the number of commits.

use super::{
    ACCESS, at, destination, item, laws, name, picture, place, publish, publish_with_original,
    reserve, row, share, sweep,
};
use crate::catalog::Catalog;
use crate::catalog::summary::{Census, Occupied, Totals};
use words::access::Terms;
use words::attachment::Amendment;
use words::link::Collision;
use words::place::Folder;
use words::variant::Variant;

laws! {
    totals_count_what_there_is
    retired_attachments_are_counted
    a_census_counts_rows_and_files_by_place
    each_change_counts_as_a_commit
}

fn totals_count_what_there_is(catalog: &dyn Catalog) {
    assert_eq!(catalog.totals().unwrap(), Totals::default());
    let user = row(catalog, "1");
    let original = publish(catalog, &place(user, "avatar"), "a", 2).blob;
    publish(catalog, &place(user, "cover"), "a", 2);
    reserve(catalog, "only reserved", 2);
    let thumb = reserve(catalog, "t", 2);
    let variant = "w200.webp";
    let variant = Variant::parse(variant).unwrap();
    catalog.add_variant(original, variant, thumb, &picture(11)).unwrap();
    catalog.add_scratch(&Folder::row(user), &name(".x"), "s", ACCESS, at(3)).unwrap();
    let totals = catalog.totals().unwrap();
    assert_eq!((totals.rows, totals.attachments, totals.blobs), (1, 2, 2));
    assert_eq!((totals.variants, totals.scratch, totals.bytes), (1, 1, 111));
}

fn a_census_counts_rows_and_files_by_place(catalog: &dyn Catalog) {
    assert_eq!(catalog.census().unwrap(), Census::default());
    let page = catalog.table(&name("page")).unwrap();
    catalog.add_row(page, &name("home"), ACCESS, at(1)).unwrap();
    let (one, two) = (row(catalog, "1"), row(catalog, "2"));
    publish_with_original(catalog, &place(one, "photos"), "a", "sent");
    publish(catalog, &item(one, "photos", "b.jpg"), "b", 2);
    publish(catalog, &item(two, "photos", "c.jpg"), "c", 2);
    let occupied = |in_items, files, originals| {
        let (table, field) = (name("user"), name("photos"));
        Occupied { table, field, in_items, files, originals }
    };
    let census = Census {
        rows: vec![(name("page"), 1), (name("user"), 2)],
        places: vec![occupied(false, 1, 1), occupied(true, 2, 0)],
    };
    assert_eq!(catalog.census().unwrap(), census);
}

fn retired_attachments_are_counted(catalog: &dyn Catalog) {
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

fn each_change_counts_as_a_commit(catalog: &dyn Catalog) {
    let user = row(catalog, "1");
    let (avatar, cover, deed) = (place(user, "avatar"), place(user, "cover"), place(user, "deed"));
    let mut seen = catalog.commits();
    let mut moved = |what: &str| {
        let now = catalog.commits();
        assert!(now.is_some() && now > seen, "{what}: {seen:?}, then {now:?}");
        seen = now;
    };
    let id = publish(catalog, &avatar, "a", 2).id;
    moved("publish");
    share(catalog, id, &cover, 3);
    moved("share");
    let written = name("deed");
    let way = destination(&deed, &written, Collision::Refuse);
    catalog.move_link(&cover, way, Terms::default(), at(4)).unwrap();
    moved("move");
    catalog.amend(id, Amendment { mode: Some(0o600), ..Amendment::default() }, at(5)).unwrap();
    moved("amend");
    catalog.set_attribute(id, "user.x", Some(b"x"), at(5)).unwrap();
    moved("set an attribute");
    catalog.unlink(&avatar, at(6)).unwrap();
    moved("unlink");
    catalog.unlink(&deed, at(6)).unwrap();
    moved("unlink the last");
    catalog.doom(at(7), at(7), 10).unwrap();
    moved("doom");
    assert!(catalog.attachment(id).unwrap().is_none());
    assert_eq!(catalog.commits(), seen, "a question");
}
