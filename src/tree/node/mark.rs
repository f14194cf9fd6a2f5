//! Marks and editions: the 16 bits by which the inodes of one attachment differ.
//!
//! A request names an inode and no path, and a change is judged by the rules of the slot whose name was used. So an attachment
//! with several names has an inode for each of them in the kernel; `stat` shows one number for all. Each inode has pages of its
//! own in the kernel's cache, which does no harm: an inode's bytes never change.

use words::attachment::{Attachment, BlobKey};
use words::link::Link;
use words::place::Place;

/// A 16-bit hash of a name, the same over restarts. If two names have the same mark, the kernel looks the path up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark(u16);

impl Mark {
    /// The mark of an attachment that has one name, whichever name that is.
    pub const SOLE: Self = Self(0);

    /// The mark of a link: that of its place if the attachment has several names, else [`Self::SOLE`].
    pub fn among(link: &Link) -> Self {
        if link.attachment.links > 1 { Self::of(&link.place) } else { Self::SOLE }
    }

    /// The mark of a place: FNV-1a, folded.
    pub fn of(Place { row, field, item }: &Place) -> Self {
        let item = item.as_ref().map_or("", |item| item.as_str());
        let bytes = row.0.to_le_bytes().into_iter();
        let bytes = bytes.chain(field.as_str().bytes()).chain([0]).chain(item.bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let folded = hash ^ (hash >> 32);
        Self::from_number(((folded ^ (folded >> 16)) & 0xffff).max(1))
    }

    /// Whether an inode with this mark may stand for the name of a place.
    pub fn is_of(self, place: &Place) -> bool {
        self == Self::SOLE || self == Self::of(place)
    }

    pub fn from_number(number: u64) -> Self {
        Self(u16::try_from(number & 0xffff).unwrap_or_default())
    }

    pub fn number(self) -> u64 {
        self.0.into()
    }
}

/// The lower 16 bits of the number of the blob that was sent for an attachment. The same picture may be sent again with another
/// comment: an inode of `/originals` carries its edition, so that its bytes never change and the kernel may keep its pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Edition(u16);

impl Edition {
    pub fn of(key: BlobKey) -> Self {
        Self::from_number(key.generation)
    }

    pub fn from_number(number: u64) -> Self {
        Self(u16::try_from(number & 0xffff).unwrap_or_default())
    }

    pub fn number(self) -> u64 {
        self.0.into()
    }

    /// The edition combined with one of the attachment's names, in the same 16 bits.
    pub fn under(self, mark: Mark) -> Self {
        Self::from_number(self.number() ^ mark.number())
    }

    /// The name that [`Edition::under`] combined it with, if `shown` has the same bytes.
    pub fn mark(self, shown: &Attachment) -> Mark {
        Mark::from_number(self.number() ^ Self::of(shown.blob).number())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::attachment::RowId;
    use words::slot::Name;

    /// The numbers of inodes contain it, and are the same over restarts.
    #[test]
    fn names_are_told_apart_and_a_mark_never_changes() {
        let name = |text: &str| Name::parse(text).expect("a name");
        let item = |row, item: &str| Place {
            row: RowId(row),
            field: name("list"),
            item: Some(name(item)),
        };
        let places = [Place::one(RowId(1), name("memo")), item(1, "a"), item(1, "b"), item(2, "a")];
        let marks = places.each_ref().map(|place| Mark::of(place).number());
        assert_eq!(marks, MARKS);
        for (at, place) in places.iter().enumerate() {
            assert!(Mark::SOLE.is_of(place));
            let others = places.iter().filter(|other| Mark::of(place).is_of(other));
            assert_eq!(others.collect::<Vec<_>>(), [&places[at]]);
        }
    }

    const MARKS: [u64; 4] = [1138, 32724, 31769, 15340];
}
