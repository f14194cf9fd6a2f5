//! Decoding an image, transforming its pixels and encoding them: for its normal form, and for a variant of it.

use crate::format::codec;
use crate::format::codec::{DecodeFrames, Encoder, PlaneInput, Source, StartAnimation, Target};
use crate::job::{Fault, Limits};
use crate::step::Transformation;
use crate::step::colour::to_srgb;
use words::dimensions::Dimensions;
use words::media_type::Format;
use words::variant::Variant;

/// The product of a job: the bytes to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Product {
    /// The input itself, which has these dimensions as shown.
    Same(Dimensions),
    New {
        format: Format,
        dimensions: Dimensions,
        bytes: Vec<u8>,
    },
}

/// Renders a variant without metadata. Of an animation, GIF and WebP variants are animated; others show the first frame.
pub fn render(
    format: Format,
    bytes: &[u8],
    variant: Variant,
    quality: Option<u8>,
    limits: &Limits,
) -> Result<Product, Fault> {
    let decoder = codec(format);
    let encoder = codec(variant.format).encoder()?;
    // Many readers show no more of an APNG than its first frame, for all its length.
    let animation = encoder.animation.filter(|_| variant.format != Format::Png);
    let encoder = &Encoder { animation, ..*encoder };
    let target = Target::of(quality.unwrap_or(encoder.qualities.variant));
    let work = |bytes: &[u8]| {
        let survey = decoder.survey(bytes, limits)?;
        let source = Source { codec: decoder, bytes, survey: &survey, limits };
        let transformation = Transformation::variant(survey.size, survey.orientation, variant.spec);
        let bytes = transcoded(&source, &transformation, encoder, target)?;
        Ok(Product::New { format: variant.format, dimensions: transformation.result(), bytes })
    };
    // An original that an older version stored may have to be repaired.
    decoder.repairing(bytes, limits, work).map(|(product, _)| product)
}

/// The transformed image. An animation becomes its first frame if not both formats are animated.
pub fn transcoded(
    source: &Source<'_>,
    transformation: &Transformation,
    encoder: &Encoder,
    target: Target,
) -> Result<Vec<u8>, Fault> {
    if let Some(coding) = animated(source, encoder) {
        return animation(source, transformation, coding, target);
    }
    if let Some(bytes) = in_planes(source, transformation, encoder, target)? {
        return Ok(bytes);
    }
    let picture = (source.codec.picture)(source, transformation.needed())?;
    let raster = transformation.apply(picture.raster, picture.profile.as_deref())?;
    (encoder.picture)(raster, target)
}

/// The functions that decode and encode the frames of an animation. `None` if the result has one frame.
pub fn animated(source: &Source<'_>, encoder: &Encoder) -> Option<(DecodeFrames, StartAnimation)> {
    source.codec.frames.filter(|_| source.survey.frames > 1).zip(encoder.animation)
}

/// The animation with every frame transformed, one in memory at a time.
fn animation(
    source: &Source<'_>,
    transformation: &Transformation,
    (decode, start): (DecodeFrames, StartAnimation),
    target: Target,
) -> Result<Vec<u8>, Fault> {
    let profile = source.survey.profile.as_deref();
    let mut started = None;
    decode(source, &mut |mut frame, repeat| {
        let encoder = match &mut started {
            Some(encoder) => encoder,
            None => started.insert(start(transformation.result(), repeat, target)?),
        };
        frame.raster = transformation.apply(frame.raster, profile)?;
        encoder.add(frame)
    })?;
    started.ok_or_else(|| Fault::Corrupt("the animation has no frames".into()))?.finish()
}

/// Transforms a picture that becomes smaller in its planes. Pixels of a picture that stays as large are converted one by one,
/// as every decoder does it.
fn in_planes(
    source: &Source<'_>,
    transformation: &Transformation,
    encoder: &Encoder,
    target: Target,
) -> Result<Option<Vec<u8>>, Fault> {
    let Some(planar) = &source.codec.planar else { return Ok(None) };
    if matches!(encoder.planes, PlaneInput::Never) || !transformation.shrinks() {
        return Ok(None);
    }
    let Some(decoded) = (planar.decode)(source, transformation.needed())? else { return Ok(None) };
    let planes = transformation.apply_to_planes(&decoded)?;
    let profile = source.survey.profile.as_deref();
    let bytes = match encoder.planes {
        PlaneInput::Direct(encode) if profile.is_none() => encode(&planes, target)?,
        _ => (encoder.picture)(to_srgb(planes.to_rgb()?, profile)?, target)?,
    };
    Ok(Some(bytes))
}
