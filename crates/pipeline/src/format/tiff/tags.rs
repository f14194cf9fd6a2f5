//! The tags that lay out a picture (TIFF 6.0, part 2), each with its default.

use std::ops::Range;

use super::coding::{Alpha, Colour, Packing, SharedJpeg, YCbCr};
use super::directory::{Directory, Tiff};
use crate::format::survey::{corrupt, truncated};
use crate::job::{Fault, Limits};

pub const WIDTH: u16 = 256;
pub const HEIGHT: u16 = 257;
const BITS: u16 = 258;
const COMPRESSION: u16 = 259;
const PHOTOMETRIC: u16 = 262;
pub const FILL_ORDER: u16 = 266;
const STRIP_OFFSETS: u16 = 273;
pub const ORIENTATION: u16 = 274;
pub const SAMPLES: u16 = 277;
pub const ROWS_PER_STRIP: u16 = 278;
const STRIP_LENGTHS: u16 = 279;
pub const PLANAR: u16 = 284;
const FAX_OPTIONS: u16 = 292;
const PREDICTOR: u16 = 317;
const COLOUR_MAP: u16 = 320;
pub const TILE_WIDTH: u16 = 322;
pub const TILE_HEIGHT: u16 = 323;
const TILE_OFFSETS: u16 = 324;
const TILE_LENGTHS: u16 = 325;
const INK_SET: u16 = 332;
const EXTRA_SAMPLES: u16 = 338;
const SAMPLE_FORMAT: u16 = 339;
const JPEG_TABLES: u16 = 347;
const WEIGHTS: u16 = 529;
const SUBSAMPLING: u16 = 530;
const REFERENCES: u16 = 532;

/// The tags of one directory, each with its default.
pub struct Tags<'a> {
    pub tiff: &'a Tiff<'a>,
    pub of: &'a Directory,
}

impl Tags<'_> {
    fn numbers(&self, tag: u16, most: usize) -> Result<Vec<u64>, Fault> {
        Ok(self.tiff.numbers(self.of, tag, most)?)
    }

    pub fn number(&self, tag: u16, default: u64) -> Result<u64, Fault> {
        Ok(self.tiff.number_of(self.of, tag)?.unwrap_or(default))
    }

    pub fn side(&self, tag: u16) -> Result<u32, Fault> {
        u32::try_from(self.number(tag, 0)?).map_err(|_| corrupt("a side is longer than 32 bits"))
    }

    /// Bits a sample, which all samples share.
    pub fn bits(&self, samples: usize) -> Result<u32, Fault> {
        let all = self.numbers(BITS, samples)?;
        let bits = all.first().copied().unwrap_or(1);
        let formats = self.numbers(SAMPLE_FORMAT, samples)?;
        // 1 is unsigned, 4 is undefined.
        let unsigned = formats.iter().all(|format| matches!(format, 1 | 4));
        if !unsigned || all.iter().any(|other| *other != bits) || !(1..=32).contains(&bits) {
            let kind = if unsigned { "of uncommon sizes" } else { "that are signed or floats" };
            return Err(Fault::Unsupported(format!("TIFF with samples {kind} is not read")));
        }
        Ok(u32::try_from(bits).unwrap_or_default())
    }

    pub fn packing(&self, limits: &Limits) -> Result<Packing, Fault> {
        Ok(match self.number(COMPRESSION, 1)? {
            1 => Packing::Plain,
            2 => Packing::FaxRows { in_pairs: false },
            32771 => Packing::FaxRows { in_pairs: true },
            3 => Packing::Group3 { two_dimensional: self.number(FAX_OPTIONS, 0)? & 1 == 1 },
            4 => Packing::Group4,
            5 => Packing::Lzw,
            7 => {
                let tables = self.tiff.bytes(self.of, JPEG_TABLES, limits.max_metadata)?;
                let is_ycbcr = self.number(PHOTOMETRIC, 0)? == 6;
                Packing::Jpeg(SharedJpeg { tables: tables.unwrap_or_default(), is_ycbcr })
            }
            8 | 32946 => Packing::Deflate,
            32773 => Packing::PackBits,
            50000 => Packing::Zstandard,
            other => {
                let words = format!("TIFF compressed by method {other} is not read");
                return Err(Fault::Unsupported(words));
            }
        })
    }

    pub fn is_predicted(&self, packing: &Packing) -> Result<bool, Fault> {
        // Other compressions have no predictor, whatever the tag says.
        if !matches!(packing, Packing::Lzw | Packing::Deflate | Packing::Zstandard) {
            return Ok(false);
        }
        match self.number(PREDICTOR, 1)? {
            1 => Ok(false),
            2 => Ok(true),
            other => Err(Fault::Unsupported(format!("TIFF with predictor {other} is not read"))),
        }
    }

    pub fn colour(&self, samples: usize, bits: u32, packing: &Packing) -> Result<Colour, Fault> {
        // Old fax programs leave the tag out; a picture of three samples can only be RGB.
        let default = if samples >= 3 { 2 } else { 0 };
        Ok(match self.number(PHOTOMETRIC, default)? {
            kind @ (0 | 1) => Colour::Gray { inverted: kind == 0 },
            2 => Colour::Rgb,
            3 => Colour::Palette(self.palette(bits)?),
            5 if self.number(INK_SET, 1)? == 1 => Colour::Cmyk,
            // libjpeg converts to RGB.
            6 if matches!(packing, Packing::Jpeg(_)) => Colour::Rgb,
            6 => Colour::YCbCr(self.luma_and_colours()?),
            kind @ (8 | 9) => Colour::Lab { offset: kind == 9 },
            other => {
                let words = format!("TIFF with colours of kind {other} is not read");
                return Err(Fault::Unsupported(words));
            }
        })
    }

    fn palette(&self, bits: u32) -> Result<Vec<[u8; 3]>, Fault> {
        let count = 1_usize << bits.min(16);
        let values = self.numbers(COLOUR_MAP, 3 * count)?;
        if bits > 16 || values.len() < 3 * count {
            return Err(corrupt("the palette has too few colours"));
        }
        // 16 bits by the specification; some programs write 8.
        let scale = if values.iter().any(|value| *value > 255) { 257 } else { 1 };
        let byte = |value: u64| u8::try_from((value + scale / 2) / scale).unwrap_or(u8::MAX);
        let at = |place: usize| byte(values.get(place).copied().unwrap_or_default());
        Ok((0..count).map(|one| [at(one), at(count + one), at(2 * count + one)]).collect())
    }

    fn luma_and_colours(&self) -> Result<YCbCr, Fault> {
        let shared = self.numbers(SUBSAMPLING, 2)?;
        let shared = match shared.as_slice() {
            [] => (2, 2),
            &[across, down] if [across, down].iter().all(|side| matches!(side, 1 | 2 | 4)) => {
                (u32::try_from(across).unwrap_or(1), u32::try_from(down).unwrap_or(1))
            }
            _ => return Err(corrupt("colours are sampled in no known way")),
        };
        let weights = self.fractions(WEIGHTS)?.unwrap_or([0.299, 0.587, 0.114]);
        let full = [0.0, 255.0, 128.0, 255.0, 128.0, 255.0];
        let references = self.fractions(REFERENCES)?.unwrap_or(full);
        Ok(YCbCr { shared, weights, references })
    }

    /// The fractions of a tag that holds `N` of them.
    fn fractions<const N: usize>(&self, tag: u16) -> Result<Option<[f32; N]>, Fault> {
        let pairs = self.numbers(tag, 2 * N)?;
        #[allow(clippy::cast_precision_loss)] // Weights and codes of eight bits are small.
        let fractions: Vec<f32> =
            pairs.chunks_exact(2).map(|pair| pair[0] as f32 / (pair[1] as f32).max(1.0)).collect();
        Ok(fractions.try_into().ok())
    }

    /// The first extra sample that is alpha. Others, such as stored selections, are no part of the picture as it is shown.
    pub fn alpha(&self, samples: usize, colours: usize) -> Result<Option<Alpha>, Fault> {
        let kinds = self.numbers(EXTRA_SAMPLES, samples.saturating_sub(colours))?;
        let found = kinds.iter().position(|kind| matches!(kind, 1 | 2));
        Ok(found.map(|place| Alpha {
            sample: colours + place,
            is_premultiplied: kinds.get(place) == Some(&1),
        }))
    }

    /// The bytes of each chunk. Where lengths are missing, as in old files, a chunk may reach to the end of the file.
    pub fn parts(&self, count: usize, length: usize) -> Result<Vec<Range<usize>>, Fault> {
        let tiled = self.of.has(TILE_OFFSETS);
        let (offsets, lengths) =
            if tiled { (TILE_OFFSETS, TILE_LENGTHS) } else { (STRIP_OFFSETS, STRIP_LENGTHS) };
        let offsets = self.numbers(offsets, count)?;
        if offsets.len() < count {
            return Err(corrupt("pixels are missing"));
        }
        let lengths = self.numbers(lengths, count)?;
        let place = |(number, start): (usize, u64)| {
            let start = usize::try_from(start).ok().filter(|start| *start < length);
            let start = start.ok_or_else(|| truncated("the pixels"))?;
            let told = lengths.get(number).and_then(|told| usize::try_from(*told).ok());
            Ok(start..told.map_or(length, |told| start.saturating_add(told)).min(length))
        };
        offsets.into_iter().enumerate().map(place).collect()
    }
}
