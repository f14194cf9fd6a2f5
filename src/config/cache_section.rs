//! `[cache]`: the bound of variants, which can be rendered again.

use super::section::Section;
use super::value;
use words::byte_count::ByteCount;

const SIZE: ByteCount = ByteCount(1 << 30);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// The size of all rendered variants together.
    pub size: ByteCount,
}

pub(super) fn read(section: &Section<'_>) -> Cache {
    let size = section.key("size", value::size).unwrap_or(SIZE);
    section.finish();
    Cache { size }
}

impl Default for Cache {
    fn default() -> Self {
        Self { size: SIZE }
    }
}
