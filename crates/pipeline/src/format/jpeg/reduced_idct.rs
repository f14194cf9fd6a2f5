//! Decoding a baseline JPEG at a quarter of its sides by a reduced inverse DCT: of the 64 coefficients of a block the four of
//! the lowest frequencies make four samples.

use super::huffman::{AcTable, Bits, Table};
use crate::planes::{Reduction, SubsampledPlanes};
use crate::raster::dimensions;

/// Samples of a block, across and down.
const SIDE: usize = 2;

/// Receives each MCU of a scan.
pub trait Visitor {
    /// Called behind a restart marker, where DC prediction begins anew.
    fn restart(&mut self) {}
    /// Reads the codes of the MCU in this column and row. `None` if they are damaged.
    fn mcu(&mut self, at: (usize, usize), bits: &mut Bits<'_>) -> Option<()>;
}

/// A component: how many blocks it has in an MCU, and its tables.
pub struct Component<'t> {
    pub across: usize,
    pub down: usize,
    /// The quantisation factors of the first coefficients, in zigzag order.
    pub factors: [u16; 5],
    pub dc: &'t Table,
    pub ac: &'t AcTable,
}

/// The planes while they are filled.
pub struct QuarterScale<'t> {
    planes: [Plane<'t>; 3],
}

struct Plane<'t> {
    component: Component<'t>,
    /// The DC coefficient of the block before, which predicts the next one.
    dc: i32,
    /// Samples a row, those of blocks beyond the picture included.
    pitch: usize,
    samples: Vec<u8>,
}

impl<'t> QuarterScale<'t> {
    /// Planes for so many MCUs across and down.
    pub fn new(components: [Component<'t>; 3], (columns, rows): (usize, usize)) -> Self {
        let planes = components.map(|component| {
            let pitch = columns * component.across * SIDE;
            let samples = vec![0; pitch * rows * component.down * SIDE];
            Plane { component, dc: 0, pitch, samples }
        });
        Self { planes }
    }

    /// The planes without the samples beyond a picture of this width and height.
    pub fn planes(self, (width, height): (u16, u16)) -> Option<SubsampledPlanes> {
        let most = |side: fn(&Component<'_>) -> usize| {
            self.planes.iter().map(|plane| side(&plane.component)).max().unwrap_or(1)
        };
        let (across, down) = (most(|it| it.across), most(|it| it.down));
        let sizes = self.planes.each_ref().map(|Plane { component, .. }| {
            let width = (usize::from(width) * component.across).div_ceil(across * 8 / SIDE);
            let height = (usize::from(height) * component.down).div_ceil(down * 8 / SIDE);
            (width, height)
        });
        let mut samples = Vec::with_capacity(self.planes.iter().map(|it| it.samples.len()).sum());
        for (plane, (width, height)) in self.planes.iter().zip(sizes) {
            let rows = plane.samples.chunks_exact(plane.pitch).take(height);
            rows.for_each(|row| samples.extend_from_slice(&row[..width]));
        }
        SubsampledPlanes::new(sizes.map(dimensions), samples, Reduction::LowFrequencies).ok()
    }
}

impl Visitor for QuarterScale<'_> {
    fn restart(&mut self) {
        self.planes.iter_mut().for_each(|plane| plane.dc = 0);
    }

    #[inline]
    fn mcu(&mut self, (column, row): (usize, usize), bits: &mut Bits<'_>) -> Option<()> {
        for plane in &mut self.planes {
            let (across, down) = (plane.component.across, plane.component.down);
            for y in row * down..(row + 1) * down {
                for x in column * across..(column + 1) * across {
                    plane.read_block((x, y), bits)?;
                }
            }
        }
        Some(())
    }
}

impl Plane<'_> {
    #[inline]
    fn read_block(&mut self, (x, y): (usize, usize), bits: &mut Bits<'_>) -> Option<()> {
        // Overflows in hostile data only, whose samples may be anything.
        self.dc = self.dc.wrapping_add(self.component.dc.difference(bits)?);
        let [_, right, below, _, both] = self.component.ac.first(bits)?;
        let factors = self.component.factors.map(i32::from);
        let at = |coefficient: i32, which: usize| coefficient.wrapping_mul(factors[which]);
        let block = [at(self.dc, 0), at(right, 1), at(below, 2), at(both, 4)];
        for (row, samples) in samples(block).iter().enumerate() {
            let start = (y * SIDE + row) * self.pitch + x * SIDE;
            self.samples.get_mut(start..start + SIDE)?.copy_from_slice(samples);
        }
        Some(())
    }
}

/// The inverse DCT of four coefficients (T.81, A.3.3) in the scale of a block of eight by eight. The samples show the low
/// frequencies of the block only; the mean of its pixels would contain higher ones.
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
