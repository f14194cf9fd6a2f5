//! Names inside a row or a collection: which of them mean a file, a variant, a view, and which are scratch (CONTRACT 1).
//! Does not know what a directory holds.

use std::sync::Arc;

use crate::attachment::{Attachment, FieldId};
use crate::catalog::{Link, Place};
use crate::library::row::ROW_JSON;
use crate::library::sidecar::is_report_name;
use crate::media_type::{self, MediaType};
use crate::schema::{Collection, Field};
use crate::slot::Name;
use crate::tree::directory::Directory;
use crate::tree::node::Node;
use crate::tree::side::Side;
use crate::variant::Variant;

/// What a name in a directory stands for.
#[derive(Debug, Clone)]
pub enum Meaning {
    /// `avatar`, `avatar.jpg`: the extension is one that names a media type. In a collection an item.
    File(Place, Arc<Field>),
    /// `avatar@w200.jpg`; none if what follows the `@` is no variant.
    Variant(Place, Arc<Field>, Option<Variant>),
    /// `photos`
    Collection(FieldId),
    /// `row.json`
    RowJson,
    /// `avatar.url`: where the file is, and where it is to be fetched from.
    Url(Place, Arc<Field>),
    /// `front.jpg.REFUSED.txt` in a collection whose refusals are told there.
    Report,
    /// Under `/originals` what has none: views, variants, fields that keep none.
    Nothing,
    Scratch,
}

/// What a name means by itself: in a collection `front@w200.jpg` may be an item or a variant of one ([`variant_in`]).
pub fn meaning(directory: &Directory<'_>, name: &Name) -> Meaning {
    let meaning = own_meaning(directory, name);
    let side = directory.side();
    let is_there = match &meaning {
        Meaning::Scratch | Meaning::Report | Meaning::Nothing => true,
        Meaning::File(_, field) => side.has(field),
        Meaning::Collection(number) => {
            let known = directory.table.collections().find(|(known, _)| known == number);
            known.is_some_and(|(_, field)| side.has(field))
        }
        // Beside originals there are neither variants nor views.
        Meaning::Variant(..) | Meaning::RowJson | Meaning::Url(..) => side == Side::Models,
    };
    if is_there { meaning } else { Meaning::Nothing }
}

fn own_meaning(directory: &Directory<'_>, name: &Name) -> Meaning {
    match directory.field {
        None if matches!(directory.node, Node::DropBox(_)) => Meaning::Scratch,
        None => in_row(directory, name),
        Some(field) if is_report_name(field, name) => Meaning::Report,
        Some(_) if is_temporary(name) => Meaning::Scratch,
        Some(field) => Meaning::File(directory.item(field, field.item(name)), Arc::clone(field)),
    }
}

fn in_row(directory: &Directory<'_>, name: &Name) -> Meaning {
    if name.as_str() == ROW_JSON {
        return Meaning::RowJson;
    }
    let table = directory.table;
    let single = |text: &str| table.field(text).filter(|it| it.collection == Collection::One);
    let place = |field: &Field| directory.one(&field.name);
    if let Some((stem, rest)) = name.as_str().split_once('@')
        && let Some(field) = single(stem)
    {
        return Meaning::Variant(place(field), Arc::clone(field), Variant::parse(rest));
    }
    if let Some(field) = single(name.as_str()) {
        return Meaning::File(place(field), Arc::clone(field));
    }
    if let Some((number, _)) = table.collections().find(|(_, field)| field.name == *name) {
        return Meaning::Collection(number);
    }
    let (stem, extension) = name.split_extension();
    match (single(stem), extension) {
        (Some(field), Some("url")) => Meaning::Url(place(field), Arc::clone(field)),
        (Some(field), Some(extension)) if MediaType::of_extension(extension).is_some() => {
            Meaning::File(place(field), Arc::clone(field))
        }
        _ => Meaning::Scratch,
    }
}

/// Reads a name in a collection as one of a variant: the item's name, and the variant.
pub fn variant_in(directory: &Directory<'_>, name: &Name) -> Option<(Place, Name, Variant)> {
    let field = directory.field.filter(|_| directory.side() == Side::Models)?;
    let (base, rest) = name.as_str().rsplit_once('@')?;
    let variant = Variant::parse(rest)?;
    let base = Name::parse(base).ok()?;
    Some((directory.item(field, field.item(&base)), base, variant))
}

/// The name under which a directory lists a link. In a list its item's; else as it was written if that extension agrees with
/// what is stored (none agrees with everything), else with the stored type's extension.
pub fn listed(link: &Link, collection: Collection) -> Name {
    let own = link.place.name();
    if collection == Collection::List {
        return own.clone();
    }
    let (stem, extension) = media_type::split(&link.written);
    let stored = &link.attachment.content.media_type;
    let agrees = extension.is_none_or(|it| MediaType::of_extension(it).as_ref() == Some(stored));
    // A link that was moved from elsewhere may still carry the name that it had there.
    if agrees && (link.written == *own || stem == own.as_str()) {
        return link.written.clone();
    }
    canonical(link).unwrap_or_else(|| own.clone())
}

/// Whether a name that means the link's slot leads to it: bare, as written, or with the stored type's extension; in a list
/// its item's name alone.
pub fn resolves(link: &Link, collection: Collection, name: &Name) -> bool {
    let alias = || *name == link.written || canonical(link).as_ref() == Some(name);
    name == link.place.name() || (collection != Collection::List && alias())
}

/// `avatar.jpg` for a JPEG.
fn canonical(link: &Link) -> Option<Name> {
    let extension = link.attachment.content.media_type.extension()?;
    Name::parse(&format!("{}.{extension}", link.place.name())).ok()
}

/// Names that programs give to files under way, in the shapes that they have (FACTS 1): `phpAb12Cd` is one, `phpinfo.jpg`
/// is none. Closing one of them in a row is no sign of a mistyped field; in a collection they are no items.
pub fn is_temporary(name: &Name) -> bool {
    const PREFIXES: [&str; 2] = [".", "~$"];
    const SUFFIXES: [&str; 11] = [
        "~",
        ".part",
        ".crdownload",
        ".tmp",
        ".temp",
        ".swp",
        ".filepart",
        ".upload",
        ".download",
        ".partial",
        "_exiftool_tmp",
    ];
    /// sed and PHP; Python; mktemp.
    const RANDOM: [(&str, usize); 4] = [("sed", 6), ("php", 6), ("tmp", 8), ("tmp.", 10)];
    /// vim's probe for a writable directory, and Windows' previews.
    const WHOLE: [&str; 2] = ["4913", "Thumbs.db"];
    let text = name.as_str();
    let random = |(prefix, count): &(&str, usize)| {
        text.strip_prefix(prefix).is_some_and(|rest| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            rest.len() == *count && rest.bytes().all(plain)
        })
    };
    PREFIXES.iter().any(|prefix| text.starts_with(prefix))
        || SUFFIXES.iter().any(|suffix| text.ends_with(suffix))
        || RANDOM.iter().any(random)
        || WHOLE.contains(&text)
        || has_temporary_extension(name)
}

/// `avatar.0000000042`: what nginx copies an upload to before it renames it (ten digits of a counter). `a.jpg_original`:
/// exiftool's backup.
fn has_temporary_extension(name: &Name) -> bool {
    const DIGITS: usize = 10;
    let extension = name.split_extension().1.unwrap_or_default();
    let counts = extension.len() == DIGITS && extension.bytes().all(|byte| byte.is_ascii_digit());
    counts || extension.ends_with("_original")
}

/// Whether a name is that of a journal which `SQLite` keeps beside a database (<https://www.sqlite.org/tempfiles.html>), and
/// the database would be attached: two writers of one have a draft each, and locks that exclude nobody. In a collection,
/// where any name is an item's, the database's must have an extension.
pub fn is_journal(directory: &Directory<'_>, name: &Name) -> bool {
    const SUFFIXES: [&str; 3] = ["-journal", "-wal", "-shm"];
    let database = SUFFIXES.iter().find_map(|suffix| name.as_str().strip_suffix(suffix));
    database.and_then(|text| Name::parse(text).ok()).is_some_and(|database| {
        let told = directory.field.is_none() || database.split_extension().1.is_some();
        told && matches!(meaning(directory, &database), Meaning::File(..))
    })
}

/// The kind of image that a variant without a format of its own takes from its original.
pub fn preset_format(original: &Attachment) -> Option<crate::media_type::Format> {
    let format = original.content.media_type.format()?;
    Some(if format.is_writable() { format } else { crate::media_type::Format::Jpeg })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attachment::Access;
    use crate::attachment::{AttachmentId, BlobKey, Content, RowId, StoreId, TableId, Times};
    use crate::digest::Digest;
    use crate::library::Table;
    use crate::media_type::Format;
    use crate::rule::Rules;
    use crate::schema::{IdRule, Sizes};
    use crate::timestamp::Timestamp;
    use crate::tree::node::Node;

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
            access: crate::access::Policy::default(),
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
            Meaning::Variant(_, _, Some(_)) => "variant",
            Meaning::Variant(_, _, None) => "no variant",
            Meaning::Collection(_) => "collection",
            Meaning::RowJson => "row",
            Meaning::Url(..) => "url",
            Meaning::Report => "report",
            Meaning::Nothing => "nothing",
            Meaning::Scratch => "scratch",
        }
    }

    /// The item that a name in a collection stands for.
    fn item_named(field: &str, text: &str) -> Option<String> {
        match meaning(&collection(&table(), field), &name(text)) {
            Meaning::File(place, _) => place.item.map(|item| item.to_string()),
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
            found.map(|(place, _, variant)| format!("{}@{variant}", place.name()))
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
}
