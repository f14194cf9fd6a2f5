//! The chunks of a PNG (W3C Portable Network Graphics, third edition, with animation). Checksums are left to the decoder, but for
//! a repair.

use crate::format::partial::{Found, PARTS_MAX, Partial, Stop};
use crate::format::survey::{Profile, Survey, array, corrupt, slice};
use crate::job::{Fault, Limits, at_most};
use crate::raster::index;
use words::dimensions::Dimensions;

pub const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
const EXIF: &[u8; 4] = b"eXIf";
/// Chunks that say how the pixels look.
const KEPT: [&[u8; 4]; 21] = [
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT",
    b"bKGD", b"pHYs", b"hIST", b"cICP", b"mDCV", b"cLLI", b"acTL", b"fcTL", b"fdAT", b"mDCv",
    b"cLLi",
];

/// Chunks whose loss changes the pixels, beside the critical ones.
const PIXELS: [&[u8; 4]; 4] = [b"tRNS", b"acTL", b"fcTL", b"fdAT"];
const END: [u8; 12] = *b"\0\0\0\0IEND\xAE\x42\x60\x82";

/// Reads the size, and the orientation, which may stand before or behind the pixels.
pub fn header(source: &Partial<'_>, found: &mut Found) -> Result<(), Stop> {
    if source.bytes::<8>(8)? != *b"\0\0\0\x0DIHDR" {
        return Err(Stop::Corrupt);
    }
    found.size(u32::from_be_bytes(source.bytes(16)?), u32::from_be_bytes(source.bytes(20)?))?;
    let mut at = 33;
    for _ in 0..PARTS_MAX {
        let [l3, l2, l1, l0, kind @ ..] = source.bytes::<8>(at)?;
        let length = u64::from(u32::from_be_bytes([l3, l2, l1, l0]));
        match &kind {
            b"IEND" => break,
            EXIF => return found.exif(source, at + 8, length),
            _ => at += 12 + length,
        }
    }
    Ok(())
}

pub struct Chunk<'a> {
    pub kind: &'a [u8; 4],
    pub payload: &'a [u8],
    /// With length and checksum.
    pub whole: &'a [u8],
}

/// The chunks up to and including IEND.
pub fn chunks(bytes: &[u8]) -> Result<Vec<Chunk<'_>>, Fault> {
    if array::<8>(bytes, 0, "the signature")? != SIGNATURE {
        return Err(corrupt("there is no PNG signature"));
    }
    let mut at = SIGNATURE.len();
    let mut chunks = Vec::new();
    loop {
        let chunk = chunk(bytes, at)?;
        at += chunk.whole.len();
        let ends = chunk.kind == b"IEND";
        chunks.push(chunk);
        if ends {
            return Ok(chunks);
        }
    }
}

fn chunk(bytes: &[u8], at: usize) -> Result<Chunk<'_>, Fault> {
    let length = index(u32::from_be_bytes(array(bytes, at, "the chunks, before IEND")?));
    let whole = slice(bytes, at, length.saturating_add(12), "a chunk")?;
    let kind = whole[4..8].try_into().map_err(|_| corrupt("a chunk has no name"))?;
    Ok(Chunk { kind, payload: &whole[8..8 + length], whole })
}

pub fn survey(bytes: &[u8], limits: &Limits) -> Result<Survey, Fault> {
    let chunks = chunks(bytes)?;
    let header = chunks.first().filter(|chunk| chunk.kind == b"IHDR");
    let header = header.ok_or_else(|| corrupt("the first chunk is not IHDR"))?.payload;
    let width = u32::from_be_bytes(array(header, 0, "IHDR")?);
    let height = u32::from_be_bytes(array(header, 4, "IHDR")?);
    if !chunks.iter().any(|chunk| chunk.kind == b"IDAT") {
        // The caller checks the size, so that a bomb is called one although its pixels are missing.
        return Ok(Survey::of_size(Dimensions::new(width, height)));
    }
    let find = |kind: &[u8; 4]| chunks.iter().find(|chunk| chunk.kind == kind);
    for kind in [b"iCCP", EXIF] {
        let length = find(kind).map_or(0, |chunk| chunk.payload.len() as u64);
        at_most("bytes of metadata", length, limits.max_metadata)?;
    }
    // Behind the pixels it makes no animation of them.
    let mut before = chunks.iter().take_while(|chunk| chunk.kind != b"IDAT");
    let frames = match before.find(|chunk| chunk.kind == b"acTL") {
        Some(control) => u32::from_be_bytes(array(control.payload, 0, "acTL")?).max(1),
        None => 1,
    };
    let controls = chunks.iter().filter(|chunk| chunk.kind == b"fcTL").count();
    if frames > 1 && usize::try_from(frames) != Ok(controls) {
        return Err(Fault::Corrupt(format!("{controls} of {frames} frames are there")));
    }
    Ok(Survey { frames, ..Survey::of_size(Dimensions::new(width, height)) })
}

/// The same pixels with right checksums and an end. Of the chunks with a wrong checksum, those that say how the pixels look are
/// dropped, as every reader does it, and metadata stays. `None` if a chunk of the pixels is broken.
pub fn repaired(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = bytes.get(..SIGNATURE.len())?.to_vec();
    let mut at = out.len();
    while let Ok(chunk) = chunk(bytes, at) {
        let (named, written) = chunk.whole[4..].split_last_chunk::<4>()?;
        let right = checksum(named).to_be_bytes();
        if right == *written {
            out.extend(chunk.whole);
        } else if chunk.kind[0].is_ascii_uppercase() || PIXELS.contains(&chunk.kind) {
            return None;
        } else if !KEPT.contains(&chunk.kind) {
            out.extend([&chunk.whole[..4], named, &right].concat());
        }
        at += chunk.whole.len();
        if chunk.kind == b"IEND" {
            return (out != bytes).then_some(out);
        }
    }
    // Nothing but the end may be missing.
    out.extend(END);
    END.starts_with(bytes.get(at..)?).then_some(out)
}

pub fn strip(bytes: &[u8], profile: Profile) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::with_capacity(bytes.len());
    out.extend(SIGNATURE);
    for chunk in chunks(bytes)? {
        let dropped = chunk.kind == b"iCCP" && profile == Profile::Dropped;
        if KEPT.contains(&chunk.kind) && !dropped {
            out.extend(chunk.whole);
        }
    }
    Ok(out)
}

/// Puts the structure before the first chunk of pixels, where readers that stream look for it.
pub fn with_exif(bytes: &[u8], structure: &[u8]) -> Result<Vec<u8>, Fault> {
    let is_pixels = |chunk: &Chunk<'_>| matches!(chunk.kind, b"IDAT" | b"fcTL" | b"IEND");
    let before = chunks(bytes)?.into_iter().take_while(|chunk| !is_pixels(chunk));
    let at = SIGNATURE.len() + before.map(|chunk| chunk.whole.len()).sum::<usize>();
    let (head, tail) = bytes.split_at(at);
    Ok([head, &written(EXIF, structure), tail].concat())
}

/// A chunk of this kind.
pub fn written(kind: &[u8; 4], payload: &[u8]) -> Vec<u8> {
    // An input has at most 512 MiB.
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    let named = [kind, payload].concat();
    [&length, named.as_slice(), &checksum(&named).to_be_bytes()].concat()
}

/// CRC-32 (annex D of the specification).
fn checksum(bytes: &[u8]) -> u32 {
    const STEPS: [u32; 256] = steps();
    let fold = |crc: u32, &byte: &u8| {
        let [low, ..] = crc.to_le_bytes();
        STEPS[usize::from(low ^ byte)] ^ crc >> 8
    };
    !bytes.iter().fold(u32::MAX, fold)
}

/// The effect of a byte on the checksum.
const fn steps() -> [u32; 256] {
    let mut steps = [0; 256];
    let mut crc = 0;
    let mut at = 0;
    while at < 256 * 8 {
        if at % 8 == 0 {
            crc = at / 8;
        }
        crc = if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 };
        steps[at as usize / 8] = crc;
        at += 1;
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_specification() {
        assert_eq!(checksum(b"IEND"), 0xAE42_6082);
        assert_eq!(checksum(b"123456789"), 0xCBF4_3926);
    }
}
