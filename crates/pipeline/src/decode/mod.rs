//! Decoding: file bytes to pixels, one file a format, each complete to the last byte of image data.
//! Does not know rules; sizes were checked by `container::survey` before, or are checked here before anything is allocated.

mod avif;
mod baseline;
mod gif;
mod huffman;
mod jpeg;
mod png;
mod quarter;
mod uncommon;
mod webp;

use crate::container::{self, Profile, Survey};
use crate::job::{Fault, Limits};
use crate::planes::Coded;
use crate::raster::Raster;
use words::dimensions::Dimensions;
use words::media_type::Format;

pub use jpeg::{Chroma, fault as jpeg_fault};

#[cfg(test)]
thread_local! {
    /// How often this thread has had JPEG data decoded. Times are noisy, counts are not.
    pub static JPEG_DECODES: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// Called wherever all of a JPEG's data is decoded.
pub fn count_jpeg_decode() {
    #[cfg(test)]
    JPEG_DECODES.set(JPEG_DECODES.get() + 1);
}

/// One decoded picture with what is needed to read its colours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub raster: Raster,
    /// An ICC profile.
    pub profile: Option<Vec<u8>>,
}

/// A file of image bytes whose container was walked.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    pub format: Format,
    pub bytes: &'a [u8],
    pub survey: &'a Survey,
    pub limits: &'a Limits,
}

/// One step of an animation, composed: the whole canvas as it is shown.
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

/// Takes the frames of an animation, one after the other.
pub trait FrameSink {
    /// Called once, before the first frame.
    fn begin(&mut self, repeat: Repeat) -> Result<(), Fault>;
    fn add(&mut self, frame: Frame) -> Result<(), Fault>;
}

/// Finds out what lies in the container. BMP and TIFF have no container of their own here: their decoders say it.
pub fn survey(format: Format, bytes: &[u8], limits: &Limits) -> Result<Survey, Fault> {
    match format {
        Format::Bmp | Format::Tiff => uncommon::survey(format, bytes, limits),
        _ => container::survey(format, bytes, limits),
    }
}

/// Decodes every frame to its last byte and keeps none. Returns whether the embedded colour profile can stay.
pub fn verify(source: &Source<'_>) -> Result<Profile, Fault> {
    match source.format {
        Format::Jpeg => jpeg::verify(source).map(|()| Profile::Kept),
        Format::Png => png::verify(source),
        Format::Gif => gif::verify(source).map(|()| Profile::Kept),
        Format::Webp => webp::verify(source).map(|()| Profile::Kept),
        Format::Bmp | Format::Tiff => uncommon::still(source).map(|_| Profile::Kept),
        Format::Avif => avif::verify(source).map(|()| Profile::Kept),
    }
}

/// Decodes the picture, the first one of an animation. A JPEG may come at a smaller scale that is still `needed` or
/// larger; all of its data is read even so. Of an animation no more is read than its first picture.
pub fn still(source: &Source<'_>, needed: Dimensions) -> Result<Picture, Fault> {
    match source.format {
        Format::Jpeg => jpeg::still(source, needed),
        Format::Png => png::still(source),
        Format::Gif => gif::still(source),
        Format::Webp => webp::still(source),
        Format::Bmp | Format::Tiff => uncommon::still(source),
        Format::Avif => avif::still(source),
    }
}

/// Decodes a picture to the planes that it is coded in, else as [`still`]. `None` where there are no such planes.
pub fn planes(source: &Source<'_>, needed: Dimensions) -> Result<Option<Coded>, Fault> {
    match source.format {
        Format::Jpeg => jpeg::planes(source, needed),
        _ => Ok(None),
    }
}

/// Decodes an animation frame by frame: at no time is more than one in memory. Only GIF and WebP.
pub fn frames(source: &Source<'_>, sink: &mut dyn FrameSink) -> Result<(), Fault> {
    match source.format {
        Format::Gif => gif::frames(source, sink),
        Format::Webp => webp::frames(source, sink),
        other => Err(Fault::Unsupported(format!("{} animations are not read", other.name()))),
    }
}
