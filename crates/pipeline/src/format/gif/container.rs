//! The blocks of a GIF (`GIF89a`, with the looping extension that every browser knows).

use crate::format::partial::{Found, PARTS_MAX, Partial, Stop};
use crate::format::survey::{Survey, array, corrupt, slice};
use crate::job::{Fault, Limits, at_most};
use words::dimensions::Dimensions;

const EXTENSION: u8 = 0x21;
const IMAGE: u8 = 0x2C;
const TRAILER: u8 = 0x3B;
const CONTROL: u8 = 0xF9;
const APPLICATION: u8 = 0xFF;

/// Reads the size: that of the screen, or of the first frame if the screen is smaller. A GIF has no orientation.
pub fn header(source: &Partial<'_>, found: &mut Found) -> Result<(), Stop> {
    let [w0, w1, h0, h1, packed] = source.bytes(6)?;
    let screen = sides([w0, w1, h0, h1]);
    let shown = match first_frame(source, 13 + colours(packed) as u64) {
        Ok(first) => canvas(screen, first),
        Err(Stop::NeedMore) => return Err(Stop::NeedMore),
        // There is no picture: the decoder will say why.
        Err(_) => screen,
    };
    found.size(shown.width, shown.height)
}

/// The size of the first frame behind the blocks from `at` on.
fn first_frame(source: &Partial<'_>, mut at: u64) -> Result<Dimensions, Stop> {
    let mut inside = false;
    for _ in 0..PARTS_MAX {
        at += match source.bytes(at)? {
            [length] if inside => {
                inside = length > 0;
                1 + u64::from(length)
            }
            // Zeroes may fill the space between two blocks.
            [0] => 1,
            [EXTENSION] => {
                inside = true;
                2
            }
            [IMAGE] => return Ok(sides(source.bytes(at + 5)?)),
            _ => break,
        }
    }
    Err(Stop::Corrupt)
}

/// Two numbers of 16 bits.
fn sides([w0, w1, h0, h1]: [u8; 4]) -> Dimensions {
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]));
    Dimensions::new(side(w0, w1), side(h0, h1))
}

/// The size of the picture. Browsers take that of the first frame where it does not fit on the screen.
fn canvas(screen: Dimensions, first: Dimensions) -> Dimensions {
    let fits = first.width <= screen.width && first.height <= screen.height;
    if fits { screen } else { first }
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
    while let Some((block, end)) = block(bytes, at)? {
        visit(block)?;
        at = end;
    }
    Ok(())
}

/// The block at this place and its end. `None` for the trailer.
fn block(bytes: &[u8], at: usize) -> Result<Option<(Block<'_>, usize)>, Fault> {
    let [introducer] = array(bytes, at, "the blocks, before the trailer")?;
    Ok(Some(match introducer {
        TRAILER => return Ok(None),
        EXTENSION => {
            let [label, first] = array(bytes, at + 1, "an extension")?;
            let name = slice(bytes, at + 3, first.into(), "an extension")?;
            let end = sub_blocks_end(bytes, at + 2)?;
            (Block::Extension(label, name, &bytes[at..end]), end)
        }
        IMAGE => {
            let [w0, w1, h0, h1, packed] = array(bytes, at + 5, "an image descriptor")?;
            // One byte more: the code size that begins the image's data.
            let end = sub_blocks_end(bytes, at + 10 + colours(packed) + 1)?;
            (Block::Image(sides([w0, w1, h0, h1]), &bytes[at..end]), end)
        }
        _ => return Err(corrupt("there is a block of an unknown kind")),
    }))
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
                if frames == 1 && canvas(size, frame) != size {
                    return Err(corrupt("the screen is smaller than the first frame"));
                }
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

/// Writes the frames anew on a screen that holds the first one, without zeroes between the blocks, and with a trailer. `None` unless each
/// block is whole: a control block without its frame says that a frame is missing.
pub fn repaired(bytes: &[u8]) -> Option<Vec<u8>> {
    let header = bytes.get(..13)?;
    let mut at = 13 + colours(header[10]);
    let mut out = bytes.get(..at)?.to_vec();
    let (mut frames, mut controlled) = (0_u32, false);
    while let Some(introducer) = bytes.get(at) {
        if *introducer == 0 {
            at += 1;
            continue;
        }
        let Some((block, end)) = block(bytes, at).ok()? else {
            controlled = false;
            break;
        };
        let start = out.len();
        out.extend(&bytes[at..end]);
        at = end;
        controlled = matches!(block, Block::Extension(CONTROL, ..));
        if let Block::Image(frame, _) = block {
            frames += 1;
            let screen = sides(*header[6..].first_chunk()?);
            if frames == 1 && canvas(screen, frame) != screen {
                // The frame lies at the origin of its new screen.
                out.copy_within(start + 5..start + 9, 6);
                out[start + 1..start + 5].fill(0);
            }
        }
    }
    out.push(TRAILER);
    (frames > 0 && !controlled && out != bytes).then_some(out)
}
