//! Baseline JPEGs in one scan, as almost all are: whether their data is complete, and their planes at a quarter of the sides. A
//! JPEG of another kind is left to libjpeg-turbo.

use super::container::{Segment, walk};
use super::huffman::{AcTable, Bits, Table};
use super::reduced_idct::{Component, QuarterScale, Visitor};
use crate::job::Fault;
use crate::planes::SubsampledPlanes;

/// The longest side that libjpeg reads.
const MAX_SIDE: u16 = 65_500;

/// The segments of a baseline JPEG.
#[derive(Default)]
pub struct Baseline<'a> {
    frame: Option<Frame>,
    dc: [Option<Table>; 4],
    ac: [Option<AcTable>; 4],
    /// The first five factors of each quantisation table.
    quantisation: [Option<[u16; 5]>; 4],
    /// MCUs between two restart markers; 0 for none.
    interval: u32,
    scan: Option<Scan<'a>>,
}

struct Frame {
    width: u16,
    height: u16,
    components: Vec<FrameComponent>,
}

/// A component as the frame header describes it.
#[derive(Clone, Copy)]
struct FrameComponent {
    id: u8,
    /// Blocks in an MCU.
    across: usize,
    down: usize,
    quantisation: usize,
}

struct Scan<'a> {
    /// The numbers of the DC and AC tables of each component.
    tables: Vec<(usize, usize)>,
    data: &'a [u8],
}

impl<'a> Baseline<'a> {
    /// `None` for a JPEG of another kind. libjpeg-turbo must have accepted its header.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut this = Self::default();
        let other = || Fault::Unsupported(String::new());
        walk(bytes, &mut |segment| this.note(&segment).ok_or_else(other)).ok()?;
        this.scan.is_some().then_some(this)
    }

    fn note(&mut self, segment: &Segment<'a>) -> Option<()> {
        // Only the end marker may follow the scan.
        self.scan.is_none().then_some(())?;
        match segment.marker {
            0xC0 | 0xC1 => self.frame = Some(Frame::read(segment.payload)?),
            0xC4 => self.note_tables(segment.payload)?,
            0xDA => self.scan = Some(Scan::read(segment, self.frame.as_ref()?)?),
            0xDB => self.note_quantisation(segment.payload)?,
            0xDD => self.interval = u16::from_be_bytes(segment.payload.try_into().ok()?).into(),
            // APPn segments and comments.
            0xE0..=0xEF | 0xFE => {}
            _ => return None,
        }
        Some(())
    }

    fn note_tables(&mut self, mut payload: &[u8]) -> Option<()> {
        while let [selector, rest @ ..] = payload {
            let (&counts, rest) = rest.split_first_chunk::<16>()?;
            let count = counts.iter().copied().map(usize::from).sum();
            let (symbols, rest) = rest.split_at_checked(count)?;
            let table = Table::new(counts, symbols)?;
            let at = usize::from(selector & 0x0F);
            match selector >> 4 {
                0 => *self.dc.get_mut(at)? = Some(table).filter(Table::is_dc),
                1 => *self.ac.get_mut(at)? = Some(AcTable::new(table)),
                _ => return None,
            }
            payload = rest;
        }
        Some(())
    }

    fn note_quantisation(&mut self, mut payload: &[u8]) -> Option<()> {
        while let [selector, rest @ ..] = payload {
            let wide = selector >> 4 > 0;
            let (factors, rest) = rest.split_at_checked(if wide { 128 } else { 64 })?;
            let narrow = |at: usize| u16::from(factors[at]);
            let factor = |at: usize| {
                if wide { narrow(2 * at) << 8 | narrow(2 * at + 1) } else { narrow(at) }
            };
            let table = self.quantisation.get_mut(usize::from(selector & 0x0F))?;
            *table = Some([0, 1, 2, 3, 4].map(factor));
            payload = rest;
        }
        Some(())
    }

    /// Whether the codes of every block are there and no data is left over. Never true where libjpeg-turbo would warn.
    pub fn is_complete(&self) -> bool {
        self.components().is_some_and(|components| {
            let tables = components
                .into_iter()
                .flat_map(|it| std::iter::repeat_n((it.dc, it.ac), it.across * it.down));
            self.visit(&mut Skip { blocks: tables.collect() }).is_some()
        })
    }

    /// The three planes at a quarter of their sides. `None` for a gray picture, and if data is missing or damaged.
    pub fn quarter(&self) -> Option<SubsampledPlanes> {
        let frame = self.frame.as_ref()?;
        let components: [Component<'_>; 3] = self.components()?.try_into().ok()?;
        let mut quarter = QuarterScale::new(components, frame.mcus());
        self.visit(&mut quarter)?;
        quarter.planes((frame.width, frame.height))
    }

    /// Visits all MCUs; every bit of the data must belong to one. `None` if data is missing, left over or damaged.
    fn visit(&self, visitor: &mut impl Visitor) -> Option<()> {
        let (frame, scan) = (self.frame.as_ref()?, self.scan.as_ref()?);
        let mut bits = Bits::of(scan.data);
        let (mut left, mut restarts) = (self.interval, 0_u8);
        let (columns, rows) = frame.mcus();
        for row in 0..rows {
            for column in 0..columns {
                if self.interval > 0 && left == 0 {
                    bits.restart(restarts)?;
                    visitor.restart();
                    (left, restarts) = (self.interval, restarts.wrapping_add(1));
                }
                left = left.wrapping_sub(1);
                visitor.mcu((column, row), &mut bits)?;
                bits.were_there()?;
            }
        }
        bits.end()
    }

    /// The components in their order, with their tables.
    fn components(&self) -> Option<Vec<Component<'_>>> {
        let (frame, scan) = (self.frame.as_ref()?, self.scan.as_ref()?);
        let pairs = frame.components.iter().zip(&scan.tables);
        let component = |(component, &(dc, ac)): (&FrameComponent, &(usize, usize))| {
            let FrameComponent { across, down, quantisation, .. } = *component;
            let factors = (*self.quantisation.get(quantisation)?)?;
            let (dc, ac) = (self.dc.get(dc)?.as_ref()?, self.ac.get(ac)?.as_ref()?);
            Some(Component { across, down, factors, dc, ac })
        };
        pairs.map(component).collect()
    }
}

struct Skip<'t> {
    /// The tables of each block of an MCU.
    blocks: Vec<(&'t Table, &'t AcTable)>,
}

impl Visitor for Skip<'_> {
    #[inline]
    fn mcu(&mut self, _: (usize, usize), bits: &mut Bits<'_>) -> Option<()> {
        for (dc, ac) in &self.blocks {
            dc.skip_dc(bits)?;
            ac.skip_from(1, bits)?;
        }
        Some(())
    }
}

impl Frame {
    fn read(payload: &[u8]) -> Option<Self> {
        let (&[bits, h1, h0, w1, w0, count], rest) = payload.split_first_chunk()?;
        let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
        let sides = 1..=MAX_SIDE;
        (bits == 8 && sides.contains(&width) && sides.contains(&height)).then_some(())?;
        let (entries, []) = rest.as_chunks::<3>() else { return None };
        let component = |&[id, factors, quantisation]: &[u8; 3]| {
            let (across, down) = (usize::from(factors >> 4), usize::from(factors & 0x0F));
            FrameComponent { id, across, down, quantisation: quantisation.into() }
        };
        let mut components: Vec<_> = entries.iter().map(component).collect();
        let single = |component: &FrameComponent| (component.across, component.down) == (1, 1);
        match components.as_mut_slice() {
            // The blocks of a single component are not interleaved, whatever its sampling factors are.
            [gray] => (gray.across, gray.down) = (1, 1),
            [first, second, third] if single(second) && single(third) => {
                let halves = 1..=2;
                (halves.contains(&first.across) && halves.contains(&first.down)).then_some(())?;
            }
            _ => return None,
        }
        (components.len() == usize::from(count)).then_some(Self { width, height, components })
    }

    /// How many MCUs there are in a row and in a column. Luma, the first component, has the most blocks in one.
    fn mcus(&self) -> (usize, usize) {
        let (across, down) = self.components.first().map_or((1, 1), |it| (it.across, it.down));
        let count = |side: u16, blocks: usize| usize::from(side).div_ceil(8 * blocks);
        (count(self.width, across), count(self.height, down))
    }
}

impl<'a> Scan<'a> {
    /// `None` unless the scan has all components, and their coefficients in full.
    fn read(segment: &Segment<'a>, frame: &Frame) -> Option<Self> {
        let (&count, rest) = segment.payload.split_first()?;
        let (selectors, coefficients) = rest.split_last_chunk()?;
        let (selectors, []) = selectors.as_chunks::<2>() else { return None };
        let ids = selectors.iter().map(|[id, _]| *id);
        let all = ids.eq(frame.components.iter().map(|component| component.id));
        (all && usize::from(count) == selectors.len() && *coefficients == [0, 63, 0])
            .then_some(())?;
        let tables = |&[_, both]: &[u8; 2]| (usize::from(both >> 4), usize::from(both & 0x0F));
        Some(Self { tables: selectors.iter().map(tables).collect(), data: segment.data })
    }
}
