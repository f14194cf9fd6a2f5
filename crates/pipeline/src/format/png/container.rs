//! The chunks of a PNG (W3C Portable Network Graphics, third edition, with animation). Checksums are left to the decoder, but for
//! a repair.

use crate::format::partial::{Found, Partial, Stop};
use crate::format::survey::{Profile, Survey, array, corrupt, slice};
use crate::job::{Fault, Limits, at_most};
use crate::raster::index;
use words::dimensions::Dimensions;

pub const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
const EXIF: &[u8; 4] = b"eXIf";
/// Chunks that hold the pixels.
const PIXELS: [&[u8; 4]; 8] =
    [b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND", b"acTL", b"fcTL", b"fdAT"];
/// Chunks that say how the pixels look, each once and before them, with the least and the greatest length that they may have.
const LOOKS: [(&[u8; 4], usize, usize); 13] = [
    (b"gAMA", 4, 4),
    (b"cHRM", 32, 32),
    (b"sRGB", 1, 1),
    (b"iCCP", 1, usize::MAX),
    (b"cICP", 4, 4),
    (b"sBIT", 1, 4),
    (b"bKGD", 1, 6),
    (b"pHYs", 9, 9),
    (b"hIST", 2, 512),
    (b"mDCV", 24, 24),
    (b"cLLI", 8, 8),
    (b"mDCv", 24, 24),
    (b"cLLi", 8, 8),
];
/// Chunks that are looked at before the orientation counts as upright. A large picture has thousands of chunks of pixels.
const CHUNKS_MAX: u32 = 1 << 16;

/// Reads the size, and the orientation, which may stand before or behind the pixels.
pub fn header(source: &Partial<'_>, found: &mut Found) -> Result<(), Stop> {
    if source.bytes::<8>(8)? != *b"\0\0\0\x0DIHDR" {
        return Err(Stop::Corrupt);
    }
    found.size(u32::from_be_bytes(source.bytes(16)?), u32::from_be_bytes(source.bytes(20)?))?;
    let mut at = 33;
    for _ in 0..CHUNKS_MAX {
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

impl Chunk<'_> {
    fn says_looks(&self) -> bool {
        LOOKS.iter().any(|(kind, ..)| *kind == self.kind)
    }

    /// Whether the chunk says how the pixels look and stands behind these as it may. libpng drops others.
    fn is_sound(&self, before: &[&[u8; 4]]) -> bool {
        let fits = |(kind, least, most): &(&[u8; 4], usize, usize)| {
            *kind == self.kind && (*least..=*most).contains(&self.payload.len())
        };
        let sense = match (self.kind, self.payload) {
            (b"gAMA", payload) => payload != [0; 4],
            (b"sRGB", payload) => payload < &[4],
            // The coefficients are those of RGB, and so is the range.
            (b"cICP", payload) => payload.ends_with(&[0, 1]) || payload.ends_with(&[0, 0]),
            _ => true,
        };
        let early = !before.contains(&self.kind) && !before.contains(&b"IDAT");
        LOOKS.iter().any(fits) && sense && early
    }
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

/// Writes the file anew with right checksums and an end, its pixels as they are. Chunks that say how the pixels look are dropped
/// if they are wrong, as by every reader, and metadata stays. `None` if a chunk of the pixels has a wrong checksum.
pub fn repaired(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = bytes.get(..SIGNATURE.len())?.to_vec();
    let (mut at, mut seen) = (out.len(), Vec::new());
    while let Ok(chunk) = chunk(bytes, at) {
        let (named, written) = chunk.whole[4..].split_last_chunk::<4>()?;
        let right = checksum(named).to_be_bytes() == *written;
        let pixels = chunk.kind[0].is_ascii_uppercase() || PIXELS.contains(&chunk.kind);
        if pixels && !right {
            return None;
        } else if pixels || !chunk.says_looks() || right && chunk.is_sound(&seen) {
            out.extend(self::written(*chunk.kind, chunk.payload));
        }
        seen.push(chunk.kind);
        at += chunk.whole.len();
        if chunk.kind == b"IEND" {
            return (out != bytes).then_some(out);
        }
    }
    // Nothing but the end may be missing. A file that ends within a chunk was cut short by whoever sent it.
    out.extend(written(*b"IEND", &[]));
    (at == bytes.len()).then_some(out)
}

pub fn strip(bytes: &[u8], profile: Profile) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::with_capacity(bytes.len());
    out.extend(SIGNATURE);
    let mut seen = Vec::new();
    for chunk in chunks(bytes)? {
        let dropped = chunk.kind == b"iCCP" && profile == Profile::Dropped;
        let kept = PIXELS.contains(&chunk.kind) || chunk.is_sound(&seen) && !dropped;
        if kept {
            out.extend(chunk.whole);
        }
        seen.push(chunk.kind);
    }
    Ok(out)
}

/// Puts the structure before the first chunk of pixels, where readers that stream look for it.
pub fn with_exif(bytes: &[u8], structure: &[u8]) -> Result<Vec<u8>, Fault> {
    let is_pixels = |chunk: &Chunk<'_>| matches!(chunk.kind, b"IDAT" | b"fcTL" | b"IEND");
    let before = chunks(bytes)?.into_iter().take_while(|chunk| !is_pixels(chunk));
    let at = SIGNATURE.len() + before.map(|chunk| chunk.whole.len()).sum::<usize>();
    let (head, tail) = bytes.split_at(at);
    Ok([head, &written(*EXIF, structure), tail].concat())
}

/// A chunk of this kind.
pub fn written(kind: [u8; 4], payload: &[u8]) -> Vec<u8> {
    // An input has at most 512 MiB.
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes();
    let named = [&kind, payload].concat();
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
