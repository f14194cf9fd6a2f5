//! The identity of a node in the lower 56 bits of its number: one id, or a wide and a narrow one.

use crate::tree::node::mark::{Edition, Mark};
use words::attachment::{AttachmentId, FieldId, RowId, ScratchId, TableId, VariantId};
use words::day::Day;
use words::refusal::RefusalId;

/// The kind of node stands above this many bits.
pub const KIND_SHIFT: u32 = 56;
pub const MASK: u64 = (1 << KIND_SHIFT) - 1;

/// The narrow one of two ids stands above this many bits: 2^40 rows and attachments, 2^16 tables, fields and marks.
const LOWER_BITS: u32 = 40;
const LOWER_MASK: u64 = (1 << LOWER_BITS) - 1;

/// Bits of identities at both ends of the range.
#[cfg(test)]
pub const SAMPLES: [u64; 2] = [1, 0xffff << LOWER_BITS | 1 << (LOWER_BITS - 1) | 5];

/// The identity of a node among those of its kind.
pub trait Identity: Sized {
    fn bits(self) -> u64;

    /// `None` for bits of no node.
    fn from_bits(bits: u64) -> Option<Self>;
}

/// An id that may stand beside another.
trait Id: Sized {
    fn number(self) -> u64;
    fn from_number(number: u64) -> Option<Self>;
}

/// An id of at most 16 bits.
trait Narrow: Id {}

impl<A: Id> Identity for (A,) {
    fn bits(self) -> u64 {
        self.0.number() & MASK
    }

    fn from_bits(bits: u64) -> Option<Self> {
        Some((A::from_number(bits)?,))
    }
}

impl<A: Narrow> Identity for (A, RowId) {
    fn bits(self) -> u64 {
        pair(self.0, self.1)
    }

    fn from_bits(bits: u64) -> Option<Self> {
        Some((A::from_number(bits >> LOWER_BITS)?, RowId(bits & LOWER_MASK)))
    }
}

impl<A: Narrow> Identity for (AttachmentId, A) {
    fn bits(self) -> u64 {
        pair(self.1, self.0)
    }

    fn from_bits(bits: u64) -> Option<Self> {
        Some((AttachmentId(bits & LOWER_MASK), A::from_number(bits >> LOWER_BITS)?))
    }
}

fn pair(upper: impl Narrow, lower: impl Id) -> u64 {
    ((upper.number() << LOWER_BITS) | (lower.number() & LOWER_MASK)) & MASK
}

/// Implements [`Id`] by a line for each type: its number, and the id of a number.
macro_rules! ids {
    ($($type:ident: $number:expr, $made:expr;)*) => {
        $(impl Id for $type {
            fn number(self) -> u64 {
                let number: fn(Self) -> u64 = $number;
                number(self)
            }

            fn from_number(number: u64) -> Option<Self> {
                let made: fn(u64) -> Option<Self> = $made;
                made(number)
            }
        })*
    };
}
ids! {
    u64: |id| id, Some;
    AttachmentId: |id| id.0, |number| Some(Self(number));
    Day: |day| day.0.into(), |number| u32::try_from(number).ok().map(Self);
    Edition: Self::number, |number| Some(Self::from_number(number));
    FieldId: |id| id.0, |number| Some(Self(number));
    Mark: Self::number, |number| Some(Self::from_number(number));
    RefusalId: Self::number, |number| Some(Self::from_number(number));
    RowId: |id| id.0, |number| Some(Self(number));
    ScratchId: |id| id.0, |number| Some(Self(number));
    TableId: |id| id.0, |number| Some(Self(number));
    VariantId: |id| id.0, |number| Some(Self(number));
}

impl Narrow for Edition {}
impl Narrow for FieldId {}
impl Narrow for Mark {}
impl Narrow for TableId {}
