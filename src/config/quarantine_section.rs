//! `[quarantine]`: how much refused, interrupted and expired files may take.

use super::section::Section;
use super::value;
use words::quarantine_bounds::Bounds;

/// Every entry of the quarantine is listed in memory.
const MAX_COUNT: i64 = 1_000_000;

pub(super) fn read(section: &Section<'_>) -> Bounds {
    let default = Bounds::default();
    let count = section.key("count", |value| value::whole(value, 1, MAX_COUNT));
    let bounds = Bounds {
        age: section.key("age", value::duration).unwrap_or(default.age),
        count: count.unwrap_or(default.count),
        bytes: section.key("size", value::size).map_or(default.bytes, |size| size.0),
    };
    section.finish();
    bounds
}
