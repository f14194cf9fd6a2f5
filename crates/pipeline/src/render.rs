//! Rendering: one stored image to one variant of it.

use crate::format::codec;
use crate::format::codec::Source;
use crate::format::encoding::Purpose;
use crate::job::{Fault, Limits};
use crate::product::Product;
use crate::step::Transformation;
use crate::transcode;
use words::media_type::Format;
use words::variant::Variant;

/// A variant, always newly encoded and without metadata. GIF and WebP variants of animations are animated; others show
/// the first frame.
pub fn render(
    format: Format,
    bytes: &[u8],
    variant: Variant,
    quality: Option<u8>,
    limits: &Limits,
) -> Result<Product, Fault> {
    let decoder = codec(format);
    let survey = decoder.survey(bytes, limits)?;
    let source = Source { codec: decoder, bytes, survey: &survey, limits };
    let transformation = Transformation::variant(survey.size, survey.orientation(), variant.spec);
    let encoder = codec(variant.format).encoder()?;
    let target = encoder.target(quality, Purpose::Variant);
    let animation = match survey.frames {
        0 | 1 => None,
        _ => transcode::animation(&source, &transformation, encoder, target)?,
    };
    let bytes = match animation {
        Some(bytes) => bytes,
        None => transcode::picture(&source, &transformation, encoder, target)?,
    };
    Ok(Product::New { format: variant.format, dimensions: transformation.result(), bytes })
}
