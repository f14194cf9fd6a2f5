//! Rendering: one stored image to one variant of it.
//! Does not know where variants are kept; bytes in, bytes out.

use crate::animation;
use crate::decode::{self, Source};
use crate::encode::{Animation, Purpose, Target};
use crate::job::{Fault, Limits};
use crate::product::Product;
use crate::step::Recipe;
use crate::still;
use words::media_type::Format;
use words::variant::Variant;

/// A variant, always newly encoded and without metadata. GIF and WebP variants of animations are animated; others show
/// the first picture.
pub fn render(
    format: Format,
    bytes: &[u8],
    variant: Variant,
    quality: Option<u8>,
    limits: &Limits,
) -> Result<Product, Fault> {
    let survey = decode::survey(format, bytes, limits)?;
    let source = Source { format, bytes, survey: &survey, limits };
    let recipe = Recipe::variant(survey.size, survey.orientation(), variant.spec);
    let target = Target::new(variant.format, quality, Purpose::Variant);
    let animated = survey.frames > 1 && Animation::is_for(format);
    let bytes = if animated && Animation::is_for(variant.format) {
        animation::reworked(&source, &recipe, target)?
    } else {
        still::reworked(&source, &recipe, target)?
    };
    Ok(Product::New { format: variant.format, dimensions: recipe.result(), bytes })
}
