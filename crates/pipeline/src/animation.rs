//! Animations: every frame through a recipe, one in memory at a time.
//! Does not know formats.

use crate::decode::{self, Source};
use crate::encode::{Animation, Target};
use crate::job::Fault;
use crate::step::Recipe;

/// The same animation of other frames; their durations and the number of showings stay.
pub fn reworked(source: &Source<'_>, recipe: &Recipe, target: Target) -> Result<Vec<u8>, Fault> {
    let profile = source.survey.profile.as_deref();
    let step = |raster| recipe.apply(raster, profile);
    let mut animation = Animation::new(target, recipe.result(), &step);
    decode::frames(source, &mut animation)?;
    animation.finish()
}
