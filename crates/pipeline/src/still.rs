//! One picture through a recipe: decoded no larger than it is needed, in planes where that spares work, and encoded.
//! Does not know what the recipe is for.

use crate::decode::{self, Source};
use crate::encode::{self, Target};
use crate::job::Fault;
use crate::planes::Coded;
use crate::raster::Raster;
use crate::step::{Recipe, to_srgb};
use words::media_type::Format;

/// The first picture of what was given, made by the recipe, as a file.
pub fn reworked(source: &Source<'_>, recipe: &Recipe, target: Target) -> Result<Vec<u8>, Fault> {
    let Some(coded) = planes(source, recipe, target.format)? else {
        return encode::still(whole(source, recipe)?, target);
    };
    let planes = recipe.apply_to_planes(&coded)?;
    let profile = source.survey.profile.as_deref();
    if target.format == Format::Jpeg && profile.is_none() {
        return encode::planes(&planes, target);
    }
    encode::still(to_srgb(planes.to_rgb()?, profile)?, target)
}

/// Only for what is kept in such planes again: in others their rounding would show. And only where pixels become fewer:
/// those that stay as many are converted one by one, as every decoder does it.
fn planes(source: &Source<'_>, recipe: &Recipe, target: Format) -> Result<Option<Coded>, Fault> {
    let again = matches!(target, Format::Jpeg | Format::Webp);
    if again && recipe.shrinks() { decode::planes(source, recipe.needed()) } else { Ok(None) }
}

fn whole(source: &Source<'_>, recipe: &Recipe) -> Result<Raster, Fault> {
    let picture = decode::still(source, recipe.needed())?;
    recipe.apply(picture.raster, picture.profile.as_deref())
}
