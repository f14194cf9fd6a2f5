//! Names inside a row or a collection: which of them mean a file, a variant, a view, and which are scratch (CONTRACT 1).
//! Does not know what a directory holds.

use std::sync::Arc;

use crate::library::json::ROW_JSON;
use crate::library::scratch::report_name::{has_suffix, is_report_name};
use crate::tree::directory::Directory;
use crate::tree::node::Node;
use crate::tree::side::Side;
use words::attachment::{Attachment, FieldId};
use words::link::Link;
use words::media_type::{self, MediaType};
use words::place::Place;
use words::schema::{Collection, Field};
use words::slot::Name;
use words::variant::Variant;

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
    /// `front.jpg.REFUSED.txt` in a collection whose refusals are told there, and in a drop box.
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
        None if matches!(directory.node, Node::DropBox(_)) && has_suffix(name) => Meaning::Report,
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
pub fn preset_format(original: &Attachment) -> Option<words::media_type::Format> {
    let format = original.content.media_type.format()?;
    Some(if format.is_writable() { format } else { words::media_type::Format::Jpeg })
}

#[cfg(test)]
mod tests;
