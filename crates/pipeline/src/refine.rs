//! Refining: one image file to its normal form, decoded to the last byte on the way.
//! Does not know descriptors; bytes in, bytes out.

use crate::animation;
use crate::container::{self, Profile};
use crate::decode::{self, Chroma, Source};
use crate::encode::{self, Animation, Purpose, Target};
use crate::exif::{self, Orientation};
use crate::job::{Fault, Limits};
use crate::product::Product;
use crate::step::Recipe;
use crate::still;
use crate::turned;
use words::media_type::Format;
use words::rule::{Metadata, Normal};

/// The normal form of an image, or word that it has it already.
pub fn refine(
    format: Format,
    bytes: &[u8],
    normal: &Normal,
    limits: &Limits,
) -> Result<Product, Fault> {
    let survey = decode::survey(format, bytes, limits)?;
    let source = Source { format, bytes, survey: &survey, limits };
    let result = normal.format.unwrap_or(format);
    // A format without EXIF cannot say how its pixels are to be turned.
    let orient = normal.orient || matches!(result, Format::Gif | Format::Avif);
    let normal = &Normal { orient, ..normal.clone() };
    let recipe = Recipe::normal(survey.size, survey.orientation(), normal)?;
    recipe.within(survey.frames, limits)?;
    let converts = normal.format.is_some_and(|wanted| wanted != format);
    if converts || !recipe.only_turns() {
        return encoded(&source, normal, &recipe);
    }
    if !format.is_writable() {
        // Nothing can be written in this format, not even the same pixels turned: it stays as it came.
        decode::verify(&source)?;
        return Ok(Product::Same(shown(&source)));
    }
    if recipe.changes_pixels() {
        return turned(&source, normal, &recipe);
    }
    let profile = decode::verify(&source)?;
    match normal.metadata {
        Metadata::Keep => Ok(Product::Same(shown(&source))),
        Metadata::Strip => stripped(&source, profile),
    }
}

/// The size as a viewer shows it that obeys the orientation.
fn shown(source: &Source<'_>) -> words::dimensions::Dimensions {
    let swaps = source.survey.orientation().swaps_sides();
    if swaps { source.survey.size.swapped() } else { source.survey.size }
}

/// The same pixels in a container without metadata. An orientation that was not applied stays: it says how the pixels look.
fn stripped(source: &Source<'_>, profile: Profile) -> Result<Product, Fault> {
    let mut bytes = container::rebuild(source.format, source.bytes, profile)?;
    let orientation = source.survey.orientation();
    if orientation != Orientation::Upright {
        bytes = container::with_exif(source.format, bytes, &exif::minimal(orientation))?;
    }
    let dimensions = shown(source);
    if bytes == source.bytes {
        return Ok(Product::Same(dimensions));
    }
    Ok(Product::New { format: source.format, dimensions, bytes })
}

/// A JPEG is turned without loss where its blocks allow it, else as it is coded; all else is decoded and encoded again.
fn turned(source: &Source<'_>, normal: &Normal, recipe: &Recipe) -> Result<Product, Fault> {
    if source.format != Format::Jpeg {
        return encoded(source, normal, recipe);
    }
    let bare = container::rebuild(source.format, source.bytes, Profile::Kept)?;
    let bare = Source { bytes: &bare, ..*source };
    let quality = Target::new(source.format, normal.quality, Purpose::Stored).quality;
    let bytes = match turned::without_loss(&bare, recipe.turn()) {
        Some(bytes) => Some(bytes),
        None => turned::by_planes(&bare, recipe.turn(), quality)?,
    };
    match bytes {
        Some(bytes) => finished(source, normal, recipe, source.format, bytes),
        None => encoded(source, normal, recipe),
    }
}

fn encoded(source: &Source<'_>, normal: &Normal, recipe: &Recipe) -> Result<Product, Fault> {
    let format = normal.format.unwrap_or(source.format);
    let mut target = Target::new(format, normal.quality, Purpose::Stored);
    if source.format == Format::Jpeg {
        target.chroma = Chroma::of(source.bytes);
    }
    if !format.is_writable() {
        return Err(encode::unwritable(format));
    }
    let animated = source.survey.frames > 1;
    if animated && Animation::is_for(source.format) && Animation::is_for(format) {
        let bytes = animation::reworked(source, recipe, target)?;
        return finished(source, normal, recipe, format, bytes);
    }
    if animated {
        // Only the first picture is used, but all of them must be whole.
        decode::verify(source)?;
    }
    let bytes = still::reworked(source, recipe, target)?;
    finished(source, normal, recipe, format, bytes)
}

/// Puts back the EXIF structure of an image whose metadata is kept, or an orientation that was not applied.
fn finished(
    source: &Source<'_>,
    normal: &Normal,
    recipe: &Recipe,
    format: Format,
    bytes: Vec<u8>,
) -> Result<Product, Fault> {
    let orientation = source.survey.orientation();
    let left = if normal.orient { Orientation::Upright } else { orientation };
    let exif = match (&source.survey.exif, normal.metadata) {
        (Some(exif), Metadata::Keep) if normal.orient => Some(exif::upright(exif)),
        (Some(exif), Metadata::Keep) => Some(exif.clone()),
        (_, Metadata::Strip) if left != Orientation::Upright => Some(exif::minimal(left).to_vec()),
        _ => None,
    };
    let bytes = match exif {
        Some(exif) => container::with_exif(format, bytes, &exif)?,
        None => bytes,
    };
    let result = recipe.result();
    let dimensions = if left.swaps_sides() { result.swapped() } else { result };
    Ok(Product::New { format, dimensions, bytes })
}
