//! A raster: the pixels of one picture in memory, eight bits a channel.

use crate::job::Fault;
use words::dimensions::Dimensions;

/// The meaning of the bytes of a pixel, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channels {
    Gray,
    /// Straight alpha, not premultiplied, here and in `Rgba`.
    GrayAlpha,
    Rgb,
    Rgba,
    /// 0 is no ink, 255 is full ink.
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

/// Rows from top to bottom, pixels from left to right, without padding.
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

    /// A raster of the same size with other channels, converted pixel by pixel.
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

/// How many bytes a raster has.
pub fn length(size: Dimensions, channels: Channels) -> usize {
    let pixels = usize::try_from(size.pixels()).unwrap_or(usize::MAX);
    pixels.saturating_mul(channels.count())
}

/// The size of a picture of which a decoder has told the sides.
pub fn dimensions((width, height): (usize, usize)) -> Dimensions {
    let side = |side| u32::try_from(side).unwrap_or(u32::MAX);
    Dimensions::new(side(width), side(height))
}

/// A side, an offset or a length as an index, which has at least 32 bits on every supported machine.
pub fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
