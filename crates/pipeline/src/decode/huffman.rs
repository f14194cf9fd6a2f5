//! The entropy-coded data of a baseline JPEG (ITU-T T.81, annexes C and F.2.2), stepped over as fast as can be.
//! Does not know components, nor what any coefficient is. Where libjpeg would warn, it answers `None`.

/// Bits that tables are looked up by. Longer codes are rare.
const WINDOW: u32 = 12;
const ENTRIES: usize = 1 << WINDOW;

/// The index of the last coefficient of a block.
const LAST: u32 = 63;

/// A prefix code: the codes of one length are consecutive numbers.
pub struct Code {
    /// For each length, from 1 on: one more than its last code, or 0; and what makes an index of a symbol out of a code.
    lengths: [(u64, u64); 16],
    symbols: Vec<u8>,
    /// For all that a window may show: the length of the first code in the upper byte, its symbol in the lower; 0 where
    /// the code is longer, or there is none.
    short: Box<[u16; ENTRIES]>,
}

impl Code {
    /// `counts` says how many codes there are of each length. `None` for a code that libjpeg refuses.
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
        for shown in 0..ENTRIES {
            let (symbol, length) = this.search(left(shown), WINDOW).unwrap_or_default();
            this.short[shown] = u16::from_be_bytes([length, symbol]);
        }
        Some(this)
    }

    /// Whether each symbol is a number of bits that the first coefficient of a block may have.
    pub fn is_of_sizes(&self) -> bool {
        self.symbols.iter().all(|&size| size < 16)
    }

    /// The symbol whose code these bits begin with, and its length, if that is `most` or less.
    fn search(&self, bits: u64, most: u32) -> Option<(u8, u8)> {
        (1..).zip(&self.lengths).take_while(|(length, _)| u32::from(*length) <= most).find_map(
            |(length, &(end, offset)): (u8, _)| {
                let code = bits >> (u64::BITS - u32::from(length));
                let index = (code < end).then_some(code.wrapping_add(offset))?;
                Some((*self.symbols.get(usize::try_from(index).ok()?)?, length))
            },
        )
    }

    /// The next symbol. 31 bits must be held: a code, and as many as it may ask for.
    fn next(&self, bits: &mut Bits<'_>) -> Option<u8> {
        let [length, symbol] = self.short[bits.shown()].to_be_bytes();
        let (symbol, length) =
            if length > 0 { (symbol, length) } else { self.search(bits.window, 16)? };
        bits.skip(length.into());
        Some(symbol)
    }

    /// The first coefficient of a block, less that of the block before.
    #[inline]
    pub fn difference(&self, bits: &mut Bits<'_>) -> Option<i32> {
        bits.fill();
        let size = self.next(bits)?;
        Some(bits.value(size.into()))
    }

    /// Steps over the first coefficient of a block.
    #[inline]
    pub fn skip_first(&self, bits: &mut Bits<'_>) -> Option<()> {
        bits.fill();
        let size = self.next(bits)?;
        bits.skip(size.into());
        Some(())
    }
}

/// What a window shows, as a window of bits.
fn left(shown: usize) -> u64 {
    u64::try_from(shown).unwrap_or_default() << (u64::BITS - WINDOW)
}

/// The code of all coefficients of a block but the first, with strides: as many symbols as a window shows, in one step.
pub struct Strides {
    code: Code,
    strides: Box<[Stride; ENTRIES]>,
}

/// Several symbols in a row: how many bits they take above, then in 7 bits how many coefficients, and 1 if the block ends there.
#[derive(Clone, Copy, Default)]
struct Stride(u16);

impl Stride {
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

    /// Whether the window shows no whole code.
    fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// What a symbol means.
enum Step {
    /// So many bits more, and so many coefficients further.
    On(u32, u32),
    /// All other coefficients of the block are zero.
    End,
}

impl Step {
    fn of(symbol: u8) -> Self {
        let (zeroes, size) = (u32::from(symbol >> 4), u32::from(symbol & 15));
        // Fifteen zeroes and one more are a symbol of their own.
        if size == 0 && zeroes != 15 { Self::End } else { Self::On(size, zeroes + 1) }
    }
}

impl Strides {
    pub fn new(code: Code) -> Self {
        let mut strides = Box::new([Stride::default(); ENTRIES]);
        for (shown, stride) in strides.iter_mut().enumerate() {
            *stride = Self::stride(&code, left(shown));
        }
        Self { code, strides }
    }

    /// The last symbol's own bits need not be seen: nobody asks for their value.
    fn stride(code: &Code, window: u64) -> Stride {
        let (mut bits, mut coefficients) = (0, 0);
        while bits < WINDOW {
            let Some((symbol, length)) = code.search(window << bits, WINDOW - bits) else { break };
            match Step::of(symbol) {
                Step::End => return Stride::new(bits + u32::from(length), coefficients, true),
                Step::On(_, further) if coefficients + further > LAST => break,
                Step::On(size, further) => {
                    bits += u32::from(length) + size;
                    coefficients += further;
                }
            }
        }
        Stride::new(bits, coefficients, false)
    }

    /// Steps over the rest of a block.
    #[inline]
    pub fn skip_rest(&self, bits: &mut Bits<'_>) -> Option<()> {
        self.skip_from(1, bits)
    }

    /// The first five coefficients of a block but the very first, and steps over the rest.
    #[inline]
    pub fn first(&self, bits: &mut Bits<'_>) -> Option<[i32; 5]> {
        let mut coefficients = [0; 5];
        let mut next = 1;
        while next < 5 {
            bits.fill();
            let Step::On(size, further) = Step::of(self.code.next(bits)?) else {
                return Some(coefficients);
            };
            next += further;
            let value = bits.value(size);
            let place = usize::try_from(next - 1).ok()?;
            if let Some(coefficient) = coefficients.get_mut(place) {
                *coefficient = value;
            }
        }
        self.skip_from(next, bits)?;
        Some(coefficients)
    }

    #[inline]
    fn skip_from(&self, mut next: u32, bits: &mut Bits<'_>) -> Option<()> {
        loop {
            bits.fill();
            // Two strides take no more bits than are held: each ends with a symbol that began inside its window.
            for _ in 0..2 {
                let stride = self.strides[bits.shown()];
                let after = next + stride.coefficients();
                if stride.is_empty() || after > LAST {
                    if self.skip_symbol(bits, &mut next)? {
                        return Some(());
                    }
                    break;
                }
                bits.skip(stride.bits());
                if stride.ends() {
                    return Some(());
                }
                next = after;
            }
        }
    }

    /// Steps over one symbol, for codes longer than a window and at the end of a full block; whether the block is over.
    #[inline(never)]
    fn skip_symbol(&self, bits: &mut Bits<'_>, next: &mut u32) -> Option<bool> {
        bits.fill();
        match Step::of(self.code.next(bits)?) {
            Step::End => return Some(true),
            Step::On(size, further) => {
                bits.skip(size);
                *next += further;
            }
        }
        // Beyond the last it is a damaged block, which libjpeg takes without a word.
        Some(*next > LAST)
    }
}

/// Entropy-coded data, bit by bit, without its stuffed zeroes.
pub struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The next bits, the first of them on top.
    window: u64,
    held: u32,
    /// How many of those that are held the data did not have: zeroes beyond a marker.
    invented: u32,
}

impl<'a> Bits<'a> {
    pub fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, window: 0, held: 0, invented: 0 }
    }

    /// Holds 56 bits or more afterwards, and never 64.
    #[inline]
    fn fill(&mut self) {
        if let Some(&next) = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk) {
            let next = u64::from_be_bytes(next);
            if !has_ones(next) {
                // Bits below those that are held come again the next time, the same.
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
                    self.invented += 8;
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

    #[inline]
    fn shown(&self) -> usize {
        usize::try_from(self.window >> (u64::BITS - WINDOW)).unwrap_or_default()
    }

    #[inline]
    fn skip(&mut self, bits: u32) {
        self.window <<= bits;
        self.held -= bits;
    }

    /// Takes so many bits, 15 at most, as a number (T.81, F.12): one that begins with a zero is negative.
    #[inline]
    fn value(&mut self, size: u32) -> i32 {
        let taken = i32::try_from(self.window >> 1 >> (63 - size)).unwrap_or_default();
        let negative = self.window >> 63 == 0;
        self.skip(size);
        if negative { taken - ((1 << size) - 1) } else { taken }
    }

    /// Passes if no bit was read that the data did not have.
    #[inline]
    pub fn are_real(&self) -> Option<()> {
        (self.invented <= self.held).then_some(())
    }

    /// Passes if all bytes up to a marker, or to the end, were read.
    fn are_spent(&self) -> Option<()> {
        let left = self.held.checked_sub(self.invented)?;
        let rest = self.bytes.get(self.at..)?;
        let at_marker = rest.is_empty() || matches!(rest, [0xFF, second, ..] if *second > 0);
        (left < 8 && at_marker).then_some(())
    }

    /// Goes on behind the restart marker of this number.
    pub fn restart(&mut self, number: u8) -> Option<()> {
        self.are_spent()?;
        let marker = self.bytes.get(self.at..)?.first_chunk()?;
        (*marker == [0xFF, 0xD0 | number & 7]).then_some(())?;
        *self = Self { at: self.at + 2, ..Self::of(self.bytes) };
        Some(())
    }

    /// Passes if this is the end of the data.
    pub fn end(&self) -> Option<()> {
        self.are_spent()?;
        (self.at == self.bytes.len()).then_some(())
    }
}

/// Whether one of the bytes is 0xFF.
#[inline]
fn has_ones(bytes: u64) -> bool {
    const FIRST: u64 = 0x0101_0101_0101_0101;
    const TOP: u64 = 0x8080_8080_8080_8080;
    (!bytes).wrapping_sub(FIRST) & bytes & TOP != 0
}
