//! The pixels of a TIFF: its chunks, unpacked one after the other, at their places in one raster of 8 bits a channel.

use super::coding::{Colour, YCbCr};
use super::page_layout::Layout;
use super::unpack::{pitch, unpacked};
use crate::format::codec::Source;
use crate::format::survey::truncated;
use crate::job::Fault;
use crate::raster::{Raster, index};
use crate::step::colour::lab_to_srgb;
use crate::step::flatten::unpremultiplied;
use words::dimensions::Dimensions;

pub fn decode(source: &Source<'_>, layout: &Layout) -> Result<Raster, Fault> {
    let mut raster = Raster::blank(layout.size, layout.channels());
    let scale = Scale::of(layout);
    let all = layout.across.saturating_mul(layout.down);
    for (number, part) in (0_u32..).zip(&layout.parts) {
        let (sample, number) = (index(number / all), number % all);
        let targets = targets(layout, sample);
        if targets.iter().all(Option::is_none) {
            continue;
        }
        let coded = source.bytes.get(part.clone()).ok_or_else(|| truncated("the pixels"))?;
        let size = layout.chunk_size(number);
        let bytes = unpacked(layout, coded, size, source.limits)?;
        let place = Place {
            left: index(number % layout.across * layout.chunk.width),
            top: index(number / layout.across * layout.chunk.height),
            size,
        };
        match &layout.colour {
            Colour::YCbCr(coded) if layout.is_subsampled() => {
                write_blocks(&mut raster, &bytes, &place, coded.shared);
            }
            _ => write(&mut raster, layout, &bytes, &place, &targets, &scale),
        }
    }
    Ok(finished(raster, layout))
}

/// The place of a chunk in the picture, which a tile may overhang.
struct Place {
    left: usize,
    top: usize,
    size: Dimensions,
}

/// The channel of the raster for each sample of a pixel in a chunk; `None` for a sample that is not shown.
fn targets(layout: &Layout, plane: usize) -> Vec<Option<usize>> {
    let channels = layout.channels();
    let colours = channels.count() - usize::from(channels.has_alpha());
    let stored = if matches!(layout.colour, Colour::Palette(_)) { 1 } else { colours };
    let target = |sample: usize| match layout.alpha {
        Some(alpha) if alpha.sample == sample => Some(colours),
        _ => Some(sample).filter(|sample| *sample < stored),
    };
    if layout.is_planar { vec![target(plane)] } else { (0..layout.samples).map(target).collect() }
}

/// From a sample to 8 bits.
struct Scale {
    bits: u32,
    most: u64,
    /// A and b of L*a*b* wrap around at 0: they are cut off, not rounded.
    is_cut: bool,
    is_inverted: bool,
}

impl Scale {
    fn of(layout: &Layout) -> Self {
        Self {
            bits: layout.bits,
            most: (1 << layout.bits) - 1,
            is_cut: matches!(layout.colour, Colour::Lab { .. }),
            is_inverted: layout.colour == Colour::Gray { inverted: true },
        }
    }

    fn byte(&self, sample: u32) -> u8 {
        let scaled = if self.is_cut && self.bits >= 8 {
            u64::from(sample) >> (self.bits - 8)
        } else {
            (u64::from(sample) * 255 + self.most / 2) / self.most
        };
        u8::try_from(scaled).unwrap_or(u8::MAX)
    }
}

fn write(
    raster: &mut Raster,
    layout: &Layout,
    bytes: &[u8],
    place: &Place,
    targets: &[Option<usize>],
    scale: &Scale,
) {
    let (count, row_length) = (raster.channels().count(), raster.pitch());
    let is_alpha = |channel: usize| raster_alpha(layout) == Some(channel);
    let rows = raster.pixels_mut().chunks_exact_mut(row_length).skip(place.top);
    let pitch = pitch(layout, place.size.width);
    for (row, coded) in rows.zip(bytes.chunks_exact(pitch)).take(index(place.size.height)) {
        let mut samples = Samples { bytes: coded, at: 0, bits: layout.bits, little: layout.little };
        let pixels = row.chunks_exact_mut(count).skip(place.left).take(index(place.size.width));
        for pixel in pixels {
            for target in targets {
                let sample = samples.next();
                let Some(channel) = *target else { continue };
                match &layout.colour {
                    Colour::Palette(colours) if !is_alpha(channel) => {
                        let colour = colours.get(index(sample)).copied().unwrap_or_default();
                        pixel[..3].copy_from_slice(&colour);
                    }
                    _ => {
                        let byte = scale.byte(sample);
                        let inverted = scale.is_inverted && !is_alpha(channel);
                        pixel[channel] = if inverted { 255 - byte } else { byte };
                    }
                }
            }
        }
    }
}

fn raster_alpha(layout: &Layout) -> Option<usize> {
    let channels = layout.channels();
    channels.has_alpha().then(|| channels.count() - 1)
}

/// The samples of a row, one after the other; those of 16 and 32 bits in the byte order of the file.
struct Samples<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: usize,
    bits: u32,
    little: bool,
}

impl Samples<'_> {
    /// The next sample; 0 behind the end.
    fn next(&mut self) -> u32 {
        let (at, bits) = (self.at, self.bits);
        self.at += index(bits);
        let byte = |place: usize| u32::from(self.bytes.get(place).copied().unwrap_or_default());
        match bits {
            8 => byte(at / 8),
            16 if self.little => byte(at / 8) | byte(at / 8 + 1) << 8,
            16 => byte(at / 8) << 8 | byte(at / 8 + 1),
            32 if self.little => (0..4).fold(0, |sum, one| sum | byte(at / 8 + one) << (8 * one)),
            _ => (at..at + index(bits))
                .fold(0, |sum, bit| sum << 1 | byte(bit / 8) >> (7 - bit % 8) & 1),
        }
    }
}

/// Writes pixels that come in blocks, each with the luma of all its pixels and one pair of colour differences.
fn write_blocks(raster: &mut Raster, bytes: &[u8], place: &Place, (across, down): (u32, u32)) {
    let (across, down) = (index(across), index(down));
    let (size, count) = (raster.size(), raster.channels().count());
    let (right, bottom) = (index(size.width), index(size.height));
    let blocks = index(place.size.width).div_ceil(across);
    for (number, block) in bytes.chunks_exact(across * down + 2).enumerate() {
        let (row, column) = (number / blocks * down, number % blocks * across);
        let (luma, colours) = block.split_at(across * down);
        for (place_in_block, luma) in luma.iter().enumerate() {
            let x = place.left + column + place_in_block % across;
            let y = place.top + row + place_in_block / across;
            if x < right && y < bottom {
                let at = (y * right + x) * count;
                raster.pixels_mut()[at..at + 3].copy_from_slice(&[*luma, colours[0], colours[1]]);
            }
        }
    }
}

/// The picture in a space of colours that the next steps know, without colours that were multiplied by alpha.
fn finished(mut raster: Raster, layout: &Layout) -> Raster {
    let count = raster.channels().count();
    match &layout.colour {
        Colour::YCbCr(coded) => {
            for pixel in raster.pixels_mut().chunks_exact_mut(count) {
                let rgb = rgb(coded, [pixel[0], pixel[1], pixel[2]]);
                pixel[..3].copy_from_slice(&rgb);
            }
        }
        Colour::Lab { offset } => {
            for pixel in raster.pixels_mut().chunks_exact_mut(count) {
                let signed = |value: u8| {
                    let value = if *offset { value.wrapping_sub(128) } else { value };
                    f32::from(value.cast_signed())
                };
                let lab = [f32::from(pixel[0]) / 2.55, signed(pixel[1]), signed(pixel[2])];
                pixel[..3].copy_from_slice(&lab_to_srgb(lab));
            }
        }
        _ => {}
    }
    if layout.alpha.is_some_and(|alpha| alpha.is_premultiplied) {
        raster = unpremultiplied(raster);
    }
    raster
}

fn rgb(coded: &YCbCr, [luma, blue, red]: [u8; 3]) -> [u8; 3] {
    let [black, white, blue_zero, blue_most, red_zero, red_most] = coded.references;
    let share = |code: u8, zero: f32, most: f32, range: f32| {
        (f32::from(code) - zero) * range / (most - zero).abs().max(1.0)
    };
    let luma = share(luma, black, white, 255.0);
    let blue = share(blue, blue_zero, blue_most, 127.0);
    let red = share(red, red_zero, red_most, 127.0);
    let [red_weight, green_weight, blue_weight] = coded.weights;
    let r = luma + red * (2.0 - 2.0 * red_weight);
    let b = luma + blue * (2.0 - 2.0 * blue_weight);
    let g = (luma - blue_weight * b - red_weight * r) / green_weight.max(0.01);
    [r, g, b].map(byte)
}

fn byte(value: f32) -> u8 {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Clamped to a byte.
    let byte = value.round().clamp(0.0, 255.0) as u8;
    byte
}
