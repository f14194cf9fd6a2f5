//! Decoding an image, transforming its pixels and encoding them.

use crate::format::codec::{Encoder, PlaneInput, Source};
use crate::format::encoding::Target;
use crate::job::Fault;
use crate::raster::Raster;
use crate::step::Transformation;
use crate::step::colour::to_srgb;

/// The picture, of an animation the first frame. It is decoded no larger than needed, and in planes where that saves work.
pub fn picture(
    source: &Source<'_>,
    transformation: &Transformation,
    encoder: &Encoder,
    target: Target,
) -> Result<Vec<u8>, Fault> {
    match in_planes(source, transformation, encoder, target)? {
        Some(bytes) => Ok(bytes),
        None => (encoder.picture)(pixels(source, transformation)?, target),
    }
}

/// Only a picture that becomes smaller is transformed in planes: pixels that stay as many are converted one by one, as every
/// decoder does it.
fn in_planes(
    source: &Source<'_>,
    transformation: &Transformation,
    encoder: &Encoder,
    target: Target,
) -> Result<Option<Vec<u8>>, Fault> {
    let Some(decode) = source.codec.decode.planes else { return Ok(None) };
    if matches!(encoder.planes, PlaneInput::Never) || !transformation.shrinks() {
        return Ok(None);
    }
    let Some(decoded) = decode(source, transformation.needed())? else { return Ok(None) };
    let planes = transformation.apply_to_planes(&decoded)?;
    let profile = source.survey.profile.as_deref();
    let bytes = match encoder.planes {
        PlaneInput::Direct(encode) if profile.is_none() => encode(&planes, target)?,
        _ => (encoder.picture)(to_srgb(planes.to_rgb()?, profile)?, target)?,
    };
    Ok(Some(bytes))
}

fn pixels(source: &Source<'_>, transformation: &Transformation) -> Result<Raster, Fault> {
    let picture = (source.codec.decode.picture)(source, transformation.needed())?;
    transformation.apply(picture.raster, picture.profile.as_deref())
}

/// The animation with every frame transformed, one in memory at a time. `None` if not both formats are animated.
pub fn animation(
    source: &Source<'_>,
    transformation: &Transformation,
    encoder: &Encoder,
    target: Target,
) -> Result<Option<Vec<u8>>, Fault> {
    let (Some(decode), Some(start)) = (source.codec.decode.frames, encoder.animation) else {
        return Ok(None);
    };
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
    let encoder = started.ok_or_else(|| Fault::Corrupt("the animation has no frames".into()))?;
    encoder.finish().map(Some)
}
