//! Encoding: pixels to file bytes, one file a format.
//! Does not know rules; takes sRGB pixels and writes no metadata.

mod avif;
mod gif;
mod jpeg;
mod png;

use crate::decode::{Chroma, Frame, FrameSink, Repeat};
use crate::job::Fault;
use crate::libwebp;
use crate::planes::Planes;
use crate::raster::{Channels, Raster};
use crate::step::{flattened, with_hard_alpha, without_gray};
use words::dimensions::Dimensions;
use words::media_type::Format;

pub use jpeg::is_optimised as jpeg_is_optimised;

/// What the picture is for; it chooses the quality where none is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Kept, and the source of all that is derived.
    Stored,
    /// Can be made again.
    Variant,
}

/// The quality of what is stored: a re-encoded JPEG at 90 is hard to tell from its source, and half its size.
const STORED: Qualities = Qualities { jpeg: 90, webp: 85, avif: 65 };
/// The quality of variants.
const VARIANT: Qualities = Qualities { jpeg: 85, webp: 80, avif: 60 };

struct Qualities {
    jpeg: u8,
    webp: u8,
    avif: u8,
}

/// How to encode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    pub format: Format,
    /// 1 to 100, for the formats that lose something.
    pub quality: u8,
    /// For JPEG.
    pub chroma: Chroma,
}

impl Target {
    pub fn new(format: Format, quality: Option<u8>, purpose: Purpose) -> Self {
        let default = match purpose {
            Purpose::Stored => STORED,
            Purpose::Variant => VARIANT,
        };
        let default = match format {
            Format::Webp => default.webp,
            Format::Avif => default.avif,
            _ => default.jpeg,
        };
        let quality = quality.unwrap_or(default).clamp(1, 100);
        Self { format, quality, chroma: Chroma::Quarter }
    }
}

/// Encodes one picture. What the format cannot hold is given up: alpha on white in a JPEG, half-transparent pixels and
/// all but 256 colours in a GIF.
pub fn still(raster: Raster, target: Target) -> Result<Vec<u8>, Fault> {
    match target.format {
        Format::Jpeg => jpeg::encode(&flattened(raster), target),
        Format::Png => png::encode(&raster),
        Format::Gif => {
            let frame = Frame { raster: with_hard_alpha(raster), duration: 0 };
            let mut animation = gif::Animation::new(frame.raster.size(), Repeat::Times(1))?;
            animation.add(frame)?;
            animation.finish()
        }
        Format::Webp => libwebp::encode(&without_gray(raster), target.quality),
        Format::Avif => avif::encode(&without_gray(raster), target.quality),
        Format::Bmp | Format::Tiff => Err(unwritable(target.format)),
    }
}

/// Encodes a picture in planes as a JPEG, without a way over other colours.
pub fn planes(planes: &Planes, target: Target) -> Result<Vec<u8>, Fault> {
    jpeg::encode_planes(planes, target)
}

pub fn unwritable(format: Format) -> Fault {
    Fault::Unsupported(format!("{} is not written; name another format", format.name()))
}

/// An animation being encoded. Each frame goes through `step` first.
pub struct Animation<'a> {
    target: Target,
    size: Dimensions,
    step: &'a dyn Fn(Raster) -> Result<Raster, Fault>,
    encoder: Option<Encoder>,
}

enum Encoder {
    Gif(Box<gif::Animation>),
    Webp(libwebp::Animation),
}

impl<'a> Animation<'a> {
    /// `step` makes canvases of `size` out of those that come in.
    pub fn new(
        target: Target,
        size: Dimensions,
        step: &'a dyn Fn(Raster) -> Result<Raster, Fault>,
    ) -> Self {
        Self { target, size, step, encoder: None }
    }

    pub fn finish(self) -> Result<Vec<u8>, Fault> {
        match self.encoder {
            Some(Encoder::Gif(animation)) => animation.finish(),
            Some(Encoder::Webp(animation)) => animation.finish(),
            None => Err(Fault::Corrupt("the animation has no frames".into())),
        }
    }

    /// Whether a format is animated here.
    pub fn is_for(format: Format) -> bool {
        matches!(format, Format::Gif | Format::Webp)
    }
}

impl FrameSink for Animation<'_> {
    fn begin(&mut self, repeat: Repeat) -> Result<(), Fault> {
        self.encoder = Some(match self.target.format {
            Format::Gif => Encoder::Gif(Box::new(gif::Animation::new(self.size, repeat)?)),
            Format::Webp => {
                let loops = match repeat {
                    Repeat::Forever => 0,
                    Repeat::Times(times) => times,
                };
                let quality = self.target.quality;
                Encoder::Webp(libwebp::Animation::new(self.size, loops, quality)?)
            }
            other => return Err(unwritable(other)),
        });
        Ok(())
    }

    fn add(&mut self, frame: Frame) -> Result<(), Fault> {
        let raster = (self.step)(frame.raster)?;
        match &mut self.encoder {
            Some(Encoder::Gif(animation)) => {
                let raster = with_hard_alpha(raster);
                animation.add(Frame { raster, duration: frame.duration })
            }
            Some(Encoder::Webp(animation)) => {
                let raster = match raster.channels() {
                    Channels::Rgba => raster,
                    _ => with_hard_alpha(raster),
                };
                animation.add(&raster, frame.duration)
            }
            None => Err(Fault::Corrupt("a frame came before the animation's header".into())),
        }
    }
}
