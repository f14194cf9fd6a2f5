//! The entropy-coded data of a baseline JPEG (ITU-T T.81, annexes C and F.2.2), read or stepped over several codes at a time.
//! `None` stands for data that libjpeg would warn of.

/// How many bits a table is looked up by. Longer codes are rare.
const WINDOW: u32 = 12;
const ENTRIES: usize = 1 << WINDOW;

/// The index of the last coefficient of a block.
const LAST: u32 = 63;

/// A Huffman table. Codes of one length are consecutive numbers.
pub struct Table {
    /// For each length from 1 on: its last code plus 1, or 0 without codes; and the index of a symbol minus its code.
    lengths: [(u64, u64); 16],
    symbols: Vec<u8>,
    /// For every value of a window: the length of its first code in the upper byte, the symbol in the lower; 0 without a whole
    /// code.
    short: Box<[u16; ENTRIES]>,
}

impl Table {
    /// A table with `counts` codes of each length. `None` for one that libjpeg refuses.
    pub fn new(counts: [u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut lengths = [(0, 0); 16];
        let (mut code, mut index) = (0_u64, 0_u64);
        for ((length, entry), count) in (1..).zip(&mut lengths).zip(counts.map(u64::from)) {
            if count > 0 {
                *entry = (code + count, index.wrapping_sub(code));
                (code, index) = (code + count, index + count);
            }
            // No code is all ones.
            (code < 1 << length).then_some(())?;
            code <<= 1;
        }
        (usize::try_from(index) == Ok(symbols.len())).then_some(())?;
        let mut this = Self { lengths, symbols: symbols.to_vec(), short: Box::new([0; ENTRIES]) };
        for value in 0..ENTRIES {
            let (symbol, length) = this.search(left_aligned(value), WINDOW).unwrap_or_default();
            this.short[value] = u16::from_be_bytes([length, symbol]);
        }
        Some(this)
    }

    /// Whether each symbol is a size that a DC difference may have.
    pub fn is_dc(&self) -> bool {
        self.symbols.iter().all(|&size| size < 16)
    }

    /// The symbol whose code these bits begin with, and the length of the code, which must be `most` or less.
    fn search(&self, bits: u64, most: u32) -> Option<(u8, u8)> {
        (1..).zip(&self.lengths).take_while(|(length, _)| u32::from(*length) <= most).find_map(
            |(length, &(end, offset)): (u8, _)| {
                let code = bits >> (u64::BITS - u32::from(length));
                let index = (code < end).then_some(code.wrapping_add(offset))?;
                Some((*self.symbols.get(usize::try_from(index).ok()?)?, length))
            },
        )
    }

    /// The next symbol. 31 bits must be held: the longest code and the bits that may follow it.
    pub fn next(&self, bits: &mut Bits<'_>) -> Option<u8> {
        let [length, symbol] = self.short[bits.window_value()].to_be_bytes();
        let (symbol, length) =
            if length > 0 { (symbol, length) } else { self.search(bits.window, 16)? };
        bits.skip(length.into());
        Some(symbol)
    }

    /// The DC coefficient of a block, as the difference to that of the block before.
    #[inline]
    pub fn difference(&self, bits: &mut Bits<'_>) -> Option<i32> {
        bits.fill();
        let size = self.next(bits)?;
        Some(bits.value(size.into()))
    }

    #[inline]
    pub fn skip_dc(&self, bits: &mut Bits<'_>) -> Option<()> {
        bits.fill();
        let size = self.next(bits)?;
        bits.skip(size.into());
        Some(())
    }
}

/// The value of a window as the uppermost bits of a number.
fn left_aligned(value: usize) -> u64 {
    u64::try_from(value).unwrap_or_default() << (u64::BITS - WINDOW)
}

/// The Huffman table of AC coefficients, with a second table that steps over all symbols of a window at once.
pub struct AcTable {
    table: Table,
    runs: Box<[Run; ENTRIES]>,
}

/// Several symbols in a row. From the top: how many bits they take, in 7 bits how many coefficients they code, and 1 if the
/// block ends with them.
#[derive(Clone, Copy, Default)]
struct Run(u16);

impl Run {
    fn new(bits: u32, coefficients: u32, ends: bool) -> Self {
        Self(u16::try_from(bits << 8 | coefficients << 1 | u32::from(ends)).unwrap_or_default())
    }

    fn bits(self) -> u32 {
        u32::from(self.0 >> 8)
    }

    fn coefficients(self) -> u32 {
        u32::from(self.0 >> 1 & 0x7F)
    }

    fn ends(self) -> bool {
        self.0 & 1 == 1
    }
}

enum Symbol {
    /// The bits of a coefficient's value follow; with the zeroes before it, the symbol codes so many coefficients.
    Value { size: u32, coefficients: u32 },
    /// All other coefficients of the block are zero.
    EndOfBlock,
}

impl Symbol {
    fn of(symbol: u8) -> Self {
        let (zeroes, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        // Sixteen zeroes are a symbol of their own: fifteen, and a value of no bits.
        if size == 0 && zeroes != 15 {
            return Self::EndOfBlock;
        }
        Self::Value { size, coefficients: zeroes + 1 }
    }
}

impl AcTable {
    pub fn new(table: Table) -> Self {
        let mut runs = Box::new([Run::default(); ENTRIES]);
        for (value, run) in runs.iter_mut().enumerate() {
            *run = Self::run(&table, left_aligned(value));
        }
        Self { table, runs }
    }

    /// The symbols in a window. The value of the last one may reach out of it: stepping over values needs their sizes only.
    fn run(table: &Table, window: u64) -> Run {
        let (mut bits, mut coefficients) = (0, 0);
        while bits < WINDOW {
            let Some((symbol, length)) = table.search(window << bits, WINDOW - bits) else { break };
            match Symbol::of(symbol) {
                Symbol::EndOfBlock => {
                    return Run::new(bits + u32::from(length), coefficients, true);
                }
                Symbol::Value { coefficients: more, .. } if coefficients + more > LAST => break,
                Symbol::Value { size, coefficients: more } => {
                    bits += u32::from(length) + size;
                    coefficients += more;
                }
            }
        }
        Run::new(bits, coefficients, false)
    }

    /// The AC coefficients 1 to 4 of a block, in zigzag order from index 1 on. Steps over the others.
    #[inline]
    pub fn first(&self, bits: &mut Bits<'_>) -> Option<[i32; 5]> {
        let mut coefficients = [0; 5];
        let mut next = 1;
        while next < 5 {
            bits.fill();
            let Symbol::Value { size, coefficients: more } = Symbol::of(self.table.next(bits)?)
            else {
                return Some(coefficients);
            };
            next += more;
            let value = bits.value(size);
            let index = usize::try_from(next - 1).ok()?;
            if let Some(coefficient) = coefficients.get_mut(index) {
                *coefficient = value;
            }
        }
        self.skip_from(next, bits)?;
        Some(coefficients)
    }

    /// Steps over the AC coefficients of a block from this index on.
    #[inline]
    pub fn skip_from(&self, mut next: u32, bits: &mut Bits<'_>) -> Option<()> {
        loop {
            bits.fill();
            // Two runs take no more bits than are held: the last symbol of each began inside its window.
            for _ in 0..2 {
                let run = self.runs[bits.window_value()];
                let after = next + run.coefficients();
                // No bits stand for a window without a whole code.
                if run.bits() == 0 || after > LAST {
                    if self.skip_symbol(bits, &mut next)? {
                        return Some(());
                    }
                    break;
                }
                bits.skip(run.bits());
                if run.ends() {
                    return Some(());
                }
                next = after;
            }
        }
    }

    /// Steps over one symbol: of a code longer than a window, or near the end of a full block. Returns whether the block is over.
    #[inline(never)]
    fn skip_symbol(&self, bits: &mut Bits<'_>, next: &mut u32) -> Option<bool> {
        bits.fill();
        match Symbol::of(self.table.next(bits)?) {
            Symbol::EndOfBlock => return Some(true),
            Symbol::Value { size, coefficients } => {
                bits.skip(size);
                *next += coefficients;
            }
        }
        // A block with more than 64 coefficients is damaged, but libjpeg does not warn of it.
        Some(*next > LAST)
    }
}

/// Reads entropy-coded data bit by bit, without its stuffed zeroes.
#[derive(Clone)]
pub struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, from the most significant one on.
    window: u64,
    /// How many bits of the window count.
    held: u32,
    /// How many of these are zeroes that stand for data beyond a marker or the end.
    padding: u32,
}

impl<'a> Bits<'a> {
    pub fn of(bytes: &'a [u8]) -> Self {
        Self::from(bytes, 0)
    }

    /// The data from this place on, which ends at the next marker.
    pub fn from(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, window: 0, held: 0, padding: 0 }
    }

    /// Fills the window: it then holds from 56 to 63 bits.
    #[inline]
    pub fn fill(&mut self) {
        if let Some(&next) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            let next = u64::from_be_bytes(next);
            if !has_ff(next) {
                // The bits below those that are held are read again, and are the same, when the window is filled next.
                self.window |= next >> self.held;
                let bytes = (63 - self.held) / 8;
                self.at += usize::try_from(bytes).unwrap_or_default();
                self.held += 8 * bytes;
                return;
            }
        }
        self.fill_by_bytes();
    }

    #[cold]
    #[inline(never)]
    fn fill_by_bytes(&mut self) {
        while self.held < 56 {
            let byte = match self.bytes.get(self.at..).unwrap_or_default() {
                [0xFF, 0, ..] => {
                    self.at += 2;
                    0xFF
                }
                [] | [0xFF, ..] => {
                    self.padding += 8;
                    0
                }
                [byte, ..] => {
                    self.at += 1;
                    *byte
                }
            };
            self.window |= u64::from(byte) << (56 - self.held);
            self.held += 8;
        }
    }

    /// The first bits, as an index of a table.
    #[inline]
    fn window_value(&self) -> usize {
        usize::try_from(self.window >> (u64::BITS - WINDOW)).unwrap_or_default()
    }

    #[inline]
    pub fn skip(&mut self, bits: u32) {
        self.window <<= bits;
        self.held -= bits;
    }

    /// Takes `size` bits, at most 15, as a signed number (T.81, F.12): one that begins with a zero is negative.
    #[inline]
    pub fn value(&mut self, size: u32) -> i32 {
        let taken = i32::try_from(self.window >> 1 >> (63 - size)).unwrap_or_default();
        let negative = self.window >> 63 == 0;
        self.skip(size);
        if negative { taken - ((1 << size) - 1) } else { taken }
    }

    /// Passes if every bit that was taken was in the data.
    #[inline]
    pub fn were_there(&self) -> Option<()> {
        (self.padding <= self.held).then_some(())
    }

    /// Passes if all bytes up to a marker, or to the end, were taken.
    fn are_used_up(&self) -> Option<()> {
        let left = self.held.checked_sub(self.padding)?;
        let rest = self.bytes.get(self.at..)?;
        let at_marker = rest.is_empty() || matches!(rest, [0xFF, second, ..] if *second > 0);
        (left < 8 && at_marker).then_some(())
    }

    /// Steps over the restart marker with this number, which must come next.
    pub fn restart(&mut self, number: u8) -> Option<()> {
        self.are_used_up()?;
        let marker = self.bytes.get(self.at..)?.first_chunk()?;
        (*marker == [0xFF, 0xD0 | number & 7]).then_some(())?;
        *self = Self::from(self.bytes, self.at + 2);
        Some(())
    }

    /// Takes `size` bits, at most 15, as a number.
    pub fn number(&mut self, size: u32) -> u32 {
        let taken = u32::try_from(self.window >> 1 >> (63 - size)).unwrap_or_default();
        self.skip(size);
        taken
    }

    /// Whether all data was taken but for the ones that fill its last byte.
    pub fn are_ones(&self) -> bool {
        let left = self.held.saturating_sub(self.padding);
        self.are_used_up().is_some() && self.window.leading_ones() >= left
    }

    /// The place of the first byte of which no bit was taken.
    pub fn place(&self) -> Option<usize> {
        let left = self.held.checked_sub(self.padding)? / 8;
        (0..left).try_fold(self.at, |at, _| {
            Some(if self.bytes.get(..at)?.ends_with(&[0xFF, 0]) {
                at - 2
            } else {
                at.checked_sub(1)?
            })
        })
    }

    /// Passes if this is the end of the data.
    pub fn end(&self) -> Option<()> {
        self.are_used_up()?;
        (self.at == self.bytes.len()).then_some(())
    }
}

#[inline]
fn has_ff(bytes: u64) -> bool {
    const FIRST: u64 = 0x0101_0101_0101_0101;
    const TOP: u64 = 0x8080_8080_8080_8080;
    (!bytes).wrapping_sub(FIRST) & bytes & TOP != 0
}
