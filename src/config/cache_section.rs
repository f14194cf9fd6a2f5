//! `[cache]`: the bound of variants, which can be rendered again.

use super::section::Section;
use super::value;
use words::byte_count::ByteCount;

const SIZE: ByteCount = ByteCount(1 << 30);

/// The size of all rendered variants together.
pub(super) fn read(section: &Section<'_>) -> ByteCount {
    let size = section.key("size", value::size).unwrap_or(SIZE);
    section.finish();
    size
}
