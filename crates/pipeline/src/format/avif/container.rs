//! The survey of an AVIF. A turn that the container asks for is a part of the picture, so the size is as shown.

use super::plan::plan;
use crate::format::survey::Survey;
use crate::job::{Fault, Limits, at_most};

pub fn survey(bytes: &[u8], limits: &Limits) -> Result<Survey, Fault> {
    let plan = plan(bytes)?;
    let length = plan.profile.as_ref().map_or(0, ExactSizeIterator::len) as u64;
    at_most("bytes of colour profile", length, limits.max_metadata)?;
    for tiled in std::iter::once(&plan.picture).chain(&plan.alpha) {
        at_most("pixels", tiled.size.pixels(), limits.max_pixels)?;
        let all = tiled.tile.pixels().saturating_mul(tiled.tiles.len() as u64);
        at_most("pixels of tiles", all, limits.max_pixels.saturating_mul(2))?;
    }
    let profile = plan.profile.and_then(|range| bytes.get(range)).map(<[u8]>::to_vec);
    Ok(Survey { profile, ..Survey::of_size(plan.size) })
}
