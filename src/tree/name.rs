//! Names inside a row: which of them mean a field, a variant, a view, and which are scratch (CONTRACT 1).
//! Does not know what a row holds.

use std::sync::Arc;

use crate::attachment::Attachment;
use crate::catalog::Link;
use crate::library::Table;
use crate::library::row::ROW_JSON;
use crate::media_type::MediaType;
use crate::schema::Field;
use crate::slot::Name;
use crate::variant::Variant;

/// What a name in a row stands for.
#[derive(Debug, Clone)]
pub enum Meaning {
    /// `avatar`, `avatar.jpg`: the extension is one that names a media type.
    Field(Arc<Field>),
    /// `avatar@w200.jpg`; none if what follows the `@` is no variant.
    Variant(Arc<Field>, Option<Variant>),
    /// `row.json`
    RowJson,
    /// `avatar.url`: read and written in ways of its own.
    View,
    Scratch,
}

pub fn meaning(table: &Table, name: &Name) -> Meaning {
    if name.as_str() == ROW_JSON {
        return Meaning::RowJson;
    }
    if let Some((stem, rest)) = name.as_str().split_once('@')
        && let Some(field) = table.field(stem)
    {
        return Meaning::Variant(Arc::clone(field), Variant::parse(rest));
    }
    if let Some(field) = table.field(name.as_str()) {
        return Meaning::Field(Arc::clone(field));
    }
    let (stem, extension) = name.split_extension();
    match (table.field(stem), extension) {
        (Some(_), Some("url")) => Meaning::View,
        (Some(field), Some(extension)) if MediaType::of_extension(extension).is_some() => {
            Meaning::Field(Arc::clone(field))
        }
        _ => Meaning::Scratch,
    }
}

/// The name under which a directory lists a link: as it was written if that extension agrees with what is stored (none
/// agrees with everything), else with the stored type's extension.
pub fn listed(link: &Link) -> Name {
    let (_, extension) = link.written.split_extension();
    let media_type = &link.attachment.content.media_type;
    let agrees =
        extension.is_none_or(|it| MediaType::of_extension(it).as_ref() == Some(media_type));
    if agrees && names_field(link) {
        return link.written.clone();
    }
    canonical(link).unwrap_or_else(|| link.place.field.clone())
}

/// Whether a name that means the link's field leads to it: bare, as written, or with the stored type's extension.
pub fn resolves(link: &Link, name: &Name) -> bool {
    *name == link.place.field || *name == link.written || canonical(link).as_ref() == Some(name)
}

/// `avatar.jpg` for a JPEG.
fn canonical(link: &Link) -> Option<Name> {
    let extension = link.attachment.content.media_type.extension()?;
    Name::parse(&format!("{}.{extension}", link.place.field)).ok()
}

/// A link that was moved from another field may still carry that field's name.
fn names_field(link: &Link) -> bool {
    let field = link.place.field.as_str();
    link.written.as_str() == field || link.written.split_extension().0 == field
}

/// Names that programs give to files under way (FACTS 1): closing one of them is no sign of a mistyped field.
pub fn is_temporary(name: &Name) -> bool {
    const PREFIXES: [&str; 6] = [".", "~$", "sed", "4913", "tmp", "php"];
    const SUFFIXES: [&str; 11] = [
        "~",
        "_exiftool_tmp",
        ".part",
        ".crdownload",
        ".tmp",
        ".temp",
        ".swp",
        ".filepart",
        ".upload",
        ".download",
        ".partial",
    ];
    let text = name.as_str();
    PREFIXES.iter().any(|prefix| text.starts_with(prefix))
        || SUFFIXES.iter().any(|suffix| text.ends_with(suffix))
        || text == "Thumbs.db"
        || is_nginx_upload(name)
}

/// `avatar.0000000042`: what nginx copies an upload to before it renames it (ten digits of a counter).
fn is_nginx_upload(name: &Name) -> bool {
    const DIGITS: usize = 10;
    let extension = name.split_extension().1.unwrap_or_default();
    extension.len() == DIGITS && extension.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a name is that of a journal which `SQLite` keeps beside a database (<https://www.sqlite.org/tempfiles.html>), and
/// the database would be a field: two writers of one have a draft each, and locks that exclude nobody.
pub fn is_journal_of_field(table: &Table, name: &Name) -> bool {
    const SUFFIXES: [&str; 3] = ["-journal", "-wal", "-shm"];
    let database = SUFFIXES.iter().find_map(|suffix| name.as_str().strip_suffix(suffix));
    database
        .and_then(|text| Name::parse(text).ok())
        .is_some_and(|database| matches!(meaning(table, &database), Meaning::Field(_)))
}

/// The kind of image that a variant without a format of its own takes from its original.
pub fn preset_format(original: &Attachment) -> Option<crate::media_type::Format> {
    let format = original.content.media_type.format()?;
    Some(if format.is_writable() { format } else { crate::media_type::Format::Jpeg })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attachment::{
        Access, AttachmentId, BlobKey, Content, FieldId, RowId, StoreId, TableId, Times,
    };
    use crate::catalog::Place;
    use crate::digest::Digest;
    use crate::media_type::Format;
    use crate::rule::Rules;
    use crate::schema::{IdRule, Sizes};
    use crate::timestamp::Timestamp;

    fn name(text: &str) -> Name {
        Name::parse(text).expect("a name")
    }

    fn table() -> Table {
        let field =
            |text| Arc::new(Field { sizes: Sizes::Any, ..Field::new(name(text), Rules::image()) });
        Table {
            id: TableId(1),
            name: name("user"),
            rule: IdRule::Integer,
            fields: vec![field("avatar")],
            numbers: vec![FieldId(1)],
        }
    }

    fn link(written: &str, format: Format) -> Link {
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
        Link { place: Place::one(RowId(1), name("avatar")), written: name(written), attachment }
    }

    fn kind(text: &str) -> &'static str {
        match meaning(&table(), &name(text)) {
            Meaning::Field(_) => "field",
            Meaning::Variant(_, Some(_)) => "variant",
            Meaning::Variant(_, None) => "no variant",
            Meaning::RowJson => "row",
            Meaning::View => "view",
            Meaning::Scratch => "scratch",
        }
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
        assert_eq!(kind("avatar.url"), "view");
    }

    #[test]
    fn a_field_is_listed_as_written_when_the_extension_agrees() {
        assert_eq!(listed(&link("avatar", Format::Jpeg)), name("avatar"));
        assert_eq!(listed(&link("avatar.JPG", Format::Jpeg)), name("avatar.JPG"));
        assert_eq!(listed(&link("avatar.png", Format::Jpeg)), name("avatar.jpg"));
    }

    #[test]
    fn a_field_resolves_bare_as_written_and_by_the_stored_type_only() {
        let link = link("avatar.png", Format::Jpeg);
        for text in ["avatar", "avatar.png", "avatar.jpg"] {
            assert!(resolves(&link, &name(text)), "{text}");
        }
        assert!(!resolves(&link, &name("avatar.webp")));
        assert!(!resolves(&link, &name("avatar.JPG")));
    }

    #[test]
    fn temporary_names_are_known() {
        for text in [
            ".x.jpg.Ab12",
            "~$letter.docx",
            "sedAbCdEf",
            "photo.crdownload",
            "x~",
            ".in.x.jpg.",
            "avatar.jpg.0000000042",
            "avatar.jpg_exiftool_tmp",
        ] {
            assert!(is_temporary(&name(text)), "{text}");
        }
        for text in ["avatr.jpg", "avatr.20261124", "avatr.000000000x"] {
            assert!(!is_temporary(&name(text)), "{text}");
        }
    }

    #[test]
    fn a_journal_is_a_fields_when_its_database_would_be_one() {
        for text in ["avatar-journal", "avatar.png-wal", "avatar-shm"] {
            assert!(is_journal_of_field(&table(), &name(text)), "{text}");
        }
        for text in ["x.db-journal", "avatar", "-journal", "avatar-journals", "avatar~-wal"] {
            assert!(!is_journal_of_field(&table(), &name(text)), "{text}");
        }
    }
}
