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

macro_rules! ids {
    ($($type:ident)*) => {
        $(impl Id for $type {
            fn number(self) -> u64 {
                self.0
            }

            fn from_number(number: u64) -> Option<Self> {
                Some(Self(number))
            }
        })*
    };
}
ids! { AttachmentId FieldId RowId ScratchId TableId VariantId }

impl Id for u64 {
    fn number(self) -> u64 {
        self
    }

    fn from_number(number: u64) -> Option<Self> {
        Some(number)
    }
}

impl Id for Day {
    fn number(self) -> u64 {
        self.0.into()
    }

    fn from_number(number: u64) -> Option<Self> {
        u32::try_from(number).ok().map(Self)
    }
}

macro_rules! numbered {
    ($($type:ident)*) => {
        $(impl Id for $type {
            fn number(self) -> u64 {
                Self::number(self)
            }

            fn from_number(number: u64) -> Option<Self> {
                Some(Self::from_number(number))
            }
        })*
    };
}
numbered! { Edition Mark RefusalId }

impl Narrow for Edition {}
impl Narrow for FieldId {}
impl Narrow for Mark {}
impl Narrow for TableId {}
