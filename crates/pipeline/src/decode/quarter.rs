//! A baseline JPEG at a quarter of its sides: of the 64 coefficients of a block the four lowest make four samples.
//! Does not know segments, nor what is done when data is damaged.

use super::huffman::{Bits, Code, Strides};
use crate::planes::{Coded, Grain};
use words::dimensions::Dimensions;

/// Samples of a block, across and down.
const SIDE: usize = 2;

/// One component: its blocks in an MCU, and how they are coded.
pub struct Part<'t> {
    pub across: usize,
    pub down: usize,
    /// By which the first coefficients are multiplied.
    pub factors: [u16; 5],
    pub dc: &'t Code,
    pub ac: &'t Strides,
}

/// The planes while they are filled.
pub struct Quarter<'t> {
    planes: [Plane<'t>; 3],
}

struct Plane<'t> {
    part: Part<'t>,
    /// The first coefficient of the block before.
    before: i32,
    /// Samples a row, also of blocks beyond the picture.
    pitch: usize,
    samples: Vec<u8>,
}

impl<'t> Quarter<'t> {
    /// Of so many MCUs across and down.
    pub fn new(parts: [Part<'t>; 3], (columns, rows): (usize, usize)) -> Self {
        let planes = parts.map(|part| {
            let pitch = columns * part.across * SIDE;
            let samples = vec![0; pitch * rows * part.down * SIDE];
            Plane { part, before: 0, pitch, samples }
        });
        Self { planes }
    }

    /// Behind a restart marker the first coefficients are whole.
    pub fn forget(&mut self) {
        self.planes.iter_mut().for_each(|plane| plane.before = 0);
    }

    /// Takes the blocks of the MCU in this column and row. `None` if their codes are damaged.
    #[inline]
    pub fn take(&mut self, (column, row): (usize, usize), bits: &mut Bits<'_>) -> Option<()> {
        for plane in &mut self.planes {
            let (across, down) = (plane.part.across, plane.part.down);
            for y in row * down..(row + 1) * down {
                for x in column * across..(column + 1) * across {
                    plane.take((x, y), bits)?;
                }
            }
        }
        Some(())
    }

    /// What of them belongs to a picture of this width and height.
    pub fn planes(self, (width, height): (u16, u16)) -> Option<Coded> {
        let most = |side: fn(&Part<'_>) -> usize| {
            self.planes.iter().map(|plane| side(&plane.part)).max().unwrap_or(1)
        };
        let (across, down) = (most(|part| part.across), most(|part| part.down));
        let size = |part: &Part<'_>| {
            let width = (usize::from(width) * part.across).div_ceil(across * 8 / SIDE);
            let height = (usize::from(height) * part.down).div_ceil(down * 8 / SIDE);
            (width, height)
        };
        let sizes = [0, 1, 2].map(|at: usize| size(&self.planes[at].part));
        let mut samples = Vec::with_capacity(self.planes.iter().map(|it| it.samples.len()).sum());
        for (plane, (width, height)) in self.planes.iter().zip(sizes) {
            let rows = plane.samples.chunks_exact(plane.pitch).take(height);
            rows.for_each(|row| samples.extend_from_slice(&row[..width]));
        }
        let number = |side: usize| u32::try_from(side).unwrap_or_default();
        let sizes = sizes.map(|(width, height)| Dimensions::new(number(width), number(height)));
        Coded::new(sizes, samples, Grain::Slow).ok()
    }
}

impl Plane<'_> {
    #[inline]
    fn take(&mut self, (x, y): (usize, usize), bits: &mut Bits<'_>) -> Option<()> {
        // What overflows is no picture: any samples will do.
        self.before = self.before.wrapping_add(self.part.dc.difference(bits)?);
        let [_, right, below, _, both] = self.part.ac.first(bits)?;
        let factors = self.part.factors.map(i32::from);
        let at = |coefficient: i32, which: usize| coefficient.wrapping_mul(factors[which]);
        let block = [at(self.before, 0), at(right, 1), at(below, 2), at(both, 4)];
        for (row, samples) in samples(block).iter().enumerate() {
            let start = (y * SIDE + row) * self.pitch + x * SIDE;
            self.samples.get_mut(start..start + SIDE)?.copy_from_slice(samples);
        }
        Some(())
    }
}

/// The inverse transform of four coefficients (T.81, A.3.3, for blocks of two by two), as it is scaled for those of eight by
/// eight: what they say of the slow changes in the block, and nothing of the fast ones, which only means would take in.
#[inline]
fn samples([mean, right, below, both]: [i32; 4]) -> [[u8; SIDE]; SIDE] {
    let sample = |right: i32, below: i32, both: i32| {
        let sum = mean.wrapping_add(right).wrapping_add(below).wrapping_add(both);
        let shade = (sum.wrapping_add(4) >> 3).saturating_add(128);
        u8::try_from(shade.clamp(0, 255)).unwrap_or_default()
    };
    [
        [sample(right, below, both), sample(-right, below, -both)],
        [sample(right, -below, -both), sample(-right, -below, both)],
    ]
}
