//! Turning and mirroring, by the eight EXIF orientations.

use super::crop::Rect;
use crate::exif::Orientation;
use crate::raster::{Raster, index};
use words::dimensions::Dimensions;

/// The raster as it is shown.
pub fn turned(mut raster: Raster, orientation: Orientation) -> Raster {
    let count = raster.channels().count();
    let pitch = raster.pitch();
    match orientation {
        Orientation::Upright => {}
        Orientation::FlippedVertically => flip_rows(raster.pixels_mut(), pitch),
        Orientation::FlippedHorizontally => {
            raster.pixels_mut().chunks_exact_mut(pitch).for_each(|row| mirror(row, count));
        }
        Orientation::Rotated180 => mirror(raster.pixels_mut(), count),
        Orientation::Transposed => {
            return transposed(&raster, Flip { rows: false, columns: false });
        }
        Orientation::Rotated90 => return transposed(&raster, Flip { rows: false, columns: true }),
        Orientation::Rotated270 => return transposed(&raster, Flip { rows: true, columns: false }),
        Orientation::Transversed => return transposed(&raster, Flip { rows: true, columns: true }),
    }
    raster
}

/// Reverses the order of the pixels of a row, or of a whole raster.
fn mirror(pixels: &mut [u8], count: usize) {
    pixels.reverse();
    pixels.chunks_exact_mut(count).for_each(<[u8]>::reverse);
}

fn flip_rows(pixels: &mut [u8], pitch: usize) {
    let rows = pixels.len() / pitch;
    let (upper, lower) = pixels.split_at_mut(rows.div_ceil(2) * pitch);
    let pairs = upper.chunks_exact_mut(pitch).zip(lower.rchunks_exact_mut(pitch));
    pairs.for_each(|(above, below)| above.swap_with_slice(below));
}

/// The side of the tiles in which pixels are transposed: rows of both images then stay in the processor's cache.
const TILE: usize = 32;

/// The mirrorings after rows have become columns.
#[derive(Clone, Copy)]
struct Flip {
    rows: bool,
    columns: bool,
}

fn transposed(raster: &Raster, flip: Flip) -> Raster {
    let mut out = Raster::blank(raster.size().swapped(), raster.channels());
    match raster.channels().count() {
        1 => transpose_bytes(raster, &mut out, flip),
        2 => transpose::<2>(raster, &mut out, flip, (0, 0)),
        3 => transpose::<3>(raster, &mut out, flip, (0, 0)),
        _ => transpose::<4>(raster, &mut out, flip, (0, 0)),
    }
    out
}

/// The side of the squares that are transposed at once where a pixel is a byte: an integer has as many bytes.
const SQUARE: usize = 8;

/// Transposes pixels of one byte: first in squares, then those that are left at the right and at the bottom.
fn transpose_bytes(raster: &Raster, out: &mut Raster, flip: Flip) {
    let (width, height) = (index(raster.size().width), index(raster.size().height));
    let (across, down) = (width / SQUARE * SQUARE, height / SQUARE * SQUARE);
    let places = |from: usize, to: usize| (from..to.min(from + 2 * TILE)).step_by(SQUARE);
    for top in (0..down).step_by(2 * TILE) {
        for left in (0..across).step_by(2 * TILE) {
            for y in places(top, down) {
                for x in places(left, across) {
                    transpose_square(raster, out, flip, (x, y));
                }
            }
        }
    }
    transpose::<1>(raster, out, flip, (across, down));
}

fn transpose_square(raster: &Raster, out: &mut Raster, flip: Flip, (x, y): (usize, usize)) {
    let (width, height) = (index(raster.size().width), index(raster.size().height));
    let mut rows = [0; SQUARE];
    for (at, row) in rows.iter_mut().enumerate() {
        let above = if flip.columns { SQUARE - 1 - at } else { at };
        let row_of = &raster.pixels()[(y + above) * width + x..];
        *row = u64::from_le_bytes(*row_of.first_chunk().unwrap_or(&[0; SQUARE]));
    }
    let column = if flip.columns { height - y - SQUARE } else { y };
    for (at, row) in square_transposed(rows).into_iter().enumerate() {
        let row_at = if flip.rows { width - 1 - x - at } else { x + at };
        let target = &mut out.pixels_mut()[row_at * height + column..][..SQUARE];
        target.copy_from_slice(&row.to_le_bytes());
    }
}

/// Transposes a square of bytes: its halves change places, then its quarters, then single bytes.
fn square_transposed(mut rows: [u64; SQUARE]) -> [u64; SQUARE] {
    const STEPS: [(usize, u64); 3] =
        [(4, 0xFFFF_FFFF), (2, 0x0000_FFFF_0000_FFFF), (1, 0x00FF_00FF_00FF_00FF)];
    for (distance, low) in STEPS {
        let bits = 8 * distance;
        for at in (0..SQUARE).filter(|at| at & distance == 0) {
            let (upper, lower) = (rows[at], rows[at + distance]);
            rows[at] = upper & low | (lower & low) << bits;
            rows[at + distance] = upper >> bits & low | lower & !low;
        }
    }
    rows
}

/// Transposes pixels of a size that the compiler knows, so that an instruction copies one, not a call. Leaves out pixels both
/// to the left of and above `done`.
fn transpose<const BYTES: usize>(
    raster: &Raster,
    out: &mut Raster,
    flip: Flip,
    done: (usize, usize),
) {
    let (width, height) = (index(raster.size().width), index(raster.size().height));
    let (from, _) = raster.pixels().as_chunks::<BYTES>();
    let (to, _) = out.pixels_mut().as_chunks_mut::<BYTES>();
    for top in (0..height).step_by(TILE) {
        for left in (0..width).step_by(TILE) {
            let rows = TILE.min(height - top);
            let first = if top + rows <= done.1 { left.max(done.0) } else { left };
            for x in first..width.min(left + TILE) {
                let row = height * if flip.rows { width - 1 - x } else { x };
                let column = if flip.columns { height - top - rows } else { top };
                let target = &mut to[row + column..][..rows];
                let source = from[top * width + x..].iter().step_by(width);
                if flip.columns {
                    target.iter_mut().rev().zip(source).for_each(|(to, from)| *to = *from);
                } else {
                    target.iter_mut().zip(source).for_each(|(to, from)| *to = *from);
                }
            }
        }
    }
}

/// The rectangle of the stored image that `part` of the turned one, which has the size `shown`, comes from.
pub fn stored_part(part: Rect, orientation: Orientation, shown: Dimensions) -> Rect {
    let right = shown.width - part.left - part.size.width;
    let bottom = shown.height - part.top - part.size.height;
    let straight = |left, top| Rect { left, top, size: part.size };
    let swapped = |left, top| Rect { left, top, size: part.size.swapped() };
    match orientation {
        Orientation::Upright => part,
        Orientation::FlippedHorizontally => straight(right, part.top),
        Orientation::Rotated180 => straight(right, bottom),
        Orientation::FlippedVertically => straight(part.left, bottom),
        Orientation::Transposed => swapped(part.top, part.left),
        Orientation::Rotated90 => swapped(part.top, right),
        Orientation::Transversed => swapped(bottom, right),
        Orientation::Rotated270 => swapped(bottom, part.left),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raster::Channels;
    use crate::step::crop::cropped;

    fn numbered(width: u8, height: u8) -> Raster {
        let pixels = (0..width * height).collect();
        let size = Dimensions::new(width.into(), height.into());
        Raster::new(size, Channels::Gray, pixels).unwrap()
    }

    #[test]
    fn each_orientation_is_undone_as_the_exif_standard_says() {
        let rows = |turn| turned(numbered(3, 2), turn).into_pixels();
        assert_eq!(rows(Orientation::Upright), [0, 1, 2, 3, 4, 5]);
        assert_eq!(rows(Orientation::FlippedHorizontally), [2, 1, 0, 5, 4, 3]);
        assert_eq!(rows(Orientation::Rotated180), [5, 4, 3, 2, 1, 0]);
        assert_eq!(rows(Orientation::FlippedVertically), [3, 4, 5, 0, 1, 2]);
        assert_eq!(rows(Orientation::Transposed), [0, 3, 1, 4, 2, 5]);
        assert_eq!(rows(Orientation::Rotated90), [3, 0, 4, 1, 5, 2]);
        assert_eq!(rows(Orientation::Transversed), [5, 2, 4, 1, 3, 0]);
        assert_eq!(rows(Orientation::Rotated270), [2, 5, 1, 4, 0, 3]);
    }

    #[test]
    fn cropping_before_the_turn_is_cropping_after_it() {
        for turn in Orientation::ALL {
            let stored = numbered(11, 7);
            let shown = turned(stored.clone(), turn);
            let part = Rect { left: 2, top: 1, size: Dimensions::new(3, 4) };
            let before = turned(cropped(stored, stored_part(part, turn, shown.size())), turn);
            assert_eq!(before, cropped(shown, part), "{turn:?}");
        }
    }

    #[test]
    fn images_larger_than_a_tile_turn_whole() {
        let size = Dimensions::new(70, 45);
        let pixels: Vec<u8> = (0..70 * 45_u16).flat_map(u16::to_le_bytes).collect();
        let raster = Raster::new(size, Channels::GrayAlpha, pixels).unwrap();
        let once = turned(raster.clone(), Orientation::Rotated90);
        assert_eq!(turned(once, Orientation::Rotated270), raster);
    }

    #[test]
    fn pixels_of_one_byte_turn_as_others_do() {
        let size = Dimensions::new(165, 139);
        let gray: Vec<u8> = (0..165 * 139_u16).map(|at| at.to_le_bytes()[0] ^ 0x55).collect();
        let doubled = gray.iter().flat_map(|value| [*value, *value]).collect();
        let doubled = Raster::new(size, Channels::GrayAlpha, doubled).unwrap();
        let gray = Raster::new(size, Channels::Gray, gray).unwrap();
        for turn in Orientation::ALL {
            let expected = turned(doubled.clone(), turn).map(Channels::Gray, |[gray, _]| [gray]);
            assert_eq!(turned(gray.clone(), turn), expected, "{turn:?}");
        }
    }
}
