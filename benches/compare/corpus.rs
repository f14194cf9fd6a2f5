//! The pictures that are ingested and rendered: those of a folder, or made ones with about as many bytes per pixel.

use std::fs;
use std::path::Path;

use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};

use crate::failure::{Failure, Outcome, While};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picture {
    /// A JPEG of 2 megapixels, upright.
    Small,
    /// A JPEG of 12 megapixels that must be turned.
    Medium,
    /// A JPEG of 24 megapixels that must be turned.
    Large,
    /// A PNG of 4 megapixels with alpha.
    Png,
}

/// EXIF orientations: upright, and 90 degrees clockwise.
const UPRIGHT: u8 = 1;
const TURNED: u8 = 6;

/// The strength of the grain. With this quality it gives a made picture 1.5 bits per pixel, as photographs have.
const GRAIN: u32 = 14;
const QUALITY: i32 = 85;

impl Picture {
    pub fn name(self) -> &'static str {
        match self {
            Self::Small => "p2.jpg",
            Self::Medium => "p12b.jpg",
            Self::Large => "p24.jpg",
            Self::Png => "p4a.png",
        }
    }

    /// The file of its name in the folder, else a made picture, which is kept in `dir`.
    pub fn bytes(self, corpus: Option<&Path>, dir: &Path) -> Outcome<Vec<u8>> {
        let path = match corpus {
            Some(folder) => folder.join(self.name()),
            None => dir.join("pictures").join(self.name()),
        };
        if corpus.is_none() && !path.exists() {
            fs::create_dir_all(path.parent().unwrap_or(dir))?;
            fs::write(&path, self.make()?)?;
        }
        fs::read(&path).during(path.display())
    }

    fn make(self) -> Outcome<Vec<u8>> {
        match self {
            Self::Small => jpeg(1632, 1224, UPRIGHT),
            Self::Medium => jpeg(4000, 3000, TURNED),
            Self::Large => jpeg(6000, 4000, TURNED),
            Self::Png => png(2304, 1728),
        }
    }
}

/// The same picture with bytes and pixels of its own for each number, since equal pictures would be stored once, at no cost.
/// Some steps of the first quantisation table differ by a few units. That is hardly visible, and survives stripping and
/// transcoding. The steps of the finest detail stay: no block might use them.
pub fn numbered(jpeg: &[u8], number: u32) -> Outcome<Vec<u8>> {
    const FIRST: usize = 8;
    const DIGITS: usize = 8;
    let mut bytes = jpeg.to_vec();
    let table = first_table(jpeg).ok_or_else(|| Failure::new("a JPEG without tables"))?;
    let steps = bytes.get_mut(table + FIRST..table + FIRST + DIGITS);
    let steps = steps.ok_or_else(|| Failure::new("a JPEG with a short table"))?;
    for (at, step) in steps.iter_mut().enumerate() {
        let digit = u8::try_from(number >> (2 * at) & 3)?;
        *step = if *step > 250 { *step - digit } else { *step + digit };
    }
    Ok(bytes)
}

/// The position of the 64 steps of the first quantisation table with 8-bit steps.
fn first_table(jpeg: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        let [0xFF, marker, high, low] = *jpeg.get(at..at + 4)? else { return None };
        if marker == 0xDB && jpeg.get(at + 4)? >> 4 == 0 {
            return Some(at + 5);
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
}

/// Slopes and grain: a pixel costs a decoder as much as that of a photograph.
fn pixels(width: u32, height: u32, channels: u32) -> Vec<u8> {
    let mut noise = 0x2545_F491_u32;
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            for channel in 0..channels {
                noise ^= noise << 13;
                noise ^= noise >> 17;
                noise ^= noise << 5;
                let slope = (x * (channel + 2) / 31 + y * (4 - channel) / 23) & 0x1FF;
                let slope = if slope > 255 { 511 - slope } else { slope };
                let grain = noise >> 24;
                let value = (slope * (256 - GRAIN) + grain * GRAIN) >> 8;
                pixels.push(u8::try_from(value).unwrap_or(u8::MAX));
            }
        }
    }
    pixels
}

fn jpeg(width: u32, height: u32, orientation: u8) -> Outcome<Vec<u8>> {
    let (across, down) = (usize::try_from(width)?, usize::try_from(height)?);
    let pixels = pixels(width, height, 3);
    let image = Image {
        pixels: pixels.as_slice(),
        width: across,
        pitch: across * 3,
        height: down,
        format: PixelFormat::RGB,
    };
    let mut compressor = Compressor::new()?;
    compressor.set_quality(QUALITY)?;
    compressor.set_subsamp(Subsamp::Sub2x2)?;
    let bytes = compressor.compress_to_owned(image)?;
    // SOI, then an Exif segment with the orientation alone.
    let exif = [
        0xFF,
        0xE1,
        0,
        34,
        b'E',
        b'x',
        b'i',
        b'f',
        0,
        0,
        b'M',
        b'M',
        0,
        42,
        0,
        0,
        0,
        8,
        0,
        1,
        1,
        0x12,
        0,
        3,
        0,
        0,
        0,
        1,
        0,
        orientation,
        0,
        0,
        0,
        0,
        0,
        0,
    ];
    Ok([&bytes[..2], &exif, &bytes[2..]].concat())
}

fn png(width: u32, height: u32) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgba);
    encoder.write_header()?.write_image_data(&pixels(width, height, 4))?;
    Ok(bytes)
}
