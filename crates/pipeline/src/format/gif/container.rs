//! The blocks of a GIF (`GIF89a`, with the looping extension that every browser knows).

use crate::format::partial::{Found, Partial, Stop};
use crate::format::survey::{Survey, array, corrupt, slice};
use crate::job::{Fault, Limits, at_most};
use words::dimensions::Dimensions;

const EXTENSION: u8 = 0x21;
const IMAGE: u8 = 0x2C;
const TRAILER: u8 = 0x3B;
const CONTROL: u8 = 0xF9;
const APPLICATION: u8 = 0xFF;

/// Reads the size. A GIF has no orientation.
pub fn header(source: &Partial<'_>, found: &mut Found) -> Result<(), Stop> {
    found.size(u16::from_le_bytes(source.bytes(6)?), u16::from_le_bytes(source.bytes(8)?))
}

enum Block<'a> {
    /// Signature, screen descriptor and global colour table.
    Header(&'a [u8]),
    /// The size of the frame, and all bytes of the block.
    Image(Dimensions, &'a [u8]),
    /// The label, the first sub-block, and all bytes of the block.
    Extension(u8, &'a [u8], &'a [u8]),
}

/// Calls `visit` with each block before the trailer.
fn walk<'a>(
    bytes: &'a [u8],
    visit: &mut dyn FnMut(Block<'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let header = slice(bytes, 0, 13, "the header")?;
    if !header.starts_with(b"GIF87a") && !header.starts_with(b"GIF89a") {
        return Err(corrupt("there is no GIF signature"));
    }
    let mut at = 13 + colours(header[10]);
    visit(Block::Header(slice(bytes, 0, at, "the global colours")?))?;
    loop {
        let start = at;
        let [introducer] = array(bytes, at, "the blocks, before the trailer")?;
        let block = match introducer {
            TRAILER => return Ok(()),
            EXTENSION => {
                let [label, first] = array(bytes, at + 1, "an extension")?;
                let name = slice(bytes, at + 3, first.into(), "an extension")?;
                at = sub_blocks_end(bytes, at + 2)?;
                Block::Extension(label, name, &bytes[start..at])
            }
            IMAGE => {
                let [w0, w1, h0, h1, packed] = array(bytes, at + 5, "an image descriptor")?;
                let side = |low, high| u32::from(u16::from_le_bytes([low, high]));
                // One byte more: the code size that begins the image's data.
                at = sub_blocks_end(bytes, at + 10 + colours(packed) + 1)?;
                Block::Image(Dimensions::new(side(w0, w1), side(h0, h1)), &bytes[start..at])
            }
            _ => return Err(corrupt("there is a block of an unknown kind")),
        };
        visit(block)?;
    }
}

/// The length in bytes of the colour table that a packed field announces.
fn colours(packed: u8) -> usize {
    if packed & 0x80 == 0 { 0 } else { 3 << (usize::from(packed & 7) + 1) }
}

/// Where the sub-blocks from `at` on end.
fn sub_blocks_end(bytes: &[u8], mut at: usize) -> Result<usize, Fault> {
    loop {
        let [length] = array(bytes, at, "a block's data")?;
        at += 1 + usize::from(length);
        if length == 0 {
            return Ok(at);
        }
    }
}

pub fn survey(bytes: &[u8], limits: &Limits) -> Result<Survey, Fault> {
    let mut size = Dimensions::new(0, 0);
    let mut frames: u32 = 0;
    let mut pixels: u64 = 0;
    walk(bytes, &mut |block| {
        match block {
            Block::Header(header) => {
                let number = |at| array(header, at, "the header").map(u16::from_le_bytes);
                size = Dimensions::new(number(6)?.into(), number(8)?.into());
                at_most("pixels", size.pixels(), limits.max_pixels)?;
            }
            Block::Image(frame, _) => {
                frames += 1;
                at_most("frames", frames.into(), limits.max_frames.into())?;
                at_most("pixels", frame.pixels(), limits.max_pixels)?;
                // Frames may be larger than the canvas.
                pixels += frame.pixels();
                at_most("pixels of all frames", pixels, limits.max_total_pixels)?;
            }
            Block::Extension(..) => {}
        }
        Ok(())
    })?;
    if frames == 0 {
        return Err(corrupt("there is no image in the file"));
    }
    Ok(Survey { frames, ..Survey::of_size(size) })
}

pub fn strip(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::with_capacity(bytes.len());
    walk(bytes, &mut |block| {
        match block {
            Block::Header(whole)
            | Block::Image(_, whole)
            | Block::Extension(CONTROL, _, whole)
            | Block::Extension(APPLICATION, b"NETSCAPE2.0" | b"ANIMEXTS1.0", whole) => {
                out.extend(whole);
            }
            Block::Extension(..) => {}
        }
        Ok(())
    })?;
    out.push(TRAILER);
    Ok(out)
}
