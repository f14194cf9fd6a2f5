//! The codes of fax machines (ITU-T T.4 and T.6): rows of black and white, one after the other. The tables of codes are those of
//! the crate `fax`, whose own decoders know neither Group 3 in two dimensions nor rows without end-of-line codes.

use fax::BitReader;
use fax::maps::{Mode, black, mode, white};

use super::coding::Packing;
use crate::format::survey::{corrupt, truncated};
use crate::job::Fault;
use crate::raster::index;
use words::dimensions::Dimensions;

/// Bits that are read as zero behind the end: a code may be looked up in a table of longer ones.
const PADDING: usize = 24;

/// Decodes rows of whole bytes, in which a bit of 1 is black.
pub fn decode(coded: &[u8], size: Dimensions, packing: &Packing) -> Result<Vec<u8>, Fault> {
    let mut bits = Bits { bytes: coded, at: 0 };
    let pitch = index(size.width).div_ceil(8);
    let mut rows = vec![0; pitch * index(size.height)];
    // The columns at which the colour of a row changes, from white at its left.
    let mut above = Vec::new();
    for row in rows.chunks_exact_mut(pitch) {
        let two_dimensional = match packing {
            Packing::FaxRows { in_pairs } => {
                bits.align(if *in_pairs { 16 } else { 8 });
                false
            }
            Packing::Group3 { two_dimensional } => {
                let ended = bits.skip_end_of_lines(*two_dimensional);
                *two_dimensional && ended == Some(false)
            }
            _ => true,
        };
        above = if two_dimensional {
            bits.row_after(&above, size.width)?
        } else {
            bits.row(size.width)?
        };
        for span in above.chunks(2) {
            let (from, to) = (span[0], span.get(1).copied().unwrap_or(size.width));
            blacken(row, index(from), index(to));
        }
    }
    Ok(rows)
}

/// Sets the bits of these columns.
fn blacken(row: &mut [u8], from: usize, to: usize) {
    let mut column = from;
    while column < to {
        let Some(byte) = row.get_mut(column / 8) else { return };
        if column.is_multiple_of(8) && to - column >= 8 {
            *byte = u8::MAX;
            column += 8;
        } else {
            *byte |= 0x80 >> (column % 8);
            column += 1;
        }
    }
}

struct Bits<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: usize,
}

impl Bits<'_> {
    /// A row in one dimension: runs of white and black in turn.
    fn row(&mut self, width: u32) -> Result<Vec<u32>, Fault> {
        let mut row = Row { changes: Vec::new(), width };
        let (mut at, mut is_black) = (0, false);
        while at < width {
            at += self.run(is_black)?;
            row.change(at)?;
            is_black = !is_black;
        }
        Ok(row.changes)
    }

    /// A row in two dimensions: changes relative to those of the row above.
    fn row_after(&mut self, above: &[u32], width: u32) -> Result<Vec<u32>, Fault> {
        let mut row = Row { changes: Vec::new(), width };
        // `None` stands for the imaginary white pixel left of the row.
        let (mut at, mut is_black) = (None::<u32>, false);
        let mut passed = 0;
        while at.is_none_or(|at| at < width) {
            while above.get(passed).is_some_and(|change| at.is_some_and(|at| *change <= at)) {
                passed += 1;
            }
            // Changes to black have even places, changes to white odd ones.
            let opposite = passed + usize::from((passed % 2 == 1) != is_black);
            let change = |place: usize| above.get(place).copied().unwrap_or(width);
            match mode::decode(self) {
                Some(Mode::Pass) => at = Some(change(opposite + 1)),
                Some(Mode::Horizontal) => {
                    let first = at.unwrap_or_default() + self.run(is_black)?;
                    let second = first + self.run(!is_black)?;
                    row.change(first)?;
                    row.change(second)?;
                    at = Some(second);
                }
                Some(Mode::Vertical(shift)) => {
                    let to = change(opposite).checked_add_signed(shift.into());
                    let to = to.filter(|to| at.is_none_or(|at| *to >= at)).ok_or_else(damaged)?;
                    row.change(to)?;
                    at = Some(to);
                    is_black = !is_black;
                }
                Some(Mode::EOF) => return Err(truncated("the rows")),
                Some(Mode::Extension) => {
                    return Err(Fault::Unsupported(
                        "TIFF with uncompressed fax is not read".into(),
                    ));
                }
                None => return Err(self.fault()),
            }
        }
        Ok(row.changes)
    }

    /// The length of a run: codes of 64 and more, then one below.
    fn run(&mut self, is_black: bool) -> Result<u32, Fault> {
        let mut length = 0;
        loop {
            let code = if is_black { black::decode(self) } else { white::decode(self) };
            let code = u32::from(code.ok_or_else(|| self.fault())?);
            length += code;
            if length > u32::from(u16::MAX) * 2 {
                return Err(damaged());
            }
            if code < 64 {
                return Ok(length);
            }
        }
    }

    /// Steps over end-of-line codes and the zeros before them. Returns the bit behind the last one, which tells whether the next
    /// row has one dimension, or `None` if there was none. No other code begins with so many zeros.
    fn skip_end_of_lines(&mut self, is_tagged: bool) -> Option<bool> {
        let mut one_dimensional = None;
        while self.peek(9) == Some(0) {
            while self.peek(1) == Some(0) {
                self.at += 1;
            }
            self.at += 1;
            one_dimensional = Some(true);
            if is_tagged {
                one_dimensional = Some(self.peek(1) == Some(1));
                self.at += 1;
            }
        }
        one_dimensional
    }

    fn align(&mut self, bits: usize) {
        self.at = self.at.next_multiple_of(bits);
    }

    fn fault(&self) -> Fault {
        if self.at >= self.bytes.len() * 8 { truncated("the rows") } else { damaged() }
    }
}

impl BitReader for Bits<'_> {
    type Error = ();

    fn peek(&self, bits: u8) -> Option<u16> {
        if self.at > self.bytes.len() * 8 + PADDING {
            return None;
        }
        let byte =
            |place: usize| u32::from(self.bytes.get(self.at / 8 + place).copied().unwrap_or(0));
        let window = byte(0) << 16 | byte(1) << 8 | byte(2);
        let shifted = window << (8 + self.at % 8) >> (32 - u32::from(bits.clamp(1, 16)));
        u16::try_from(shifted).ok()
    }

    fn consume(&mut self, bits: u8) -> Result<(), ()> {
        self.at += usize::from(bits);
        Ok(())
    }

    fn bits_to_byte_boundary(&self) -> u8 {
        u8::try_from(self.at.next_multiple_of(8) - self.at).unwrap_or_default()
    }
}

/// A row that is being decoded.
struct Row {
    changes: Vec<u32>,
    width: u32,
}

impl Row {
    /// Notes a change of colour. A run without a pixel is noted too: the next row may pass over it. The end of the row needs no
    /// note.
    fn change(&mut self, at: u32) -> Result<(), Fault> {
        if at > self.width {
            return Err(damaged());
        }
        if at < self.width {
            self.changes.push(at);
        }
        Ok(())
    }
}

fn damaged() -> Fault {
    corrupt("the codes of a row make no row")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_a_pixel_counts_where_the_next_row_passes_over_it() {
        // Horizontal 0 0, horizontal 2 2, vertical 0; pass, horizontal 2 2, vertical 0.
        let codes = [0x26, 0xa1, 0xb9, 0x7e, 0x25, 0xf8];
        let rows = decode(&codes, Dimensions::new(8, 2), &Packing::Group4).expect("two rows");
        assert_eq!(rows, [0b0011_0000, 0b0011_0000]);
    }
}
