//! The children of a directory, and their places in its listing. A child keeps its place whatever comes and goes around it.

use std::collections::HashMap;

use crate::library::lookup::table::Table;
use crate::tree::node::{Ino, Kind, Node};
use crate::tree::show::attr::{Attr, Entry};
use crate::tree::show::listing::Listed;
use words::attachment::{Access, FieldId, Times};
use words::link::Link;
use words::schema::Field;
use words::scratch::ScratchRecord;
use words::timestamp::Timestamp;

/// The places of `.` and `..`; those of children follow: a row's is its number plus this.
pub const DOTS: u64 = 2;
/// The upper bits of a place say what is there, in the order in which a directory lists them: fields and items, then first
/// drafts of items, links that wait, scratch, rendered variants.
const CLASS_SHIFT: u32 = 60;
const DRAFT: u64 = 1 << CLASS_SHIFT;
const LINK: u64 = 2 << CLASS_SHIFT;
const SCRATCH: u64 = 3 << CLASS_SHIFT;
const VARIANT: u64 = 4 << CLASS_SHIFT;
/// Several items may have one position, which then has this many places.
const SAME_POSITION_BITS: u32 = 8;
const SAME_POSITION: u64 = (1 << SAME_POSITION_BITS) - 1;

/// What a directory lists under one name.
#[derive(Debug)]
pub struct Child {
    pub node: Node,
    pub name: String,
    pub place: u64,
    /// The answer to a lookup of the name, where that is known without asking further.
    pub entry: Option<Entry>,
}

impl Child {
    pub fn new(node: Node, name: String, place: u64) -> Self {
        Self { node, name, place, entry: None }
    }

    /// The draft that the free slot of an item shows.
    pub fn draft_place(id: u64) -> u64 {
        DRAFT | id
    }

    /// A symbolic link that waits to be renamed.
    pub fn pending(id: u64, name: String) -> Self {
        Self::new(Node::Link(id), name, LINK | id)
    }

    pub fn scratch(record: &ScratchRecord) -> Self {
        Self::new(Node::Scratch(record.id), record.name.to_string(), SCRATCH | record.id.0)
    }

    pub fn variant_place(id: u64) -> u64 {
        VARIANT | id
    }
}

/// The children of a directory that stays as it is: their places are numbered.
pub fn fixed(found: impl IntoIterator<Item = (Node, String)>) -> Vec<Child> {
    let numbered = found.into_iter().zip(DOTS + 1..);
    numbered.map(|((node, name), place)| Child::new(node, name, place)).collect()
}

/// The places of items, which are given in their order.
pub fn item_places(items: &[Link]) -> Vec<u64> {
    let (mut last, mut same) = (None, 0);
    let place = |link: &Link| {
        same = if last == Some(link.position) { (same + 1).min(SAME_POSITION) } else { 0 };
        last = Some(link.position);
        ((link.position << SAME_POSITION_BITS) | same) + DOTS + 1
    };
    items.iter().map(place).collect()
}

/// The fields of a table by name, with their places in a row and their numbers.
pub fn fields_by_name(table: &Table) -> impl Iterator<Item = (u64, FieldId, &Field)> {
    let numbered = table.numbers.iter().copied().zip(&table.fields);
    let mut fields: Vec<_> = numbered.map(|(number, field)| (number, &**field)).collect();
    fields.sort_by(|(_, one), (_, other)| one.name.cmp(&other.name));
    fields.into_iter().zip(DOTS + 1..).map(|((number, field), place)| (place, number, field))
}

/// The links of fields that hold one file, by the field's name.
pub fn by_field(links: Vec<Link>) -> HashMap<String, Link> {
    links.into_iter().map(|link| (link.place.field.to_string(), link)).collect()
}

/// `.` and `..`. The kernel takes their number and kind and ignores their attributes, so that nobody is asked for them.
pub fn dots(directory: Ino) -> Vec<Listed> {
    let kind = Kind::Directory;
    let entry = Some(Entry::fleeting(unknown(directory, kind)));
    let dot = |name: &str, next| Listed { ino: directory, kind, name: name.into(), next, entry };
    vec![dot(".", 1), dot("..", DOTS)]
}

/// Attributes that nobody looks at, or that could not be found.
pub fn unknown(ino: Ino, kind: Kind) -> Attr {
    let access = Access { uid: 0, gid: 0, mode: 0 };
    Attr { ino, kind, size: 0, links: 1, access, times: Times::all(Timestamp(0)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_of_places_follow_one_another_within_the_kernels_offsets() {
        let classes = [SAME_POSITION + DOTS, DRAFT, LINK, SCRATCH, VARIANT | u64::from(u32::MAX)];
        assert!(classes.is_sorted_by(|one, next| one < next));
        assert!(classes.iter().all(|place| i64::try_from(*place).is_ok()));
    }
}
