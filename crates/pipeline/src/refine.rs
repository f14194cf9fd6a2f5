//! Refining: one image file to its normal form, decoded to the last byte on the way.

use crate::exif::{self, Orientation};
use crate::format::codec;
use crate::format::codec::{Codec, Encoder, Source, Target};
use crate::format::survey::Profile;
use crate::job::{Fault, Limits};
use crate::step::Transformation;
use crate::transcode::{Product, animated, transcoded};
use words::media_type::Format;
use words::rule::{Metadata, Normal};

/// Returns the normal form of an image, or [`Product::Same`] if it already has it, which a file that was repaired has not.
pub fn refine(
    format: Format,
    bytes: &[u8],
    normal: &Normal,
    limits: &Limits,
) -> Result<Product, Fault> {
    let work = |bytes: &[u8]| refined(format, bytes, normal, limits);
    Ok(match codec(format).repairing(bytes, limits, work)? {
        (Product::Same(dimensions), Some(bytes)) => Product::New { format, dimensions, bytes },
        (product, _) => product,
    })
}

fn refined(
    format: Format,
    bytes: &[u8],
    normal: &Normal,
    limits: &Limits,
) -> Result<Product, Fault> {
    let from = codec(format);
    let survey = from.survey(bytes, limits)?;
    let source = Source { codec: from, bytes, survey: &survey, limits };
    let to = codec(normal.format.unwrap_or(format));
    // Without EXIF in the result, viewers are not told how to turn it.
    let must_orient = to.encode.is_some() && to.place_exif.is_none();
    let normal = &Normal { orient: normal.orient || must_orient, ..normal.clone() };
    let transformation = Transformation::normal(survey.size, survey.orientation, normal)?;
    transformation.check(survey.frames, limits)?;
    let work = Work { source, to, normal, transformation };
    if to.format != format || !transformation.only_turns() {
        return work.encoded();
    }
    if from.encode.is_none() {
        // Not even turned pixels can be written in this format: the file stays as it came.
        (from.verify)(&source)?;
        return Ok(Product::Same(survey.shown()));
    }
    if transformation.turn != Orientation::Upright {
        return work.turned();
    }
    let profile = (from.verify)(&source)?;
    match normal.metadata {
        Metadata::Keep => Ok(Product::Same(survey.shown())),
        Metadata::Strip => stripped(&source, profile),
    }
}

/// The file without metadata, its pixels bit for bit. An orientation that was not applied stays: without it the picture would
/// be shown on its side.
fn stripped(source: &Source<'_>, profile: Profile) -> Result<Product, Fault> {
    let mut bytes = (source.codec.strip)(source.bytes, profile)?;
    let orientation = source.survey.orientation;
    if orientation != Orientation::Upright {
        bytes = source.codec.with_exif(bytes, &exif::minimal(orientation))?;
    }
    let dimensions = source.survey.shown();
    if bytes == source.bytes {
        return Ok(Product::Same(dimensions));
    }
    Ok(Product::New { format: source.codec.format, dimensions, bytes })
}

/// An image whose pixels change.
struct Work<'a> {
    source: Source<'a>,
    /// The format of the result.
    to: &'static Codec,
    normal: &'a Normal,
    transformation: Transformation,
}

impl Work<'_> {
    /// Turns the coded picture where the format has a way to do that, else decodes and encodes it.
    fn turned(&self) -> Result<Product, Fault> {
        let Some(planar) = &self.to.planar else { return self.encoded() };
        let quality = self.target(self.to.encoder()?).quality;
        match (planar.turn)(&self.source, self.transformation.turn, quality)? {
            Some(bytes) => self.finished(bytes),
            None => self.encoded(),
        }
    }

    fn encoded(&self) -> Result<Product, Fault> {
        let encoder = self.to.encoder()?;
        let mut target = self.target(encoder);
        let source = &self.source;
        if let Some(planar) = &source.codec.planar {
            target.chroma = (planar.chroma)(source.bytes);
        }
        if source.survey.frames > 1 && animated(source, encoder).is_none() {
            // Only the first frame is used, but all of them must be complete.
            (source.codec.verify)(source)?;
        }
        self.finished(transcoded(source, &self.transformation, encoder, target)?)
    }

    fn target(&self, encoder: &Encoder) -> Target {
        Target::of(self.normal.quality.unwrap_or(encoder.qualities.stored))
    }

    /// Puts back EXIF: all of it where metadata is kept, else an orientation that was not applied.
    fn finished(&self, bytes: Vec<u8>) -> Result<Product, Fault> {
        let Self { source, to, normal, transformation } = self;
        let orientation = source.survey.orientation;
        let left = if normal.orient { Orientation::Upright } else { orientation };
        let exif = match (&source.survey.exif, normal.metadata) {
            (Some(exif), Metadata::Keep) if normal.orient => Some(exif::upright(exif)),
            (Some(exif), Metadata::Keep) => Some(exif.clone()),
            (_, Metadata::Strip) if left != Orientation::Upright => {
                Some(exif::minimal(left).to_vec())
            }
            _ => None,
        };
        let bytes = match exif {
            Some(exif) => to.with_exif(bytes, &exif)?,
            None => bytes,
        };
        let dimensions = left.applied_to(transformation.result());
        Ok(Product::New { format: to.format, dimensions, bytes })
    }
}
