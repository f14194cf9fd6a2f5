//! AVIF: the planes of its tiles to one picture, 10 and 12 bits a channel to 8.
//! Does not know how AV1 is coded. Colour planes that are smaller are spread without smoothing.

use moxcms::ColorProfile;

use super::{Picture, Source};
use crate::av1;
use crate::container::avif::{self, Colours, Plan, Tiled};
use crate::job::Fault;
use crate::raster::{Channels, Raster, index};
use crate::step;

/// Code points of ITU-T H.273.
const BT2020: u16 = 9;
const DISPLAY_P3: u16 = 12;
const PQ: u16 = 16;
const HLG: u16 = 18;

pub fn verify(source: &Source<'_>) -> Result<(), Fault> {
    still(source).map(|_| ())
}

pub fn still(source: &Source<'_>) -> Result<Picture, Fault> {
    let plan = avif::plan(source.bytes)?;
    let channels = if plan.alpha.is_some() { Channels::Rgba } else { Channels::Rgb };
    let mut raster = Raster::blank(plan.picture.size, channels);
    let mut colours = plan.colours;
    each_tile(source, &plan.picture, &mut |decoded, corner| {
        let (primaries, transfer, matrix, full_range) = decoded.colours();
        let coded = Colours { primaries, transfer, matrix, full_range };
        paint(&mut raster, decoded, corner, &Matrix::of(*colours.get_or_insert(coded), decoded));
    })?;
    if let Some(alpha) = &plan.alpha {
        each_tile(source, alpha, &mut |decoded, corner| {
            let (.., full_range) = decoded.colours();
            uncover(&mut raster, decoded, corner, &Scale::new(decoded.depth(), full_range));
        })?;
    }
    if plan.premultiplied {
        divide(&mut raster);
    }
    let profile = profile(source, &plan, colours);
    Ok(Picture { raster: step::raster_turned(raster, plan.turn), profile })
}

/// The embedded one; for wide colours that are only named, one that says the same.
fn profile(source: &Source<'_>, plan: &Plan, colours: Option<Colours>) -> Option<Vec<u8>> {
    if source.survey.profile.is_some() || plan.profile.is_some() {
        return source.survey.profile.clone();
    }
    match colours? {
        Colours { transfer: PQ | HLG, .. } => None,
        Colours { primaries: DISPLAY_P3, .. } => ColorProfile::new_display_p3().encode().ok(),
        Colours { primaries: BT2020, .. } => ColorProfile::new_bt2020().encode().ok(),
        _ => None,
    }
}

/// Decodes tile after tile; no more than one is in memory. `work` is told where its left upper corner lies.
fn each_tile(
    source: &Source<'_>,
    tiled: &Tiled,
    work: &mut dyn FnMut(&av1::Picture, (u32, u32)),
) -> Result<(), Fault> {
    for (number, parts) in (0..).zip(&tiled.tiles) {
        let bytes = source.bytes;
        let coded: Vec<u8> =
            parts.iter().filter_map(|part| bytes.get(part.clone())).flatten().copied().collect();
        let decoded = av1::decode(&coded, source.limits.max_pixels)?;
        if decoded.size() != tiled.tile {
            let (told, found) = (tiled.tile, decoded.size());
            return Err(Fault::Corrupt(format!("an image of {told} has {found} pixels")));
        }
        let (row, column): (u32, u32) = (number / tiled.columns, number % tiled.columns);
        work(&decoded, (column * tiled.tile.width, row * tiled.tile.height));
    }
    Ok(())
}

/// The rows of a raster that a tile covers, each from the tile's left edge to the right edge of one of both.
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

fn paint(raster: &mut Raster, tile: &av1::Picture, corner: (u32, u32), matrix: &Matrix) {
    let count = raster.channels().count();
    let by = tile.subsampling();
    for (y, pixels) in rows_under(raster, tile, corner) {
        let light = tile.row(0, y);
        let down = by.map_or(0, |by| by.down);
        let (blue, red) = (tile.row(1, y >> down), tile.row(2, y >> down));
        for (x, pixel) in pixels.chunks_exact_mut(count).enumerate() {
            let colour = by.map(|by| (blue.at(x >> by.across), red.at(x >> by.across)));
            let rgb = matrix.rgb(light.at(x), colour);
            for (channel, value) in pixel.iter_mut().zip(rgb) {
                *channel = value;
            }
            // Covered, until its alpha is known.
            if let Some(alpha) = pixel.get_mut(3) {
                *alpha = u8::MAX;
            }
        }
    }
}

fn uncover(raster: &mut Raster, tile: &av1::Picture, corner: (u32, u32), scale: &Scale) {
    let count = raster.channels().count();
    for (y, pixels) in rows_under(raster, tile, corner) {
        let light = tile.row(0, y);
        for (x, pixel) in pixels.chunks_exact_mut(count).enumerate() {
            if let Some(alpha) = pixel.get_mut(3) {
                *alpha = byte(scale.light(light.at(x)));
            }
        }
    }
}

/// Takes alpha out of colours that it was multiplied into.
fn divide(raster: &mut Raster) {
    let (pixels, _) = raster.pixels_mut().as_chunks_mut::<4>();
    for [red, green, blue, alpha] in pixels {
        let alpha = u16::from(*alpha);
        for channel in [red, green, blue] {
            let whole = (u16::from(*channel) * 255 + alpha / 2).checked_div(alpha).unwrap_or(0);
            *channel = u8::try_from(whole).unwrap_or(u8::MAX);
        }
    }
}

/// How samples become shares of one.
#[derive(Debug, Clone, Copy)]
struct Scale {
    black: f32,
    light: f32,
    middle: f32,
    colour: f32,
}

impl Scale {
    fn new(depth: u32, full_range: bool) -> Self {
        let unit = f32::from(1_u16 << (depth.clamp(8, 15) - 8));
        let (black, light, colour) = if full_range {
            let most = 256.0 * unit - 1.0;
            (0.0, most, most)
        } else {
            (16.0 * unit, 219.0 * unit, 224.0 * unit)
        };
        Self { black, light, middle: 128.0 * unit, colour }
    }

    fn light(self, sample: u16) -> f32 {
        (f32::from(sample) - self.black) / self.light
    }

    fn colour(self, sample: u16) -> f32 {
        (f32::from(sample) - self.middle) / self.colour
    }
}

/// How three planes become red, green and blue.
#[derive(Debug, Clone, Copy)]
struct Matrix {
    scale: Scale,
    kind: MatrixKind,
}

#[derive(Debug, Clone, Copy)]
enum MatrixKind {
    /// The planes are green, blue and red.
    Identity,
    GreenAndOrange,
    /// Shares of red and blue in the brightness.
    Shares(f32, f32),
}

impl Matrix {
    fn of(colours: Colours, picture: &av1::Picture) -> Self {
        let kind = match colours.matrix {
            0 => MatrixKind::Identity,
            1 => MatrixKind::Shares(0.2126, 0.0722),
            4 => MatrixKind::Shares(0.30, 0.11),
            7 => MatrixKind::Shares(0.212, 0.087),
            8 => MatrixKind::GreenAndOrange,
            9 | 10 => MatrixKind::Shares(0.2627, 0.0593),
            // BT.601, also where nothing is said, as other readers take it.
            _ => MatrixKind::Shares(0.299, 0.114),
        };
        Self { scale: Scale::new(picture.depth(), colours.full_range), kind }
    }

    fn rgb(&self, light: u16, colour: Option<(u16, u16)>) -> [u8; 3] {
        let y = self.scale.light(light);
        let Some((blue, red)) = colour else { return [byte(y); 3] };
        let (cb, cr) = (self.scale.colour(blue), self.scale.colour(red));
        let [red, green, blue] = match self.kind {
            MatrixKind::Identity => [self.scale.light(red), y, self.scale.light(blue)],
            MatrixKind::GreenAndOrange => [y - cb + cr, y + cb, y - cb - cr],
            MatrixKind::Shares(kr, kb) => {
                let red = y + 2.0 * (1.0 - kr) * cr;
                let blue = y + 2.0 * (1.0 - kb) * cb;
                [red, (y - kr * red - kb * blue) / (1.0 - kr - kb), blue]
            }
        };
        [byte(red), byte(green), byte(blue)]
    }
}

/// The nearest of 256 steps.
fn byte(share: f32) -> u8 {
    // A cast of a float saturates.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let byte = (share * 255.0 + 0.5) as u8;
    byte
}
