//! The codes in all scans of a Huffman-coded JPEG, sequential or progressive (ITU-T T.81, annexes F and G): where the data of each
//! ends, and whether the scans are the whole picture. Slower than `baseline`, and for every subsampling. `None` stands for
//! data that is missing, or contradicts the headers.

use super::huffman::{Bits, Table};
use crate::job::Limits;
use words::dimensions::Dimensions;

/// The largest DC coefficient of samples of 8 bits (T.81, F.1.1.5), with some room for rounding.
const DC_MAX: i32 = 2047;

/// The bytes behind the data of a progressive scan from which on they may be more codes: fewer look like codes by chance.
const CODES_MIN: usize = 16;

/// MCUs that are looked for there. So many are more than chance makes.
const MORE_MAX: u32 = 1 << 16;

/// The frame and its coefficients as far as they were sent.
pub struct Frame {
    progressive: bool,
    components: Vec<Component>,
    /// How many MCUs are in a row and in a column.
    mcus: (usize, usize),
}

struct Component {
    id: u8,
    /// Blocks in an MCU.
    across: usize,
    down: usize,
    /// Blocks in a row and in a column of a scan that has no other component.
    alone: (usize, usize),
    /// The lowest bit of each coefficient that was sent.
    sent: [Option<u32>; 64],
    /// The coefficients of each block that are not zero, a bit for each. Only progressive pictures need them.
    nonzero: Vec<u64>,
}

/// The tables that apply to the next scan, and how many MCUs lie between two restart markers; 0 for none.
#[derive(Default)]
pub struct Tables {
    pub dc: [Option<Table>; 4],
    pub ac: [Option<Table>; 4],
    pub interval: usize,
}

/// The header of a scan.
pub struct Scan {
    /// The component's number in the frame, and its DC and AC tables.
    components: Vec<(usize, usize, usize)>,
    first: usize,
    last: usize,
    /// The lowest bit that was sent before, 0 for none, and the one that is sent now.
    high: u32,
    low: u32,
}

impl Tables {
    /// Notes the Huffman tables of a segment.
    pub fn note(&mut self, mut payload: &[u8]) -> Option<()> {
        while let [selector, rest @ ..] = payload {
            let (&counts, rest) = rest.split_first_chunk::<16>()?;
            let count = counts.iter().copied().map(usize::from).sum();
            let (symbols, rest) = rest.split_at_checked(count)?;
            let tables = if selector >> 4 == 0 { &mut self.dc } else { &mut self.ac };
            *tables.get_mut(usize::from(selector & 0x0F))? = Some(Table::new(counts, symbols)?);
            payload = rest;
        }
        Some(())
    }
}

impl Frame {
    /// Reads a frame header of 8 bits a sample.
    pub fn read(progressive: bool, payload: &[u8], limits: &Limits) -> Option<Self> {
        let (&[8, h1, h0, w1, w0, count], rest) = payload.split_first_chunk()? else { return None };
        let number = |high, low| usize::from(u16::from_be_bytes([high, low]));
        let (width, height) = (number(w1, w0), number(h1, h0));
        let size = Dimensions::new(u32::try_from(width).ok()?, u32::try_from(height).ok()?);
        let (entries, []) = rest.as_chunks::<3>() else { return None };
        let right = size.pixels() > 0 && size.pixels() <= limits.max_pixels;
        (right && entries.len() == usize::from(count) && (1..=4).contains(&count)).then_some(())?;
        let factors = |entry: &[u8; 3]| (usize::from(entry[1] >> 4), usize::from(entry[1] & 15));
        let allowed = |(across, down)| (1..=4).contains(&across) && (1..=4).contains(&down);
        entries.iter().map(factors).all(allowed).then_some(())?;
        let most_across = entries.iter().map(|entry| factors(entry).0).max()?;
        let most_down = entries.iter().map(|entry| factors(entry).1).max()?;
        let mcus = (width.div_ceil(8 * most_across), height.div_ceil(8 * most_down));
        let component = |entry: &[u8; 3]| {
            let (across, down) = factors(entry);
            let blocks = |side: usize, part: usize, most| (side * part).div_ceil(most).div_ceil(8);
            let alone = (blocks(width, across, most_across), blocks(height, down, most_down));
            let all = if progressive { mcus.0 * across * mcus.1 * down } else { 0 };
            let nonzero = vec![0; all];
            Component { id: entry[0], across, down, alone, sent: [None; 64], nonzero }
        };
        Some(Self { progressive, components: entries.iter().map(component).collect(), mcus })
    }

    /// Whether every bit of every coefficient was sent.
    pub fn is_complete(&self) -> bool {
        self.components.iter().all(|component| component.sent == [Some(0); 64])
    }

    /// Reads a scan header. The parameters of a sequential scan say nothing, and some cameras write nonsense there.
    pub fn scan(&self, payload: &[u8]) -> Option<Scan> {
        let (&count, rest) = payload.split_first()?;
        let (selectors, &[first, last, bits]) = rest.split_last_chunk()?;
        let (selectors, []) = selectors.as_chunks::<2>() else { return None };
        let find = |id: u8| self.components.iter().position(|component| component.id == id);
        let component = |&[id, tables]: &[u8; 2]| {
            Some((find(id)?, usize::from(tables >> 4 & 3), usize::from(tables & 3)))
        };
        let components: Vec<_> = selectors.iter().map(component).collect::<Option<_>>()?;
        (usize::from(count) == components.len() && count > 0).then_some(())?;
        if !self.progressive {
            return Some(Scan { components, first: 0, last: 63, high: 0, low: 0 });
        }
        let (first, last) = (usize::from(first), usize::from(last));
        let (high, low) = (u32::from(bits >> 4), u32::from(bits & 15));
        let dc = first == 0 && last == 0;
        let ac = first > 0 && first <= last && last < 64 && components.len() == 1;
        let grows = high == 0 || high == low + 1;
        ((dc || ac) && grows && low < 14).then_some(())?;
        Some(Scan { components, first, last, high, low })
    }

    /// Walks over the data of a scan from `at` on, and appends it without the bytes that belong to no block. Returns where the
    /// data ends.
    pub fn walk(
        &mut self,
        scan: &Scan,
        tables: &Tables,
        (bytes, at): (&[u8], usize),
        out: &mut Vec<u8>,
    ) -> Option<usize> {
        self.note(scan)?;
        let (columns, rows) = match scan.components.as_slice() {
            [(only, ..)] => self.components.get(*only)?.alone,
            _ => self.mcus,
        };
        let interval = if tables.interval == 0 { columns * rows } else { tables.interval };
        let mut walk = Walk { scan, tables, bits: Bits::from(bytes, at), dc: [0; 4], run: 0 };
        let mut start = at;
        for mcu in 0..columns * rows {
            if mcu > 0 && mcu % interval == 0 {
                let number = u8::try_from((mcu / interval - 1) % 8).ok()?;
                let end = walk.end(bytes, self)?;
                let (marker, after) = next_marker(bytes, end)?;
                (marker == 0xD0 | number).then_some(())?;
                out.extend([&bytes[start..end], &[0xFF, marker]].concat());
                walk = Walk { bits: Bits::from(bytes, after), dc: [0; 4], run: 0, ..walk };
                start = after;
            }
            walk.mcu(self, Some((mcu % columns, mcu / columns)))?;
            walk.bits.were_there()?;
        }
        let end = walk.end(bytes, self)?;
        out.extend(&bytes[start..end]);
        Some(end)
    }

    /// Notes the coefficients that a scan sends. Each bit is sent once, and from the uppermost one on.
    fn note(&mut self, scan: &Scan) -> Option<()> {
        for (component, ..) in &scan.components {
            for sent in &mut self.components.get_mut(*component)?.sent[scan.first..=scan.last] {
                let before = (scan.high > 0).then_some(scan.high);
                (*sent == before).then_some(())?;
                *sent = Some(scan.low);
            }
        }
        Some(())
    }
}

impl Scan {
    /// The last bytes of the header.
    pub fn parameters(&self) -> [u8; 3] {
        let byte = |number: usize| u8::try_from(number).unwrap_or_default();
        let bits = u8::try_from(self.high << 4 | self.low).unwrap_or_default();
        [byte(self.first), byte(self.last), bits]
    }
}

/// The next marker that may stand there, with the place behind it. libjpeg steps over other bytes in the same way.
pub fn next_marker(bytes: &[u8], mut at: usize) -> Option<(u8, usize)> {
    loop {
        at += bytes.get(at..)?.windows(2).position(|two| two[0] == 0xFF && two[1] != 0xFF)?;
        match bytes[at + 1] {
            0x00 => at += 2,
            marker => return Some((marker, at + 2)),
        }
    }
}

/// The state within a scan.
struct Walk<'a> {
    scan: &'a Scan,
    tables: &'a Tables,
    bits: Bits<'a>,
    /// The DC coefficient of the last block of each component.
    dc: [i32; 4],
    /// Blocks whose other coefficients are all zero (G.1.2.2).
    run: u32,
}

impl Walk<'_> {
    /// Steps over an MCU. One without a place is tried only.
    fn mcu(&mut self, frame: &mut Frame, place: Option<(usize, usize)>) -> Option<()> {
        let scan = self.scan;
        let mut none = 0;
        for &(number, dc, ac) in &scan.components {
            let component = frame.components.get_mut(number)?;
            let single = scan.components.len() == 1;
            let (across, down) = if single { (1, 1) } else { (component.across, component.down) };
            let stride = frame.mcus.0 * component.across;
            for block in 0..across * down {
                let index = place.map(|(column, row)| {
                    let row = row * down + block / across;
                    row * stride + column * across + block % across
                });
                let nonzero = index.and_then(|index| component.nonzero.get_mut(index));
                self.block((number, dc, ac), nonzero.unwrap_or(&mut none))?;
            }
        }
        Some(())
    }

    fn block(&mut self, (number, dc, ac): (usize, usize, usize), nonzero: &mut u64) -> Option<()> {
        let Scan { first, last, high, low, .. } = *self.scan;
        self.bits.fill();
        match (first, high) {
            (0, 0) => {
                let size = self.tables.dc.get(dc)?.as_ref()?.next(&mut self.bits)?;
                (size < 12).then_some(())?;
                let sum = self.dc.get_mut(number)?;
                *sum += self.bits.value(size.into());
                ((*sum << low).abs() <= DC_MAX).then_some(())?;
            }
            (0, _) => self.bits.skip(1),
            _ => {}
        }
        let table = self.tables.ac.get(ac);
        match (last, high) {
            (0, _) => Some(()),
            (_, 0) => self.first_bits(table?.as_ref()?, nonzero),
            _ => self.next_bit(table?.as_ref()?, nonzero),
        }
    }

    /// AC coefficients of which nothing was sent before.
    fn first_bits(&mut self, table: &Table, nonzero: &mut u64) -> Option<()> {
        if self.run > 0 {
            self.run -= 1;
            return Some(());
        }
        let (mut at, last) = (self.scan.first.max(1), self.scan.last);
        while at <= last {
            self.bits.fill();
            let symbol = table.next(&mut self.bits)?;
            match (symbol >> 4, symbol & 15) {
                (0..15, 0) if self.scan.first == 0 => return Some(()),
                (size @ 0..15, 0) => {
                    self.run = self.end_of_blocks(size) - 1;
                    return Some(());
                }
                (15, 0) => at += 16,
                (zeroes, size) => {
                    at += usize::from(zeroes);
                    self.bits.skip(size.into());
                    (at <= last).then_some(())?;
                    *nonzero |= 1 << at;
                    at += 1;
                }
            }
        }
        Some(())
    }

    /// How many blocks end here, this one among them.
    fn end_of_blocks(&mut self, size: u8) -> u32 {
        (1 << size) + self.bits.number(size.into())
    }

    /// One bit more of AC coefficients: those that are not zero get theirs, and others become 1 or -1 (G.1.2.3).
    fn next_bit(&mut self, table: &Table, nonzero: &mut u64) -> Option<()> {
        let (mut at, last) = (self.scan.first, self.scan.last);
        while self.run == 0 && at <= last {
            self.bits.fill();
            let symbol = table.next(&mut self.bits)?;
            let (mut zeroes, size) = (symbol >> 4, symbol & 15);
            match (zeroes, size) {
                (0..15, 0) => {
                    self.run = self.end_of_blocks(zeroes);
                    break;
                }
                (_, 0 | 1) => self.bits.skip(size.into()),
                _ => return None,
            }
            while at <= last && (*nonzero >> at & 1 == 1 || zeroes > 0) {
                match *nonzero >> at & 1 {
                    1 => self.correction(),
                    _ => zeroes -= 1,
                }
                at += 1;
            }
            if size == 1 {
                (at <= last).then_some(())?;
                *nonzero |= 1 << at;
            }
            at += 1;
        }
        if self.run > 0 {
            (at..=last).filter(|at| *nonzero >> at & 1 == 1).for_each(|_| self.correction());
            self.run -= 1;
        }
        Some(())
    }

    /// Steps over the bit of a coefficient that is not zero.
    fn correction(&mut self) {
        self.bits.fill();
        self.bits.skip(1);
    }

    /// The end of the data behind the last block of an interval. `None` where more blocks follow: then some were lost or added
    /// before, and the picture that was read is not the one that was written.
    fn end(&self, bytes: &[u8], frame: &mut Frame) -> Option<usize> {
        (self.run == 0).then_some(())?;
        let end = self.bits.place()?;
        let rest = bytes.get(end..)?;
        let length = rest.windows(2).position(|two| two[0] == 0xFF && two[1] != 0);
        let rest = &rest[..length.unwrap_or(rest.len())];
        let least = if frame.progressive { CODES_MIN } else { 1 };
        let long = rest.len() >= least && rest.iter().any(|byte| *byte != 0);
        let mut more = Walk { bits: self.bits.clone(), ..*self };
        // Later bits cannot be read without the blocks that they belong to.
        let tries = if long && self.scan.high == 0 { MORE_MAX } else { 0 };
        for _ in 0..tries {
            if more.mcu(frame, None).is_none() || more.bits.were_there().is_none() {
                return Some(end);
            }
            if more.bits.are_ones() {
                return None;
            }
        }
        (tries == 0).then_some(end)
    }
}
