//! AVIF decoding: the planes of its tiles to one picture of 8 bits a channel. Subsampled colour planes are upsampled without
//! smoothing.

use moxcms::ColorProfile;

use super::av1;
use super::plan::{self, Colours, Tiled};
use crate::format::codec::{Picture, Source};
use crate::job::Fault;
use crate::raster::{Channels, Raster, index};
use crate::step::crop::cropped;
use crate::step::flatten::unpremultiplied;
use crate::step::turn::turned;

/// Code points of ITU-T H.273.
const BT2020: u16 = 9;
const DISPLAY_P3: u16 = 12;
const PQ: u16 = 16;
const HLG: u16 = 18;

pub fn picture(source: &Source<'_>) -> Result<Picture, Fault> {
    let plan = plan::plan(source.bytes)?;
    let channels = if plan.alpha.is_some() { Channels::Rgba } else { Channels::Rgb };
    let mut raster = Raster::blank(plan.picture.size, channels);
    let mut colours = plan.colours;
    each_tile(source, &plan.picture, &mut |decoded, corner| {
        let matrix = Matrix::of(*colours.get_or_insert(decoded.colours()), decoded);
        write_colours(&mut raster, decoded, corner, &matrix);
    })?;
    if let Some(alpha) = &plan.alpha {
        each_tile(source, alpha, &mut |decoded, corner| {
            let scale = Scale::new(decoded.depth(), decoded.colours().full_range);
            write_alpha(&mut raster, decoded, corner, scale);
        })?;
    }
    if plan.premultiplied {
        raster = unpremultiplied(raster);
    }
    let profile = source.survey.profile.clone().or_else(|| named_profile(colours?));
    Ok(Picture { raster: turned(cropped(raster, plan.part), plan.turn), profile })
}

/// The ICC profile of wide colours that are only named by code points.
fn named_profile(colours: Colours) -> Option<Vec<u8>> {
    match colours {
        Colours { transfer: PQ | HLG, .. } => None,
        Colours { primaries: DISPLAY_P3, .. } => ColorProfile::new_display_p3().encode().ok(),
        Colours { primaries: BT2020, .. } => ColorProfile::new_bt2020().encode().ok(),
        _ => None,
    }
}

/// Decodes tile after tile; no more than one is in memory. `visit` gets each with its left upper corner.
fn each_tile(
    source: &Source<'_>,
    tiled: &Tiled,
    visit: &mut dyn FnMut(&av1::Picture, (u32, u32)),
) -> Result<(), Fault> {
    for (number, parts) in (0..).zip(&tiled.tiles) {
        let coded = plan::gathered(source.bytes, parts);
        let decoded = av1::decode(&coded, source.limits.max_pixels)?;
        if decoded.size() != tiled.tile {
            let (told, found) = (tiled.tile, decoded.size());
            return Err(Fault::Corrupt(format!("an image of {told} has {found} pixels")));
        }
        let (row, column): (u32, u32) = (number / tiled.columns, number % tiled.columns);
        visit(&decoded, (column * tiled.tile.width, row * tiled.tile.height));
    }
    Ok(())
}

/// The rows of a raster that a tile covers, each from the tile's left edge to the right edge of tile or raster.
fn rows_under<'a>(
    raster: &'a mut Raster,
    tile: &av1::Picture,
    (left, top): (u32, u32),
) -> impl Iterator<Item = (u32, &'a mut [u8])> {
    let (count, pitch) = (raster.channels().count(), raster.pitch());
    let width = index(tile.size().width) * count;
    let start = (index(left) * count).min(pitch);
    let rows = raster.pixels_mut().chunks_exact_mut(pitch).skip(index(top));
    (0..tile.size().height).zip(rows.map(move |row| {
        let end = (start + width).min(pitch);
        row.get_mut(start..end).unwrap_or_default()
    }))
}

/// Writes the colours of a tile into the picture. Alpha becomes opaque; [`write_alpha`] changes it.
fn write_colours(raster: &mut Raster, tile: &av1::Picture, corner: (u32, u32), matrix: &Matrix) {
    let count = raster.channels().count();
    let chroma = tile.subsampling();
    let (across, down) = chroma.unwrap_or_default();
    for (y, pixels) in rows_under(raster, tile, corner) {
        let luma = tile.row(0, y);
        let (cb, cr) = (tile.row(1, y >> down), tile.row(2, y >> down));
        for (x, pixel) in pixels.chunks_exact_mut(count).enumerate() {
            let colour = chroma.map(|_| (cb.at(x >> across), cr.at(x >> across)));
            let [red, green, blue] = matrix.rgb(luma.at(x), colour);
            let values = [red, green, blue, u8::MAX];
            pixel.iter_mut().zip(values).for_each(|(channel, value)| *channel = value);
        }
    }
}

fn write_alpha(raster: &mut Raster, tile: &av1::Picture, corner: (u32, u32), scale: Scale) {
    let count = raster.channels().count();
    for (y, pixels) in rows_under(raster, tile, corner) {
        let luma = tile.row(0, y);
        for (x, alpha) in pixels.iter_mut().skip(3).step_by(count).enumerate() {
            *alpha = byte(scale.luma(luma.at(x)));
        }
    }
}

/// The range of samples: where zero lies, and how far it is from there to full intensity.
#[derive(Debug, Clone, Copy)]
struct Scale {
    black: f32,
    luma: f32,
    neutral: f32,
    chroma: f32,
}

impl Scale {
    fn new(depth: u32, full_range: bool) -> Self {
        let unit = f32::from(1_u16 << (depth.clamp(8, 15) - 8));
        let (black, luma, chroma) = if full_range {
            let most = 256.0 * unit - 1.0;
            (0.0, most, most)
        } else {
            (16.0 * unit, 219.0 * unit, 224.0 * unit)
        };
        Self { black, luma, neutral: 128.0 * unit, chroma }
    }

    /// 0 is black, 1 is white.
    fn luma(self, sample: u16) -> f32 {
        (f32::from(sample) - self.black) / self.luma
    }

    /// From -0.5 to 0.5.
    fn chroma(self, sample: u16) -> f32 {
        (f32::from(sample) - self.neutral) / self.chroma
    }
}

/// The conversion of three planes to red, green and blue.
#[derive(Debug, Clone, Copy)]
struct Matrix {
    scale: Scale,
    kind: MatrixKind,
}

#[derive(Debug, Clone, Copy)]
enum MatrixKind {
    /// The planes are green, blue and red.
    Identity,
    YCgCo,
    /// The weights of red and blue in the luma.
    Weights(f32, f32),
}

impl Matrix {
    fn of(colours: Colours, picture: &av1::Picture) -> Self {
        let kind = match colours.matrix {
            0 => MatrixKind::Identity,
            1 => MatrixKind::Weights(0.2126, 0.0722),
            4 => MatrixKind::Weights(0.30, 0.11),
            7 => MatrixKind::Weights(0.212, 0.087),
            8 => MatrixKind::YCgCo,
            9 | 10 => MatrixKind::Weights(0.2627, 0.0593),
            // BT.601, which other readers assume, too, where nothing is said.
            _ => MatrixKind::Weights(0.299, 0.114),
        };
        Self { scale: Scale::new(picture.depth(), colours.full_range), kind }
    }

    fn rgb(&self, luma: u16, colour: Option<(u16, u16)>) -> [u8; 3] {
        let y = self.scale.luma(luma);
        let Some((blue, red)) = colour else { return [byte(y); 3] };
        let (cb, cr) = (self.scale.chroma(blue), self.scale.chroma(red));
        let [red, green, blue] = match self.kind {
            MatrixKind::Identity => [self.scale.luma(red), y, self.scale.luma(blue)],
            MatrixKind::YCgCo => [y - cb + cr, y + cb, y - cb - cr],
            MatrixKind::Weights(kr, kb) => {
                let red = y + 2.0 * (1.0 - kr) * cr;
                let blue = y + 2.0 * (1.0 - kb) * cb;
                [red, (y - kr * red - kb * blue) / (1.0 - kr - kb), blue]
            }
        };
        [byte(red), byte(green), byte(blue)]
    }
}

/// The nearest of 256 steps from 0 to 1.
fn byte(intensity: f32) -> u8 {
    // The cast of a float saturates.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let byte = (intensity * 255.0 + 0.5) as u8;
    byte
}
