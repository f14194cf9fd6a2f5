//! The chunks of a PNG (W3C Portable Network Graphics, third edition, with animation). Checksums are left to the decoder.

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

/// Reads the size and the orientation. EXIF behind the pixels is not looked for.
pub fn header(source: &Partial<'_>, found: &mut Found) -> Result<(), Stop> {
    if source.bytes::<8>(8)? != *b"\0\0\0\x0DIHDR" {
        return Err(Stop::Corrupt);
    }
    found.size(u32::from_be_bytes(source.bytes(16)?), u32::from_be_bytes(source.bytes(20)?))?;
    let mut at = 33;
    for _ in 0..PARTS_MAX {
        let length = u64::from(u32::from_be_bytes(source.bytes(at)?));
        match &source.bytes::<4>(at + 4)? {
            b"IDAT" | b"IEND" => break,
            EXIF => found.exif(source, at + 8, length)?,
            _ => {}
        }
        at += 12 + length;
    }
    Ok(())
}

struct Chunk<'a> {
    kind: &'a [u8; 4],
    payload: &'a [u8],
    /// With length and checksum.
    whole: &'a [u8],
}

/// The chunks up to and including IEND.
fn chunks(bytes: &[u8]) -> Result<Vec<Chunk<'_>>, Fault> {
    if array::<8>(bytes, 0, "the signature")? != SIGNATURE {
        return Err(corrupt("there is no PNG signature"));
    }
    let mut at = SIGNATURE.len();
    let mut chunks = Vec::new();
    loop {
        let length = index(u32::from_be_bytes(array(bytes, at, "the chunks, before IEND")?));
        let whole = slice(bytes, at, length.saturating_add(12), "a chunk")?;
        let kind = whole[4..8].try_into().map_err(|_| corrupt("a chunk has no name"))?;
        chunks.push(Chunk { kind, payload: &whole[8..8 + length], whole });
        at += whole.len();
        if kind == b"IEND" {
            return Ok(chunks);
        }
    }
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
    let frames = match find(b"acTL") {
        Some(control) => u32::from_be_bytes(array(control.payload, 0, "acTL")?).max(1),
        None => 1,
    };
    let exif = find(EXIF).map(|chunk| chunk.payload.to_vec());
    Ok(Survey { frames, exif, ..Survey::of_size(Dimensions::new(width, height)) })
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
    // An input has at most 512 MiB.
    let length = u32::try_from(structure.len()).unwrap_or(u32::MAX).to_be_bytes();
    let named = [&EXIF[..], structure].concat();
    Ok([head, &length, &named, &checksum(&named).to_be_bytes(), tail].concat())
}

/// CRC-32 (annex D of the specification), bit by bit: only small chunks are written here.
fn checksum(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 };
    let fold = |crc: u32, &byte: &u8| (0..8).fold(crc ^ u32::from(byte), |crc, _: u8| step(crc));
    !bytes.iter().fold(u32::MAX, fold)
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
