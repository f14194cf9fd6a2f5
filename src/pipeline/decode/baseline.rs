//! Baseline JPEGs in one scan, as almost all are, read without an inverse transform: whether all data is there, and the
//! picture at an eighth. Does not judge: what it is not sure of is `None`, and libjpeg-turbo's to say.

use super::huffman::{Bits, Code, Strides};
use crate::pipeline::container::{JpegSegment, jpeg_segments};
use crate::pipeline::job::Fault;

/// The longest side that libjpeg reads.
const MAX_SIDE: u16 = 65_500;

/// A baseline JPEG as far as its segments tell.
#[derive(Default)]
pub struct Baseline<'a> {
    frame: Option<Frame>,
    dc: [Option<Code>; 4],
    ac: [Option<Strides>; 4],
    /// By what the first coefficients of blocks are multiplied.
    quanta: [Option<u16>; 4],
    /// MCUs between two restart markers; 0 for none.
    interval: u32,
    scan: Option<Scan<'a>>,
}

struct Frame {
    width: u16,
    height: u16,
    components: Vec<Component>,
}

/// A component of the frame and its blocks in an MCU.
#[derive(Clone, Copy)]
struct Component {
    id: u8,
    across: usize,
    down: usize,
    quantum: usize,
}

struct Scan<'a> {
    /// The tables of each component: DC, AC.
    tables: Vec<(usize, usize)>,
    data: &'a [u8],
}

/// One block of an MCU, and where its sample goes.
struct Unit<'t> {
    dc: &'t Code,
    ac: &'t Strides,
    component: usize,
    /// Of the first MCU; what an MCU further adds, and a row of them.
    place: usize,
    further: usize,
    below: usize,
}

impl<'a> Baseline<'a> {
    /// `None` for a JPEG of another kind. The header must be one that libjpeg-turbo takes.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut this = Self::default();
        let strange = || Fault::Unsupported(String::new());
        jpeg_segments(bytes, &mut |segment| this.note(&segment).ok_or_else(strange)).ok()?;
        this.scan.is_some().then_some(this)
    }

    fn note(&mut self, segment: &JpegSegment<'a>) -> Option<()> {
        // What follows the only scan is the end marker.
        self.scan.is_none().then_some(())?;
        match segment.marker {
            0xC0 | 0xC1 => self.frame = Some(Frame::read(segment.payload)?),
            0xC4 => self.note_codes(segment.payload)?,
            0xDA => self.scan = Some(Scan::read(segment, self.frame.as_ref()?)?),
            0xDB => self.note_quanta(segment.payload)?,
            0xDD => self.interval = u16::from_be_bytes(segment.payload.try_into().ok()?).into(),
            // Applications' segments and comments.
            0xE0..=0xEF | 0xFE => {}
            _ => return None,
        }
        Some(())
    }

    fn note_codes(&mut self, mut payload: &[u8]) -> Option<()> {
        while let [selector, rest @ ..] = payload {
            let (&counts, rest) = rest.split_first_chunk::<16>()?;
            let count = counts.iter().copied().map(usize::from).sum();
            let (symbols, rest) = rest.split_at_checked(count)?;
            let code = Code::new(counts, symbols)?;
            let at = usize::from(selector & 0x0F);
            match selector >> 4 {
                0 => *self.dc.get_mut(at)? = Some(code).filter(Code::is_of_sizes),
                1 => *self.ac.get_mut(at)? = Some(Strides::new(code)),
                _ => return None,
            }
            payload = rest;
        }
        Some(())
    }

    fn note_quanta(&mut self, mut payload: &[u8]) -> Option<()> {
        while let [selector, rest @ ..] = payload {
            let wide = selector >> 4 > 0;
            let (table, rest) = rest.split_at_checked(if wide { 128 } else { 64 })?;
            let first =
                if wide { u16::from_be_bytes(*table.first_chunk()?) } else { table[0].into() };
            *self.quanta.get_mut(usize::from(selector & 0x0F))? = Some(first);
            payload = rest;
        }
        Some(())
    }

    /// Whether every block can be read and nothing is left over: as strict as libjpeg-turbo on its strictest.
    pub fn is_whole(&self) -> bool {
        self.read_scan(|_, _, _| ()).is_some()
    }

    /// Calls back for each block: of which component, which one of it, and its first coefficient.
    fn read_scan(&self, mut visit: impl FnMut(usize, usize, i32)) -> Option<()> {
        let (frame, scan) = (self.frame.as_ref()?, self.scan.as_ref()?);
        let units = self.units()?;
        let (columns, rows) = frame.mcus();
        let mut bits = Bits::of(scan.data);
        let mut before = [0_i32; 3];
        let (mut left, mut restarts) = (self.interval, 0_u8);
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)))
        {
            if self.interval > 0 && left == 0 {
                bits.restart(restarts)?;
                (before, left, restarts) = ([0; 3], self.interval, restarts.wrapping_add(1));
            }
            left = left.wrapping_sub(1);
            for unit in &units {
                let difference = unit.dc.difference(&mut bits)?;
                unit.ac.skip_block(&mut bits)?;
                let value = before[unit.component].wrapping_add(difference);
                before[unit.component] = value;
                visit(unit.component, unit.place + column * unit.further + row * unit.below, value);
            }
            bits.are_real()?;
        }
        bits.end()
    }

    /// The blocks of an MCU, in their order.
    fn units(&self) -> Option<Vec<Unit<'_>>> {
        let (frame, scan) = (self.frame.as_ref()?, self.scan.as_ref()?);
        let (columns, _) = frame.mcus();
        let mut units = Vec::new();
        for (component, &(dc, ac)) in scan.tables.iter().enumerate() {
            let Component { across, down, quantum, .. } = *frame.components.get(component)?;
            self.quanta.get(quantum)?.as_ref()?;
            let (dc, ac) = (self.dc.get(dc)?.as_ref()?, self.ac.get(ac)?.as_ref()?);
            let width = columns * across;
            for (y, x) in (0..down).flat_map(|y| (0..across).map(move |x| (y, x))) {
                let (further, below) = (across, down * width);
                units.push(Unit { dc, ac, component, place: y * width + x, further, below });
            }
        }
        Some(units)
    }
}

impl Frame {
    fn read(payload: &[u8]) -> Option<Self> {
        let (&[bits, h1, h0, w1, w0, count], rest) = payload.split_first_chunk()?;
        let (width, height) = (u16::from_be_bytes([w1, w0]), u16::from_be_bytes([h1, h0]));
        let sides = 1..=MAX_SIDE;
        (bits == 8 && sides.contains(&width) && sides.contains(&height)).then_some(())?;
        let (entries, []) = rest.as_chunks::<3>() else { return None };
        let mut components: Vec<_> = entries.iter().copied().map(Component::read).collect();
        let plain = |component: &Component| (component.across, component.down) == (1, 1);
        match components.as_mut_slice() {
            // Where there is one component its blocks are not interleaved, whatever its factors are.
            [gray] => (gray.across, gray.down) = (1, 1),
            [first, second, third] if plain(second) && plain(third) => {
                let halves = 1..=2;
                (halves.contains(&first.across) && halves.contains(&first.down)).then_some(())?;
            }
            _ => return None,
        }
        (components.len() == usize::from(count)).then_some(Self { width, height, components })
    }

    /// Of the component with the most blocks in an MCU, which is the first.
    fn most(&self) -> (usize, usize) {
        self.components.first().map_or((1, 1), |first| (first.across, first.down))
    }

    /// MCUs in a row, and rows of them.
    fn mcus(&self) -> (usize, usize) {
        let (across, down) = self.most();
        let count = |side: u16, blocks: usize| usize::from(side).div_ceil(8 * blocks);
        (count(self.width, across), count(self.height, down))
    }
}

impl Component {
    fn read([id, factors, quantum]: [u8; 3]) -> Self {
        let (across, down) = (usize::from(factors >> 4), usize::from(factors & 0x0F));
        Self { id, across, down, quantum: quantum.into() }
    }
}

impl<'a> Scan<'a> {
    /// All components, each coefficient whole.
    fn read(segment: &JpegSegment<'a>, frame: &Frame) -> Option<Self> {
        let (&count, rest) = segment.payload.split_first()?;
        let (selectors, whole) = rest.split_last_chunk()?;
        let (selectors, []) = selectors.as_chunks::<2>() else { return None };
        let ids = selectors.iter().map(|[id, _]| *id);
        let all = ids.eq(frame.components.iter().map(|component| component.id));
        (all && usize::from(count) == selectors.len() && *whole == [0, 63, 0]).then_some(())?;
        let tables = |&[_, both]: &[u8; 2]| (usize::from(both >> 4), usize::from(both & 0x0F));
        Some(Self { tables: selectors.iter().map(tables).collect(), data: segment.data() })
    }
}
