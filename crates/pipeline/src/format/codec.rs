//! An entry of the table of formats: what the pipeline can do with files of one format.

use super::animation::{AnimationEncoder, Frame, Repeat};
use super::encoding::{Chroma, Purpose, Qualities, Target};
use super::partial::{Found, Partial, Stop};
use super::survey::{Profile, Survey};
use crate::exif::Orientation;
use crate::job::{Fault, Limits};
use crate::planes::{Planes, SubsampledPlanes};
use crate::raster::Raster;
use words::dimensions::Dimensions;
use words::media_type::Format;

pub struct Codec {
    pub format: Format,
    /// The first bytes of files of this format. A file with fewer may still become one.
    pub beginnings: &'static [&'static [u8]],
    /// Whether bytes are the beginning of a file of this format.
    pub sniff: fn(&[u8]) -> bool,
    /// Reads the size, and the orientation where the header holds one. Notes what it has found also if it then stops.
    pub header: fn(&Partial<'_>, &mut Found) -> Result<(), Stop>,
    pub container: Container,
    pub decode: Decoder,
    /// `None` for a format that is only read.
    pub encode: Option<Encoder>,
    /// Turns a picture without decoding it to pixels, at this quality where it must be encoded again.
    /// Returns `None` where that would misplace pixels or colours.
    pub turn: Option<Turn>,
}

pub type Turn = fn(&Source<'_>, Orientation, u8) -> Result<Option<Vec<u8>>, Fault>;

/// The functions for which no pixels are decoded.
pub struct Container {
    /// Walks the container from its first byte to its end and checks the limits that only this walk can check.
    pub survey: fn(&[u8], &Limits) -> Result<Survey, Fault>,
    /// Removes metadata, unknown parts and what follows the image; the pixels stay bit for bit. Stripping twice is
    /// stripping once. Only for bytes that were surveyed.
    pub strip: fn(&[u8], Profile) -> Result<Vec<u8>, Fault>,
    /// Puts an EXIF structure into a file that has none. `None` for a format without a place for it.
    pub with_exif: Option<WithExif>,
}

pub type WithExif = fn(&[u8], &[u8]) -> Result<Vec<u8>, Fault>;

/// Decoding of untrusted bytes. Limits on size were checked by the survey.
pub struct Decoder {
    /// Decodes every frame to its last byte and keeps none.
    pub verify: fn(&Source<'_>) -> Result<Profile, Fault>,
    /// Decodes the picture, of an animation the first frame. Only a JPEG comes at a smaller scale, at least as large as
    /// asked for; all of its data is read even so. Of an animation nothing behind the first frame is read.
    pub picture: fn(&Source<'_>, Dimensions) -> Result<Picture, Fault>,
    /// Decodes the picture to YCbCr planes, at the scale that `picture` would choose. Returns `None` if the file is not
    /// coded in such planes.
    pub planes: Option<DecodePlanes>,
    /// The subsampling of the file. `None` leaves it to the encoder.
    pub chroma: Option<fn(&[u8]) -> Chroma>,
    /// Decodes an animation frame by frame: at no time is more than one in memory.
    pub frames: Option<DecodeFrames>,
}

pub type DecodePlanes = fn(&Source<'_>, Dimensions) -> Result<Option<SubsampledPlanes>, Fault>;

pub type DecodeFrames = fn(&Source<'_>, &mut FrameSink<'_>) -> Result<(), Fault>;

/// Takes the frames of an animation in order, each with how often the animation is shown.
pub type FrameSink<'s> = dyn FnMut(Frame, Repeat) -> Result<(), Fault> + 's;

/// Encoding of sRGB pixels, without metadata. What a format cannot hold is given up: alpha on white in a JPEG,
/// half-transparent pixels and all but 256 colours in a GIF.
pub struct Encoder {
    pub picture: fn(Raster, Target) -> Result<Vec<u8>, Fault>,
    pub planes: PlaneInput,
    /// The quality where none is asked for. `None` for a lossless format.
    pub qualities: Option<Qualities>,
    pub animation: Option<StartAnimation>,
}

/// Starts an animation of canvases of one size.
pub type StartAnimation =
    fn(Dimensions, Repeat, Target) -> Result<Box<dyn AnimationEncoder>, Fault>;

/// Whether pictures for this format are scaled in the YCbCr planes that they were decoded to.
#[derive(Clone, Copy)]
pub enum PlaneInput {
    /// No: a format that does not keep them in such planes would show their rounding.
    Never,
    /// Yes, then converted to RGB.
    AsRgb,
    /// Yes, and encoded without a conversion.
    Direct(fn(&Planes, Target) -> Result<Vec<u8>, Fault>),
}

/// A file whose container was walked.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub codec: &'static Codec,
    pub bytes: &'a [u8],
    pub survey: &'a Survey,
    pub limits: &'a Limits,
}

/// One decoded picture with what is needed to read its colours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub raster: Raster,
    /// An ICC profile.
    pub profile: Option<Vec<u8>>,
}

impl Codec {
    /// The survey of a file. Every limit that can be checked without decoding was checked.
    pub fn survey(&self, bytes: &[u8], limits: &Limits) -> Result<Survey, Fault> {
        (self.container.survey)(bytes, limits)?.checked(limits)
    }

    /// The file with this EXIF structure; unchanged if the format has no place for it.
    pub fn with_exif(&self, bytes: Vec<u8>, structure: &[u8]) -> Result<Vec<u8>, Fault> {
        match self.container.with_exif {
            Some(with_exif) => with_exif(&bytes, structure),
            None => Ok(bytes),
        }
    }

    /// Errors: `Unsupported` for a format that is only read.
    pub fn encoder(&self) -> Result<&Encoder, Fault> {
        let name = self.format.name();
        let unwritable =
            || Fault::Unsupported(format!("{name} is not written; name another format"));
        self.encode.as_ref().ok_or_else(unwritable)
    }
}

impl Encoder {
    /// Encodes at this quality, or at the default for this purpose.
    pub fn target(&self, quality: Option<u8>, purpose: Purpose) -> Target {
        let default = self.qualities.as_ref().map(|qualities| qualities.of(purpose));
        let quality = quality.or(default).unwrap_or(Target::BEST).clamp(1, Target::BEST);
        Target { quality, chroma: Chroma::Quarter }
    }
}
