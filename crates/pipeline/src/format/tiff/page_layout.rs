//! The layout of the pixels of one directory of a TIFF: what its tags say, checked against one another.

use std::ops::Range;

use super::coding::{Alpha, Colour, Packing, Storage};
use super::directory::{Directory, Tiff};
use super::tags::{
    FILL_ORDER, HEIGHT, PLANAR, ROWS_PER_STRIP, SAMPLES, TILE_HEIGHT, TILE_WIDTH, Tags, WIDTH,
};
use crate::format::survey::corrupt;
use crate::job::{Fault, Limits, at_most};
use crate::raster::{Channels, index};
use words::dimensions::Dimensions;

/// The most samples of a pixel; a camera for science has hundreds, a picture a few.
const SAMPLES_MAX: u64 = 32;

pub struct Layout {
    pub size: Dimensions,
    /// A tile, or a strip as wide as the picture.
    pub chunk: Dimensions,
    /// How many chunks lie side by side.
    pub across: u32,
    /// How many rows of chunks there are.
    pub down: u32,
    pub is_tiled: bool,
    /// The bytes of each chunk; with `is_planar` all of the first sample, then all of the second.
    pub parts: Vec<Range<usize>>,
    /// Whether each sample of a pixel lies in chunks of its own.
    pub is_planar: bool,
    pub samples: usize,
    /// Bits a sample, 1 to 32.
    pub bits: u32,
    pub little: bool,
    pub storage: Storage,
    pub colour: Colour,
    pub alpha: Option<Alpha>,
}

impl Layout {
    /// The layout of a directory. Every part lies in the file, which has `length` bytes.
    pub fn read(
        tiff: &Tiff<'_>,
        of: &Directory,
        length: usize,
        limits: &Limits,
    ) -> Result<Self, Fault> {
        let tags = Tags { tiff, of };
        let size = Dimensions::new(tags.side(WIDTH)?, tags.side(HEIGHT)?);
        at_most("pixels", size.pixels(), limits.max_pixels)?;
        let samples = tags.number(SAMPLES, 1)?;
        at_most("samples of a pixel", samples, SAMPLES_MAX)?;
        let samples = usize::try_from(samples).unwrap_or_default();
        let bits = tags.bits(samples)?;
        let packing = tags.packing(limits)?;
        let colour = tags.colour(samples, bits, &packing)?;
        let alpha = tags.alpha(samples, colour.samples())?;
        let is_planar = tags.number(PLANAR, 1)? == 2 && samples > 1;
        let is_tiled = tags.of.has(TILE_WIDTH);
        let chunk = if is_tiled {
            Dimensions::new(tags.side(TILE_WIDTH)?, tags.side(TILE_HEIGHT)?)
        } else {
            let rows = tags.number(ROWS_PER_STRIP, u64::MAX)?.min(size.height.into()).max(1);
            Dimensions::new(size.width, u32::try_from(rows).unwrap_or(size.height))
        };
        if size.pixels() == 0 || chunk.pixels() == 0 || samples < colour.samples() {
            return Err(corrupt("the picture has no pixels"));
        }
        // A tile of a small picture may be larger than it.
        let most = limits.max_pixels.max(Limits::default().max_pixels);
        at_most("pixels of a tile", chunk.pixels(), most)?;
        let (across, down) = (size.width.div_ceil(chunk.width), size.height.div_ceil(chunk.height));
        let planes = if is_planar { samples } else { 1 };
        let parts = tags.parts(index(across) * index(down) * planes, length)?;
        let layout = Self {
            size,
            chunk,
            across,
            down,
            is_tiled,
            parts,
            is_planar,
            samples,
            bits,
            little: tiff.little,
            storage: Storage {
                is_reversed: tags.number(FILL_ORDER, 1)? == 2,
                is_predicted: tags.is_predicted(&packing)?,
                packing,
            },
            colour,
            alpha,
        };
        layout.checked()
    }

    /// The channels of the decoded picture.
    pub fn channels(&self) -> Channels {
        match (&self.colour, self.alpha) {
            (Colour::Cmyk, _) => Channels::Cmyk,
            (Colour::Gray { .. }, None) => Channels::Gray,
            (Colour::Gray { .. }, Some(_)) => Channels::GrayAlpha,
            (_, None) => Channels::Rgb,
            (_, Some(_)) => Channels::Rgba,
        }
    }

    /// How many samples of each pixel lie in a chunk.
    pub fn samples_together(&self) -> usize {
        if self.is_planar { 1 } else { self.samples }
    }

    /// The pixels of a chunk, numbered within its plane. The last strip ends with the picture; a tile may reach beyond it.
    pub fn chunk_size(&self, number: u32) -> Dimensions {
        let top = number / self.across * self.chunk.height;
        let left = self.size.height.saturating_sub(top);
        let height = if self.is_tiled { self.chunk.height } else { self.chunk.height.min(left) };
        Dimensions::new(self.chunk.width, height)
    }

    fn checked(self) -> Result<Self, Fault> {
        let fax = matches!(
            self.storage.packing,
            Packing::FaxRows { .. } | Packing::Group3 { .. } | Packing::Group4
        );
        if fax && (self.bits, self.samples_together()) != (1, 1) {
            return Err(corrupt("fax codes hold something else than black and white"));
        }
        let unread = if self.colour == Colour::Cmyk && self.alpha.is_some() {
            "TIFF in CMYK with transparency is not read"
        } else if matches!(self.storage.packing, Packing::Jpeg(_)) && self.bits != 8 {
            "TIFF of JPEG with more than 8 bits a sample is not read"
        } else if matches!(&self.storage.packing, Packing::Jpeg(jpeg) if jpeg.is_ycbcr && self.is_planar)
        {
            "TIFF of JPEG in planes is not read"
        } else if self.storage.is_predicted && !matches!(self.bits, 8 | 16 | 32) {
            "TIFF whose differences have an uncommon size is not read"
        } else if self.is_subsampled() && (self.bits != 8 || self.is_planar || self.samples != 3) {
            "TIFF whose colours are sampled in an uncommon way is not read"
        } else {
            return Ok(self);
        };
        Err(Fault::Unsupported(unread.into()))
    }

    /// Whether pixels share colour differences outside of a JPEG.
    pub fn is_subsampled(&self) -> bool {
        matches!(&self.colour, Colour::YCbCr(coded) if coded.shared != (1, 1))
    }
}
