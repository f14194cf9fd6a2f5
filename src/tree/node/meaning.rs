//! Directories that take files, and the meaning of any name in them: a file, a variant, a view or scratch (CONTRACT 1).

use std::sync::Arc;

use crate::library::Library;
use crate::library::json::ROW_JSON;
use crate::library::keep::expiry::BACKUP;
use crate::library::lookup::table::Table;
use crate::library::lookup::target::Target;
use crate::library::scratch::report_name::{has_suffix, is_report_name};
use crate::tree::node::Node;
use crate::tree::node::side::Side;
use words::attachment::{FieldId, RowId};
use words::link::Link;
use words::media_type::{self, MediaType};
use words::place::{Folder, Place};
use words::schema::{Collection, Field};
use words::slot::Name;
use words::variant::Variant;

/// The name of the last refusal in a row, unless a field is called so.
pub const ROW_ERROR: &str = "last-error";

/// A row, a collection in it, or a drop box.
#[derive(Debug, Clone, Copy)]
pub struct Directory<'l> {
    pub table: &'l Table,
    pub row: RowId,
    /// The collection; none for a row or a drop box.
    pub field: Option<&'l Arc<Field>>,
    pub node: Node,
}

impl<'l> Directory<'l> {
    /// `None` for every other node, and for a table, field or box that is no longer configured.
    pub fn of(library: &'l Library, node: Node) -> Option<Self> {
        match node.as_model() {
            Node::Row(table, row) => {
                Some(Self { table: library.lookup.table(table)?, row, field: None, node })
            }
            Node::Collection(field, row) => {
                let (table, field) = library.lookup.field(field)?;
                let many = field.collection != Collection::One && Side::of(node).has(field);
                many.then_some(Self { table, row, field: Some(field), node })
            }
            Node::DropBox(row) => {
                let table = library.lookup.box_table();
                library.lookup.drop_box(row).map(|_| Self { table, row, field: None, node })
            }
            _ => None,
        }
    }

    pub fn folder(&self) -> Folder {
        Folder { row: self.row, field: self.field.map(|field| field.name.clone()) }
    }

    pub fn side(&self) -> Side {
        Side::of(self.node)
    }

    pub fn lists(&self, place: &Place) -> bool {
        let collection = place.item.is_some().then_some(&place.field);
        let here = place.row == self.row && collection == self.field.map(|field| &field.name);
        here && self.table.field(place.field.as_str()).is_some_and(|it| self.side().has(it))
    }

    /// The place of a field that holds one file.
    pub fn one(&self, field: &Name) -> Place {
        Place::one(self.row, field.clone())
    }

    pub fn item(&self, field: &Field, item: Name) -> Place {
        Place { row: self.row, field: field.name.clone(), item: Some(item) }
    }
}

/// A place that takes a file, with the rules of its field.
#[derive(Debug, Clone)]
pub struct Spot {
    pub place: Place,
    pub field: Arc<Field>,
}

impl From<&Target> for Spot {
    fn from(target: &Target) -> Self {
        Self { place: target.place.clone(), field: Arc::clone(&target.field) }
    }
}

/// The meaning of a name in a directory.
#[derive(Debug, Clone)]
pub enum Meaning {
    /// `avatar`, and `avatar.jpg` as its extension names a media type. In a collection an item.
    File(Spot),
    /// `avatar@w200.jpg`; none if the text after the `@` is no variant's.
    Variant(Spot, Option<Variant>),
    /// `photos`
    Collection(FieldId),
    /// `row.json`
    RowJson,
    /// `last-error`: the last refusal in the row, for reading.
    RowError,
    /// `avatar.url`: a read returns the file's URL, a write names the URL to fetch the file from.
    Url(Spot),
    /// `front.jpg.REFUSED.txt`, in a drop box and in a collection that reports refusals there.
    Report,
    /// A name under `/originals` that has no original: views, variants, fields that keep none.
    Nothing,
    Scratch,
}

/// The meaning of a name by itself: in a collection `front@w200.jpg` may be an item or a variant of one ([`variant_in`]).
pub fn meaning(directory: &Directory<'_>, name: &Name) -> Meaning {
    let meaning = own_meaning(directory, name);
    let side = directory.side();
    let is_there = match &meaning {
        Meaning::Scratch | Meaning::Report | Meaning::Nothing => true,
        Meaning::File(spot) => side.has(&spot.field),
        Meaning::Collection(number) => {
            let known = directory.table.collections().find(|(known, _)| known == number);
            known.is_some_and(|(_, field)| side.has(field))
        }
        // `/originals` has neither variants nor views.
        Meaning::Variant(..) | Meaning::RowJson | Meaning::RowError | Meaning::Url(_) => {
            side == Side::Models
        }
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
        Some(field) => {
            let place = directory.item(field, field.item(name));
            Meaning::File(Spot { place, field: Arc::clone(field) })
        }
    }
}

fn in_row(directory: &Directory<'_>, name: &Name) -> Meaning {
    if name.as_str() == ROW_JSON {
        return Meaning::RowJson;
    }
    let table = directory.table;
    let single = |text: &str| {
        let field = table.field(text).filter(|it| it.collection == Collection::One)?;
        Some(Spot { place: directory.one(&field.name), field: Arc::clone(field) })
    };
    if let Some((stem, rest)) = name.as_str().split_once('@')
        && let Some(spot) = single(stem)
    {
        return Meaning::Variant(spot, Variant::parse(rest));
    }
    if let Some(spot) = single(name.as_str()) {
        return Meaning::File(spot);
    }
    if let Some((number, _)) = table.collections().find(|(_, field)| field.name == *name) {
        return Meaning::Collection(number);
    }
    if name.as_str() == ROW_ERROR {
        return Meaning::RowError;
    }
    let (stem, extension) = name.split_extension();
    match (single(stem), extension) {
        (Some(spot), Some("url")) => Meaning::Url(spot),
        (Some(spot), Some(extension)) if MediaType::of_extension(extension).is_some() => {
            Meaning::File(spot)
        }
        _ => Meaning::Scratch,
    }
}

/// A name in a collection read as that of a variant.
#[derive(Debug, Clone)]
pub struct ItemVariant {
    pub item: Spot,
    /// The item's name as it was written.
    pub base: Name,
    pub variant: Variant,
}

/// Reads a name in a collection as that of a variant, whether the item exists or not.
pub fn variant_in(directory: &Directory<'_>, name: &Name) -> Option<ItemVariant> {
    let field = directory.field.filter(|_| directory.side() == Side::Models)?;
    let (base, rest) = name.as_str().rsplit_once('@')?;
    let variant = Variant::parse(rest)?;
    let base = Name::parse(base).ok()?;
    let place = directory.item(field, field.item(&base));
    Some(ItemVariant { item: Spot { place, field: Arc::clone(field) }, base, variant })
}

/// The name under which a directory lists a link. In a list: the item's name. Elsewhere: the name that was written; if its
/// extension contradicts the stored type, the slot's name with the stored type's extension.
pub fn listed(link: &Link, collection: Collection) -> Name {
    let own = link.place.name();
    if collection == Collection::List {
        return own.clone();
    }
    let (stem, extension) = media_type::split(&link.written);
    let stored = &link.attachment.content.media_type;
    let agrees = extension.is_none_or(|it| MediaType::of_extension(it).as_ref() == Some(stored));
    // A link that was moved may still carry the name that it had elsewhere.
    if agrees && (link.written == *own || stem == own.as_str()) {
        return link.written.clone();
    }
    canonical(link).unwrap_or_else(|| own.clone())
}

/// Whether a name of the link's slot leads to the link: the bare name, the name that was written, and the name with the stored
/// type's extension do; in a list the item's name alone does.
pub fn resolves(link: &Link, collection: Collection, name: &Name) -> bool {
    let alias = || *name == link.written || canonical(link).as_ref() == Some(name);
    name == link.place.name() || (collection != Collection::List && alias())
}

/// `avatar.jpg` for a JPEG.
fn canonical(link: &Link) -> Option<Name> {
    let extension = link.attachment.content.media_type.extension()?;
    Name::parse(&format!("{}.{extension}", link.place.name())).ok()
}

/// The directory of `rsync --delay-updates` for files that are not renamed yet; rsync has the name in its source.
pub const DELAYED: &str = ".~tmp~";

/// Whether a program gives such a name to an unfinished file (FACTS 1): `phpAb12Cd` is one, `phpinfo.jpg` is none. In a row the
/// name is not taken for a mistyped field; in a collection it is no item's.
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
    /// The file by which vim probes whether a directory is writable, and Windows' previews.
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

/// `avatar.0000000042`: nginx's copy of an upload before its rename (ten digits of a counter). `a.jpg_original`: exiftool's
/// backup.
fn has_temporary_extension(name: &Name) -> bool {
    const DIGITS: usize = 10;
    let extension = name.split_extension().1.unwrap_or_default();
    let counts = extension.len() == DIGITS && extension.bytes().all(|byte| byte.is_ascii_digit());
    counts || extension.ends_with(BACKUP)
}

/// Whether a name is that of the journal which `SQLite` keeps (<https://www.sqlite.org/tempfiles.html>) beside a database that
/// would be attached. Such a database cannot be written in place: each of two writers has a draft of its own, whose locks exclude
/// nobody. In a collection, where any name is an item's, the database must have an extension.
pub fn is_journal(directory: &Directory<'_>, name: &Name) -> bool {
    const SUFFIXES: [&str; 3] = ["-journal", "-wal", "-shm"];
    let database = SUFFIXES.iter().find_map(|suffix| name.as_str().strip_suffix(suffix));
    database.and_then(|text| Name::parse(text).ok()).is_some_and(|database| {
        let told = directory.field.is_none() || database.split_extension().1.is_some();
        told && matches!(meaning(directory, &database), Meaning::File(..))
    })
}

#[cfg(test)]
mod tests;
