//! Refining: one image file to its normal form, decoded to the last byte on the way.

use crate::exif::{self, Orientation};
use crate::format::codec;
use crate::format::codec::{Codec, Encoder, Source};
use crate::format::encoding::{Purpose, Target};
use crate::format::survey::Profile;
use crate::job::{Fault, Limits};
use crate::product::Product;
use crate::step::Transformation;
use crate::transcode;
use words::media_type::Format;
use words::rule::{Metadata, Normal};

/// The normal form of an image, or the finding that it has that already.
pub fn refine(
    format: Format,
    bytes: &[u8],
    normal: &Normal,
    limits: &Limits,
) -> Result<Product, Fault> {
    let from = codec(format);
    let survey = from.survey(bytes, limits)?;
    let source = Source { codec: from, bytes, survey: &survey, limits };
    let to = codec(normal.format.unwrap_or(format));
    let normal = &Normal { orient: normal.orient || must_orient(to), ..normal.clone() };
    let transformation = Transformation::normal(survey.size, survey.orientation(), normal)?;
    transformation.check(survey.frames, limits)?;
    let work = Work { source, to, normal, transformation };
    if to.format != format || !transformation.only_turns() {
        return work.encoded();
    }
    if from.encode.is_none() {
        // Not even the turned pixels can be written in this format: the file stays as it came.
        (from.decode.verify)(&source)?;
        return Ok(Product::Same(survey.shown()));
    }
    if transformation.changes_pixels() {
        return work.turned();
    }
    let profile = (from.decode.verify)(&source)?;
    match normal.metadata {
        Metadata::Keep => Ok(Product::Same(survey.shown())),
        Metadata::Strip => stripped(&source, profile),
    }
}

/// Whether a format is written without EXIF, which could tell viewers how to turn its pixels.
fn must_orient(codec: &Codec) -> bool {
    codec.encode.is_some() && codec.container.with_exif.is_none()
}

/// The file without metadata, its pixels bit for bit. An orientation that was not applied stays: without it the picture would
/// be shown on its side.
fn stripped(source: &Source<'_>, profile: Profile) -> Result<Product, Fault> {
    let mut bytes = (source.codec.container.strip)(source.bytes, profile)?;
    let orientation = source.survey.orientation();
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
        let Some(turn) = self.to.turn else { return self.encoded() };
        let quality = self.target(self.to.encoder()?).quality;
        match turn(&self.source, self.transformation.turn(), quality)? {
            Some(bytes) => self.finished(bytes),
            None => self.encoded(),
        }
    }

    fn encoded(&self) -> Result<Product, Fault> {
        let encoder = self.to.encoder()?;
        let mut target = self.target(encoder);
        if let Some(chroma) = self.source.codec.decode.chroma {
            target.chroma = chroma(self.source.bytes);
        }
        let (source, transformation) = (&self.source, &self.transformation);
        if source.survey.frames > 1 {
            if let Some(bytes) = transcode::animation(source, transformation, encoder, target)? {
                return self.finished(bytes);
            }
            // Only the first frame is used, but all of them must be complete.
            (source.codec.decode.verify)(source)?;
        }
        self.finished(transcode::picture(source, transformation, encoder, target)?)
    }

    fn target(&self, encoder: &Encoder) -> Target {
        encoder.target(self.normal.quality, Purpose::Stored)
    }

    /// Puts back EXIF: all of it where metadata is kept, else an orientation that was not applied.
    fn finished(&self, bytes: Vec<u8>) -> Result<Product, Fault> {
        let Self { source, to, normal, transformation } = self;
        let orientation = source.survey.orientation();
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
