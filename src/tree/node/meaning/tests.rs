//! The meaning of names in a row and in collections.

use super::*;
use words::attachment::{
    Access, Attachment, AttachmentId, BlobKey, Content, StoreId, TableId, Times,
};
use words::digest::Digest;
use words::media_type::Format;
use words::rule::Rules;
use words::schema::{IdRule, Sizes};
use words::timestamp::Timestamp;

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn table() -> Table {
    let field = |text, collection| {
        let plain = Field::new(name(text), Rules::image());
        Arc::new(Field { sizes: Sizes::Any, collection, ..plain })
    };
    Table {
        id: TableId(1),
        name: name("user"),
        rule: IdRule::Integer,
        access: words::access::Policy::default(),
        fields: vec![
            field("avatar", Collection::One),
            field("photos", Collection::List),
            field("sides", Collection::Dict),
        ],
        numbers: vec![FieldId(1), FieldId(2), FieldId(3)],
    }
}

fn row(table: &Table) -> Directory<'_> {
    let (row, node) = (RowId(1), Node::Row(table.id, RowId(1)));
    Directory { table, row, field: None, node }
}

fn collection<'t>(table: &'t Table, field: &str) -> Directory<'t> {
    Directory { field: table.field(field), ..row(table) }
}

fn link(place: Place, written: &str, format: Format) -> Link {
    let content = Content { media_type: format.media_type(), length: 1, dimensions: None };
    let attachment = Attachment {
        id: AttachmentId(1),
        blob: BlobKey { store: StoreId::default(), digest: Digest::of(b"x"), generation: 1 },
        content,
        access: Access { uid: 0, gid: 0, mode: 0o644 },
        times: Times::all(Timestamp(0)),
        committed: Timestamp(0),
        version: 1,
        original_filename: written.into(),
        source: None,
        original: None,
        links: 1,
    };
    Link { place, written: name(written), attachment, position: 0 }
}

fn avatar(written: &str, format: Format) -> Link {
    link(Place::one(RowId(1), name("avatar")), written, format)
}

fn item_of(field: &str, item: &str, written: &str, format: Format) -> Link {
    let place = Place { row: RowId(1), field: name(field), item: Some(name(item)) };
    link(place, written, format)
}

fn kind(text: &str) -> &'static str {
    match meaning(&row(&table()), &name(text)) {
        Meaning::File(..) => "field",
        Meaning::Variant(_, Some(_)) => "variant",
        Meaning::Variant(_, None) => "no variant",
        Meaning::Collection(_) => "collection",
        Meaning::RowJson => "row",
        Meaning::RowError => "error",
        Meaning::Url(..) => "url",
        Meaning::Report => "report",
        Meaning::Nothing => "nothing",
        Meaning::Scratch => "scratch",
    }
}

/// The item that a name in a collection stands for.
fn item_named(field: &str, text: &str) -> Option<String> {
    match meaning(&collection(&table(), field), &name(text)) {
        Meaning::File(spot) => spot.place.item.map(|item| item.to_string()),
        _ => None,
    }
}

#[test]
fn under_originals_a_name_means_what_is_kept_there_or_scratch() {
    let table = table();
    let node = Node::OriginalRow(table.id, RowId(1));
    let means = |text: &str| meaning(&Directory { node, ..row(&table) }, &name(text));
    for text in ["avatar", "avatar.jpg", "photos", "avatar@w16.jpg", "row.json", "avatar.url"] {
        assert!(matches!(means(text), Meaning::Nothing), "{text}");
    }
    assert!(matches!(means("x.part"), Meaning::Scratch));
    let mut kept = table;
    let keep = |field: &Arc<Field>| Field { keep_original: true, ..Field::clone(field) };
    kept.fields = kept.fields.iter().map(|field| Arc::new(keep(field))).collect();
    let means = |text: &str| meaning(&Directory { node, ..row(&kept) }, &name(text));
    assert!(matches!(means("avatar.jpg"), Meaning::File(..)));
    assert!(matches!(means("photos"), Meaning::Collection(_)));
    assert!(matches!(means("avatar@w16.jpg"), Meaning::Nothing));
}

#[test]
fn a_field_is_meant_by_its_name_and_by_any_known_extension() {
    for text in ["avatar", "avatar.jpg", "avatar.PNG", "avatar.pdf"] {
        assert_eq!(kind(text), "field", "{text}");
    }
    for text in
        ["avatars", "avatar.part", "avatar~", ".avatar.jpg.x1Y2z3", "avatar.jpg.bak", "Avatar"]
    {
        assert_eq!(kind(text), "scratch", "{text}");
    }
    assert_eq!(kind("avatar@w200.jpg"), "variant");
    assert_eq!(kind("avatar@huge.jpg"), "no variant");
    assert_eq!(kind("row.json"), "row");
    assert_eq!(kind("avatar.url"), "url");
}

#[test]
fn a_collection_is_meant_by_its_name_alone() {
    assert_eq!((kind("photos"), kind("sides")), ("collection", "collection"));
    for text in ["photos.jpg", "photos@w200.jpg", "Photos"] {
        assert_eq!(kind(text), "scratch", "{text}");
    }
}

#[test]
fn a_field_is_listed_as_written_when_the_extension_agrees() {
    let listed = |written, format| listed(&avatar(written, format), Collection::One);
    assert_eq!(listed("avatar", Format::Jpeg), name("avatar"));
    assert_eq!(listed("avatar.JPG", Format::Jpeg), name("avatar.JPG"));
    assert_eq!(listed("avatar.png", Format::Jpeg), name("avatar.jpg"));
}

#[test]
fn a_field_resolves_bare_as_written_and_by_the_stored_type_only() {
    let link = avatar("avatar.png", Format::Jpeg);
    for text in ["avatar", "avatar.png", "avatar.jpg"] {
        assert!(resolves(&link, Collection::One, &name(text)), "{text}");
    }
    assert!(!resolves(&link, Collection::One, &name("avatar.webp")));
    assert!(!resolves(&link, Collection::One, &name("avatar.JPG")));
}

#[test]
fn an_item_of_a_list_keeps_the_clients_name() {
    for text in ["a.jpg", "a.PNG", "row.json", "a.b", "me@home.jpg", "phpinfo.jpg"] {
        assert_eq!(item_named("photos", text).as_deref(), Some(text));
        let link = item_of("photos", text, text, Format::Webp);
        assert_eq!(listed(&link, Collection::List), name(text));
        assert!(resolves(&link, Collection::List, &name(text)));
    }
    let link = item_of("photos", "a.jpg", "a.jpg", Format::Webp);
    for other in ["a", "a.webp", "a.JPG"] {
        assert!(!resolves(&link, Collection::List, &name(other)), "{other}");
    }
}

#[test]
fn the_key_of_a_dict_is_the_stem() {
    for (text, key) in [
        ("front.jpg", "front"),
        ("front.PNG", "front"),
        ("front", "front"),
        ("a.b.jpg", "a.b"),
        // Not the name of a media type: a bare key must lead to its item.
        ("v1.2", "v1.2"),
    ] {
        assert_eq!(item_named("sides", text).as_deref(), Some(key));
    }
}

#[test]
fn a_journal_is_one_when_its_database_would_be_attached() {
    let table = table();
    let (row, photos) = (row(&table), collection(&table, "photos"));
    for text in ["avatar-journal", "avatar.png-wal", "avatar-shm"] {
        assert!(is_journal(&row, &name(text)), "{text}");
    }
    for text in ["x.db-journal", "avatar", "-journal", "avatar-journals", "avatar~-wal"] {
        assert!(!is_journal(&row, &name(text)), "{text}");
    }
    assert!(is_journal(&photos, &name("x.db-journal")));
    for text in ["my-journal", "x.tmp-journal", "-wal"] {
        assert!(!is_journal(&photos, &name(text)), "{text}");
    }
}

#[test]
fn keys_that_differ_by_case_or_normalisation_are_different_keys() {
    let keys = ["front.jpg", "Front.jpg", "caf\u{e9}.jpg", "cafe\u{301}.jpg"];
    let keys: std::collections::HashSet<_> =
        keys.into_iter().map(|text| item_named("sides", text)).collect();
    assert_eq!(keys.len(), 4);
}

#[test]
fn an_item_of_a_dict_is_listed_and_found_like_a_field() {
    let link = item_of("sides", "front", "front.png", Format::Jpeg);
    assert_eq!(listed(&link, Collection::Dict), name("front.jpg"));
    for text in ["front", "front.png", "front.jpg"] {
        assert!(resolves(&link, Collection::Dict, &name(text)), "{text}");
    }
    assert!(!resolves(&link, Collection::Dict, &name("front.webp")));
    let bare = item_of("sides", "v1.2", "v1.2", Format::Jpeg);
    assert_eq!(listed(&bare, Collection::Dict), name("v1.2"));
}

#[test]
fn a_name_in_a_collection_may_be_one_of_a_variant() {
    let table = table();
    let base = |field, text| {
        let found = variant_in(&collection(&table, field), &name(text));
        found.map(|found| format!("{}@{}", found.item.place.name(), found.variant))
    };
    assert_eq!(base("sides", "front@w200.jpg").as_deref(), Some("front@w200.jpg"));
    assert_eq!(base("sides", "front.jpg@w200.png").as_deref(), Some("front@w200.png"));
    assert_eq!(base("photos", "me@home.jpg@w200.png").as_deref(), Some("me@home.jpg@w200.png"));
    assert_eq!(base("photos", "me@home.jpg"), None);
}

#[test]
fn temporary_names_are_known_by_their_shape() {
    for text in [
        ".x.jpg.Ab12",
        ".DS_Store",
        "~$letter.docx",
        "sedAbCdEf",
        "phpX1y2Z3",
        "tmpab_12xyz",
        "tmp.Ab12Cd34Ef",
        "4913",
        "photo.crdownload",
        "x~",
        ".in.x.jpg.",
        "avatar.jpg.0000000042",
        "avatar.jpg_exiftool_tmp",
        "avatar.jpg_original",
    ] {
        assert!(is_temporary(&name(text)), "{text}");
        assert_eq!(item_named("photos", text), None, "{text}");
    }
    for text in [
        "avatr.jpg",
        "phpinfo.jpg",
        "sedan.jpg",
        "tmp.jpg",
        "4913.jpg",
        "49131",
        "sedate",
        "avatr.20261124",
        "a_original",
    ] {
        assert!(!is_temporary(&name(text)), "{text}");
    }
}
