//! The containers of the image formats: what lies in a file beside the pixels, found and rebuilt without decoding any.
//! Does not know codecs; a container that walks to its end may still hold damaged pixels.

pub mod avif;
mod gif;
mod jpeg;
mod png;
mod webp;

use crate::exif::{self, Orientation};
use crate::job::{Fault, Limits};
use words::dimensions::Dimensions;
use words::media_type::Format;

pub use jpeg::{Segment as JpegSegment, walk as jpeg_segments};

/// What a walk through a container finds. Every limit was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// As the pixels lie in the file, before any orientation.
    pub size: Dimensions,
    /// 1 for a still image.
    pub frames: u32,
    /// A TIFF structure, without the prefix that a JPEG puts before it.
    pub exif: Option<Vec<u8>>,
    /// The colour profile where the container holds it uncompressed (JPEG, WebP).
    pub profile: Option<Vec<u8>>,
    /// The kind of coding, where a re-encoding keeps it.
    pub coding: Coding,
}

/// How the pixels are coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Plain,
    /// A JPEG in several scans of growing detail.
    Progressive,
    /// A JPEG of four colours whose values count light instead of ink, as Adobe's programs write it.
    Inverted,
}

impl Survey {
    fn new(size: Dimensions) -> Self {
        Self { size, frames: 1, exif: None, profile: None, coding: Coding::Plain }
    }

    pub fn orientation(&self) -> Orientation {
        self.exif.as_deref().map(exif::orientation).unwrap_or_default()
    }

    fn checked(self, limits: &Limits) -> Result<Self, Fault> {
        if self.size.width == 0 || self.size.height == 0 {
            return Err(Fault::Corrupt(format!("the image is {}", self.size)));
        }
        let pixels = self.size.pixels();
        at_most("pixels", pixels, limits.max_pixels)?;
        at_most("frames", self.frames.into(), limits.max_frames.into())?;
        let total = pixels.saturating_mul(self.frames.into());
        let all = limits.max_total_pixels.max(limits.max_pixels);
        at_most("pixels of all frames", total, all)?;
        Ok(self)
    }
}

/// Whether the colour profile of a rebuilt container stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Kept,
    /// It cannot be read, or is larger than a profile may be.
    Dropped,
}

/// Walks the container from its first byte to the end marker and checks every limit that its headers tell.
/// Errors: `Truncated`, `Corrupt`, `Bomb`; `Unsupported` for formats without a reader here.
pub fn survey(format: Format, bytes: &[u8], limits: &Limits) -> Result<Survey, Fault> {
    let survey = match format {
        Format::Jpeg => jpeg::survey(bytes, limits),
        Format::Png => png::survey(bytes, limits),
        Format::Gif => gif::survey(bytes, limits),
        Format::Webp => webp::survey(bytes, limits),
        Format::Avif => avif::survey(bytes, limits),
        Format::Bmp | Format::Tiff => {
            Err(Fault::Unsupported(format!("{} containers are not walked", format.name())))
        }
    }?;
    survey.checked(limits)
}

/// The same pixels, bit for bit, without metadata, unknown parts and whatever follows the end of the image. Rebuilding
/// twice is rebuilding once. Only for bytes that were surveyed.
pub fn rebuild(format: Format, bytes: &[u8], profile: Profile) -> Result<Vec<u8>, Fault> {
    match format {
        Format::Jpeg => jpeg::rebuild(bytes),
        Format::Png => png::rebuild(bytes, profile),
        Format::Gif => gif::rebuild(bytes),
        Format::Webp => webp::rebuild(bytes),
        Format::Avif => avif::rebuild(bytes),
        Format::Bmp | Format::Tiff => Ok(bytes.to_vec()),
    }
}

/// Puts an EXIF structure into a container that has none. Formats without a place for it stay as they are.
pub fn with_exif(format: Format, bytes: Vec<u8>, structure: &[u8]) -> Result<Vec<u8>, Fault> {
    match format {
        Format::Jpeg => Ok(jpeg::with_exif(bytes, structure)),
        Format::Png => png::with_exif(&bytes, structure),
        Format::Webp => webp::with_exif(&bytes, structure),
        Format::Gif | Format::Avif | Format::Bmp | Format::Tiff => Ok(bytes),
    }
}

/// Passes what is within its limit.
pub fn at_most(what: &str, measured: u64, allowed: u64) -> Result<(), Fault> {
    if measured > allowed {
        return Err(Fault::Bomb { what: what.into(), measured, allowed });
    }
    Ok(())
}

fn truncated(what: &str) -> Fault {
    Fault::Truncated(format!("the file ends in {what}"))
}

fn corrupt(what: &str) -> Fault {
    Fault::Corrupt(what.into())
}

/// `length` bytes from `at`, or the fault that says what was cut off.
fn slice<'a>(bytes: &'a [u8], at: usize, length: usize, what: &str) -> Result<&'a [u8], Fault> {
    let end = at.checked_add(length).ok_or_else(|| truncated(what))?;
    bytes.get(at..end).ok_or_else(|| truncated(what))
}

fn array<const N: usize>(bytes: &[u8], at: usize, what: &str) -> Result<[u8; N], Fault> {
    let part = slice(bytes, at, N, what)?;
    part.try_into().map_err(|_| truncated(what))
}

/// A 32-bit length as an index. No supported machine has a smaller one.
fn index(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}
