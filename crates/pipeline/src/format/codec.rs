//! An entry of the table of formats: what the pipeline can do with files of one format.

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
    /// Walks the container to its end and checks the limits that only this walk can check. Decodes no pixels.
    pub walk: fn(&[u8], &Limits) -> Result<Survey, Fault>,
    /// Removes metadata, unknown parts and what follows the image; the pixels stay bit for bit. Stripping twice is
    /// stripping once. Only for bytes that were surveyed.
    pub strip: fn(&[u8], Profile) -> Result<Vec<u8>, Fault>,
    /// Puts the coefficients or pixels of a file that was refused into a container without faults. `None`
    /// if some are missing, if parts contradict one another, and for formats that are never repaired.
    pub repaired: fn(&[u8], &Limits) -> Option<Vec<u8>>,
    /// Puts an EXIF structure into a file that has none. `None` for a format without a place for it.
    pub place_exif: Option<PlaceExif>,
    /// Decodes every frame to its last byte and keeps none.
    pub verify: fn(&Source<'_>) -> Result<Profile, Fault>,
    /// Decodes the picture: of an animation the first frame, behind which nothing is read. A JPEG may come at a smaller scale,
    /// but no smaller than asked for; all of its data is read even so.
    pub picture: fn(&Source<'_>, Dimensions) -> Result<Picture, Fault>,
    /// Decodes an animation frame by frame: at no time is more than one in memory.
    pub frames: Option<DecodeFrames>,
    pub planar: Option<Planar>,
    /// `None` for a format that is only read.
    pub encode: Option<Encoder>,
}

pub type PlaceExif = fn(&[u8], &[u8]) -> Result<Vec<u8>, Fault>;

pub type DecodeFrames = fn(&Source<'_>, &mut FrameSink<'_>) -> Result<(), Fault>;

/// Takes the frames of an animation in order, each with how often the animation is shown.
pub type FrameSink<'s> = dyn FnMut(Frame, Repeat) -> Result<(), Fault> + 's;

/// The functions of a format that codes pictures in YCbCr planes.
pub struct Planar {
    /// Decodes the planes, at the scale that `picture` would choose. Returns `None` if the file has no such planes.
    pub decode: fn(&Source<'_>, Dimensions) -> Result<Option<SubsampledPlanes>, Fault>,
    pub chroma: fn(&[u8]) -> Chroma,
    /// Turns a picture without decoding it to pixels, at this quality if it must be encoded again. Returns `None` where that
    /// would misplace pixels or colours.
    pub turn: Turn,
}

pub type Turn = fn(&Source<'_>, Orientation, u8) -> Result<Option<Vec<u8>>, Fault>;

/// Encoding of sRGB pixels, without metadata. A JPEG loses its alpha, which is mixed with white; a GIF loses half-transparent
/// pixels and all but 256 colours.
#[derive(Clone, Copy)]
pub struct Encoder {
    pub picture: fn(Raster, Target) -> Result<Vec<u8>, Fault>,
    pub planes: PlaneInput,
    pub qualities: Qualities,
    pub animation: Option<StartAnimation>,
}

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

/// The qualities where none is asked for. A JPEG stored at 90 is hard to tell from its source, and half its size.
#[derive(Clone, Copy)]
pub struct Qualities {
    /// The quality of a stored picture, the source of all variants.
    pub stored: u8,
    /// The quality of a variant, which can be rendered again.
    pub variant: u8,
}

impl Qualities {
    pub const LOSSLESS: Self = Self { stored: Target::BEST, variant: Target::BEST };
}

/// The settings with which a picture is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// 1 to 100; without effect in a lossless format.
    pub quality: u8,
    /// Obeyed by JPEG only.
    pub chroma: Chroma,
}

/// How finely colour is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chroma {
    /// 4:4:4.
    Full,
    /// 4:2:2.
    HalfWidth,
    /// 4:2:0, and all that is rarer.
    Quarter,
}

impl Target {
    const BEST: u8 = 100;

    pub fn of(quality: u8) -> Self {
        Self { quality: quality.clamp(1, Self::BEST), chroma: Chroma::Quarter }
    }
}

/// A file whose container was walked. Limits on its size were checked.
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

/// One frame of an animation, composed: the whole canvas as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    pub raster: Raster,
    /// Milliseconds.
    pub duration: u32,
}

/// How often an animation is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    Forever,
    /// In all, at least once.
    Times(u16),
}

/// Assembles a file frame by frame.
pub trait AnimationEncoder {
    /// Errors: `Unsupported` for a canvas of another size than the animation's.
    fn add(&mut self, frame: Frame) -> Result<(), Fault>;
    fn finish(self: Box<Self>) -> Result<Vec<u8>, Fault>;
}

impl Codec {
    /// The survey of a file. Every limit that can be checked without decoding was checked. The orientation, and the EXIF that
    /// holds it, are those by which the header was judged.
    pub fn survey(&self, bytes: &[u8], limits: &Limits) -> Result<Survey, Fault> {
        let survey = (self.walk)(bytes, limits)?.checked(limits)?;
        let mut found = Found::default();
        // A header that ends too early, or with a fault, was judged by what had been found in it.
        let _ = (self.header)(&Partial { head: bytes, file: None }, &mut found);
        let exif = found.exif_of(bytes).map(<[u8]>::to_vec).or(survey.exif);
        Ok(Survey { exif, orientation: found.orientation.unwrap_or_default(), ..survey })
    }

    /// Does work on a file; if the file is refused, on the repaired file, which is returned, too.
    pub fn repairing<T>(
        &self,
        bytes: &[u8],
        limits: &Limits,
        work: impl Fn(&[u8]) -> Result<T, Fault>,
    ) -> Result<(T, Option<Vec<u8>>), Fault> {
        let refused = match work(bytes) {
            Ok(done) => return Ok((done, None)),
            Err(fault) => fault,
        };
        let faulty = |fault: &Fault| matches!(fault, Fault::Truncated(_) | Fault::Corrupt(_));
        let repairable = faulty(&refused) || matches!(refused, Fault::Unsupported(_));
        let repaired = repairable.then(|| (self.repaired)(bytes, limits)).flatten();
        let Some(repaired) = repaired else { return Err(refused) };
        match work(&repaired) {
            Err(fault) if faulty(&fault) => Err(refused),
            done => done.map(|done| (done, Some(repaired))),
        }
    }

    /// The file with this EXIF structure; unchanged if the format has no place for it.
    pub fn with_exif(&self, bytes: Vec<u8>, structure: &[u8]) -> Result<Vec<u8>, Fault> {
        match self.place_exif {
            Some(place) => place(&bytes, structure),
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
