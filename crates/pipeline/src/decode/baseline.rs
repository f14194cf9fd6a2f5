//! Baseline JPEGs in one scan, as almost all are: whether all data is there, told without keeping any of it, and what a
//! quarter of the sides shows.
//! Does not judge: what it is not sure of is libjpeg-turbo's to say.

use super::huffman::{Bits, Code, Strides};
use super::quarter::{Part, Quarter};
use crate::container::{JpegSegment, jpeg_segments};
use crate::job::Fault;
use crate::planes::Coded;

/// The longest side that libjpeg reads.
const MAX_SIDE: u16 = 65_500;

/// A baseline JPEG as far as its segments tell.
#[derive(Default)]
pub struct Baseline<'a> {
    frame: Option<Frame>,
    dc: [Option<Code>; 4],
    ac: [Option<Strides>; 4],
    /// The first five factors of each table that there is.
    quanta: [Option<[u16; 5]>; 4],
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
            let (factors, rest) = rest.split_at_checked(if wide { 128 } else { 64 })?;
            let narrow = |at: usize| u16::from(factors[at]);
            let factor = |at: usize| {
                if wide { narrow(2 * at) << 8 | narrow(2 * at + 1) } else { narrow(at) }
            };
            let quanta = self.quanta.get_mut(usize::from(selector & 0x0F))?;
            *quanta = Some([0, 1, 2, 3, 4].map(factor));
            payload = rest;
        }
        Some(())
    }

    /// Whether every block can be read and nothing is left over: as strict as libjpeg-turbo at its strictest.
    pub fn is_whole(&self) -> bool {
        self.skip_scan().is_some()
    }

    fn skip_scan(&self) -> Option<()> {
        let units = self
            .parts()?
            .into_iter()
            .flat_map(|part| std::iter::repeat_n((part.dc, part.ac), part.across * part.down));
        self.visit(&mut Skip { units: units.collect() })
    }

    /// The planes of a picture in three, at a quarter of its sides. `None` where not all of it is there.
    pub fn quarter(&self) -> Option<Coded> {
        let frame = self.frame.as_ref()?;
        let parts: [Part<'_>; 3] = self.parts()?.try_into().ok()?;
        let mut quarter = Quarter::new(parts, frame.mcus());
        self.visit(&mut quarter)?;
        quarter.planes((frame.width, frame.height))
    }

    /// Goes through all data, from its first bit to its last.
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
                bits.are_real()?;
            }
        }
        bits.end()
    }

    /// The components, in their order.
    fn parts(&self) -> Option<Vec<Part<'_>>> {
        let (frame, scan) = (self.frame.as_ref()?, self.scan.as_ref()?);
        let pairs = frame.components.iter().zip(&scan.tables);
        let part = |(component, &(dc, ac)): (&Component, &(usize, usize))| {
            let Component { across, down, quantum, .. } = *component;
            let factors = (*self.quanta.get(quantum)?)?;
            let (dc, ac) = (self.dc.get(dc)?.as_ref()?, self.ac.get(ac)?.as_ref()?);
            Some(Part { across, down, factors, dc, ac })
        };
        pairs.map(part).collect()
    }
}

/// What is done with the codes of each MCU.
trait Visitor {
    /// From here on nothing refers to what came before.
    fn restart(&mut self) {}
    /// Takes all codes of the MCU in this column and row. `None` if they are damaged.
    fn mcu(&mut self, at: (usize, usize), bits: &mut Bits<'_>) -> Option<()>;
}

/// Nothing.
struct Skip<'t> {
    /// The codes of each block of an MCU.
    units: Vec<(&'t Code, &'t Strides)>,
}

impl Visitor for Skip<'_> {
    #[inline]
    fn mcu(&mut self, _: (usize, usize), bits: &mut Bits<'_>) -> Option<()> {
        for (dc, ac) in &self.units {
            dc.skip_first(bits)?;
            ac.skip_rest(bits)?;
        }
        Some(())
    }
}

impl Visitor for Quarter<'_> {
    fn restart(&mut self) {
        self.forget();
    }

    #[inline]
    fn mcu(&mut self, at: (usize, usize), bits: &mut Bits<'_>) -> Option<()> {
        self.take(at, bits)
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

    /// How many MCUs there are in a row and in a column. The first component has the most blocks in one.
    fn mcus(&self) -> (usize, usize) {
        let (across, down) = self.components.first().map_or((1, 1), |it| (it.across, it.down));
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
