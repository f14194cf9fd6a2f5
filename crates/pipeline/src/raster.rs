//! A raster: the pixels of one picture in memory, eight bits a channel.
//! Does not know files, formats or what is done to it.

use crate::job::Fault;
use words::dimensions::Dimensions;

/// What the bytes of a pixel mean, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channels {
    Gray,
    /// Alpha is not multiplied in, here and in `Rgba`.
    GrayAlpha,
    Rgb,
    Rgba,
    /// Ink: 0 is none, 255 is full.
    Cmyk,
}

impl Channels {
    /// Bytes a pixel.
    pub fn count(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }

    pub fn has_alpha(self) -> bool {
        matches!(self, Self::GrayAlpha | Self::Rgba)
    }
}

/// Rows from top to bottom, pixels from left to right, nothing between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raster {
    size: Dimensions,
    channels: Channels,
    pixels: Vec<u8>,
}

impl Raster {
    /// Errors: `Corrupt` if there are not exactly as many bytes as the size asks for.
    pub fn new(size: Dimensions, channels: Channels, pixels: Vec<u8>) -> Result<Self, Fault> {
        if size.pixels() == 0 || pixels.len() != length(size, channels) {
            let bytes = pixels.len();
            return Err(Fault::Corrupt(format!("{bytes} bytes of pixels are no {size} image")));
        }
        Ok(Self { size, channels, pixels })
    }

    /// All bytes zero.
    pub fn blank(size: Dimensions, channels: Channels) -> Self {
        Self { size, channels, pixels: vec![0; length(size, channels)] }
    }

    pub fn size(&self) -> Dimensions {
        self.size
    }

    pub fn channels(&self) -> Channels {
        self.channels
    }

    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    pub fn pixels_mut(&mut self) -> &mut [u8] {
        &mut self.pixels
    }

    pub fn into_pixels(self) -> Vec<u8> {
        self.pixels
    }

    /// Bytes a row.
    pub fn pitch(&self) -> usize {
        index(self.size.width) * self.channels.count()
    }

    /// Makes each pixel of another kind out of one of this; rows keep their places.
    pub fn map<const FROM: usize, const TO: usize>(
        &self,
        channels: Channels,
        convert: impl Fn([u8; FROM]) -> [u8; TO],
    ) -> Self {
        let (chunks, _) = self.pixels.as_chunks::<FROM>();
        let pixels = chunks.iter().flat_map(|&pixel| convert(pixel)).collect();
        Self { size: self.size, channels, pixels }
    }
}

/// Bytes of a raster.
pub fn length(size: Dimensions, channels: Channels) -> usize {
    let pixels = usize::try_from(size.pixels()).unwrap_or(usize::MAX);
    pixels.saturating_mul(channels.count())
}

/// A side or a place as an index. No supported machine has a smaller one.
pub fn index(side: u32) -> usize {
    usize::try_from(side).unwrap_or(usize::MAX)
}
