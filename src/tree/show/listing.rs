//! Listings of directories: the kernel asks for one page after another, and names no handle.
//!
//! A child keeps its place whatever is added or removed around it, and reading continues after the place of the last one: so
//! several programs may read at once, and remove while they read. A listing that was made for the first page is kept for the next
//! ones, which would otherwise need all of it again.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::library::lookup::table::Table;
use crate::tree::bounded::BoundedMap;
use crate::tree::node::{Ino, Kind, Node};
use crate::tree::show::attr::{Attr, Entry};
use words::attachment::{Access, FieldId, Times, VariantId};
use words::link::Link;
use words::schema::Field;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

/// The most listings that are kept, the most entries of all of them, and for how long.
const KEPT: usize = 64;
const KEPT_ENTRIES: usize = 65_536;
const SPAN_SECS: u64 = 10;

/// The places of `.` and `..`. Those of children follow: a row's is its number plus this.
pub const DOTS: u64 = 2;
/// The upper bits of a place are the class of the child, in the order in which a directory lists them: fields and items, then
/// first drafts of items, links that wait, scratch, rendered variants.
const CLASS_SHIFT: u32 = 60;
const DRAFT: u64 = 1 << CLASS_SHIFT;
const LINK: u64 = 2 << CLASS_SHIFT;
const SCRATCH: u64 = 3 << CLASS_SHIFT;
const VARIANT: u64 = 4 << CLASS_SHIFT;
/// Several items may have one position, which then has this many places.
const SAME_POSITION_BITS: u32 = 8;
const SAME_POSITION: u64 = (1 << SAME_POSITION_BITS) - 1;

/// One entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub ino: Ino,
    pub kind: Kind,
    pub name: Arc<str>,
    /// The place of the entry: reading continues after it.
    pub next: u64,
    /// The answer to a lookup of the name, where that is known without another query.
    pub entry: Option<Entry>,
}

impl Listed {
    pub fn new(node: Node, name: impl Into<Arc<str>>, place: u64, entry: Option<Entry>) -> Self {
        let kind = node.properties().kind;
        Self { ino: node.ino(), kind, name: name.into(), next: place, entry }
    }

    /// The place of the draft that the free slot of an item shows.
    pub fn draft_place(id: u64) -> u64 {
        DRAFT | id
    }

    /// A symbolic link that waits to be renamed.
    pub fn pending(id: u64, name: &Name) -> Self {
        Self::new(Node::Link(id), name.as_str(), LINK | id, None)
    }

    pub fn scratch(ScratchRecord { id, name, .. }: &ScratchRecord) -> Self {
        Self::new(Node::Scratch(*id), name.as_str(), SCRATCH | id.0, None)
    }

    pub fn variant_place(id: VariantId) -> u64 {
        VARIANT | id.0
    }
}

/// The children of a directory that stays as it is: their places are numbered.
pub fn fixed<N: Into<Arc<str>>>(found: impl IntoIterator<Item = (Node, N)>) -> Vec<Listed> {
    let numbered = found.into_iter().zip(DOTS + 1..);
    numbered.map(|((node, name), place)| Listed::new(node, name, place, None)).collect()
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

/// `.` and `..`. The kernel takes their number and kind and ignores their attributes.
pub fn dots(directory: Ino) -> Vec<Listed> {
    let kind = Kind::Directory;
    let entry = Some(Entry::fleeting(unknown(directory, kind)));
    let dot = |name: &str, next| Listed { ino: directory, kind, name: name.into(), next, entry };
    vec![dot(".", 1), dot("..", DOTS)]
}

/// Attributes of an inode whose own are not used, or could not be read.
pub fn unknown(ino: Ino, kind: Kind) -> Attr {
    let access = Access { uid: 0, gid: 0, mode: 0 };
    Attr { ino, kind, size: 0, links: 1, access, times: Times::all(Timestamp(0)) }
}

/// The entries of a directory, in their order, after some place.
#[derive(Debug, Clone)]
pub struct Page {
    entries: Arc<[Listed]>,
    start: usize,
    /// Whether nothing follows.
    pub is_last: bool,
    /// Whether nothing has changed since before the entries were looked up.
    pub is_fresh: bool,
}

impl Page {
    /// A part of a directory that is read part by part.
    pub fn part(entries: Vec<Listed>) -> Self {
        let is_last = entries.is_empty();
        Self { entries: entries.into(), start: 0, is_last, is_fresh: true }
    }

    /// The entries that follow a place.
    pub fn from(self, place: u64) -> Self {
        let start = self.entries.partition_point(|entry| entry.next <= place);
        Self { start, ..self }
    }

    pub fn entries(&self) -> &[Listed] {
        self.entries.get(self.start..).unwrap_or_default()
    }
}

/// The whole listings that were made a moment ago.
#[derive(Debug, Default)]
pub struct Listings {
    /// Guards the listings by directory. Never held across I/O.
    kept: Mutex<BoundedMap<Ino, Kept, KEPT, SPAN_SECS>>,
}

#[derive(Debug)]
struct Kept {
    entries: Arc<[Listed]>,
    /// The count of changes before it was made.
    changes: u64,
}

impl Listings {
    /// Keeps a whole listing and returns all of it. `changes`: the count before it was made; `now`: the count after.
    pub fn keep(&self, directory: Ino, entries: Vec<Listed>, changes: u64, now: u64) -> Page {
        let entries: Arc<[Listed]> = entries.into();
        let mut kept = self.kept.lock();
        kept.insert(directory, Kept { entries: Arc::clone(&entries), changes });
        while kept.len() > 1
            && kept.values().map(|it| it.entries.len()).sum::<usize>() > KEPT_ENTRIES
        {
            kept.pop_oldest();
        }
        drop(kept);
        Page { entries, start: 0, is_last: true, is_fresh: changes == now }
    }

    /// The entries after a place, of a listing that was kept. `now`: the count of changes.
    pub fn after(&self, directory: Ino, place: u64, now: u64) -> Option<Page> {
        let kept = self.kept.lock();
        let found = kept.get(&directory)?;
        let (entries, is_fresh) = (Arc::clone(&found.entries), found.changes == now);
        drop(kept);
        Some(Page { entries, start: 0, is_last: true, is_fresh }.from(place))
    }

    pub fn forget_old(&self, now: Instant) {
        self.kept.lock().expire(now);
    }
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

    fn listed(next: u64) -> Listed {
        let name = next.to_string().into();
        Listed { ino: Ino(next), kind: Kind::File, name, next, entry: None }
    }

    fn places(page: &Page) -> Vec<u64> {
        page.entries().iter().map(|entry| entry.next).collect()
    }

    #[test]
    fn reading_goes_on_after_a_place_whether_its_entry_is_there_or_not() {
        let listings = Listings::default();
        let page = listings.keep(Ino(1), vec![listed(1), listed(2), listed(7)], 0, 0);
        assert_eq!(places(&page), [1, 2, 7]);
        for (place, rest) in [(0, &[1, 2, 7][..]), (2, &[7]), (5, &[7]), (7, &[])] {
            let page = listings.after(Ino(1), place, 0).expect("kept");
            assert_eq!(places(&page), rest);
            assert!(page.is_last && page.is_fresh);
        }
        assert!(listings.after(Ino(2), 0, 0).is_none());
    }

    #[test]
    fn what_changed_since_a_listing_was_begun_makes_it_stale() {
        let listings = Listings::default();
        assert!(!listings.keep(Ino(1), vec![listed(1)], 4, 5).is_fresh);
        assert!(listings.keep(Ino(1), vec![listed(1)], 5, 5).is_fresh);
        assert!(listings.after(Ino(1), 0, 5).expect("kept").is_fresh);
        assert!(!listings.after(Ino(1), 0, 6).expect("kept").is_fresh);
    }

    #[test]
    fn kept_listings_are_bounded_and_the_latest_is_always_there() {
        let listings = Listings::default();
        let is_kept = |number| listings.after(Ino(number), 0, 0).is_some();
        for number in 0..KEPT as u64 + 9 {
            listings.keep(Ino(number), vec![listed(1)], 0, 0);
        }
        assert_eq!(listings.kept.lock().len(), KEPT);
        assert!(!is_kept(0) && is_kept(9));
        let many = || (1..=KEPT_ENTRIES as u64).map(listed).collect::<Vec<_>>();
        listings.keep(Ino(100), many(), 0, 0);
        assert_eq!(listings.kept.lock().len(), 1);
        listings.keep(Ino(101), many(), 0, 0);
        assert!(!is_kept(100) && is_kept(101));
    }
}
