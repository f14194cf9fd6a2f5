//! The size in the header of a GIF, which has no orientation.

use crate::format::partial::{Found, Partial, Stop};

pub fn read(source: &Partial<'_>, found: &mut Found) -> Result<(), Stop> {
    found.size(u16::from_le_bytes(source.bytes(6)?), u16::from_le_bytes(source.bytes(8)?))
}
