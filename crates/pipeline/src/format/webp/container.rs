//! The chunks of a WebP, which is a RIFF file (Google's 'WebP Container Specification').

use crate::format::checked_slice::{array, corrupt, slice, truncated};
use crate::format::survey::Survey;
use crate::job::{Fault, Limits, at_most};
use crate::raster::index;
use words::dimensions::Dimensions;

const FLAG_XMP: u8 = 0x04;
const FLAG_EXIF: u8 = 0x08;
const FLAG_ALPHA: u8 = 0x10;
const FLAG_PROFILE: u8 = 0x20;
const KEPT: [&[u8; 4]; 7] = [b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"];

struct Chunk<'a> {
    kind: &'a [u8; 4],
    payload: &'a [u8],
}

/// The chunks of a list; `what` names it in the fault of a list that ends too early.
fn chunks<'a>(list: &'a [u8], what: &str) -> Result<Vec<Chunk<'a>>, Fault> {
    let mut at = 0;
    let mut chunks = Vec::new();
    while at < list.len() {
        let head = slice(list, at, 8, what)?;
        let kind = head[..4].try_into().map_err(|_| truncated(what))?;
        let length = index(u32::from_le_bytes(array(head, 4, what)?));
        let payload = slice(list, at + 8, length, what)?;
        chunks.push(Chunk { kind, payload });
        // Chunks are padded to even lengths; some writers leave out the last padding byte.
        at += 8 + length + length % 2;
    }
    Ok(chunks)
}

/// The top-level chunks of the file.
fn file(bytes: &[u8]) -> Result<Vec<Chunk<'_>>, Fault> {
    let head = slice(bytes, 0, 12, "the RIFF header")?;
    if !head.starts_with(b"RIFF") || !head.ends_with(b"WEBP") {
        return Err(corrupt("there is no WebP header"));
    }
    let length = index(u32::from_le_bytes(array(head, 4, "the RIFF header")?));
    let body = slice(bytes, 8, length, "the RIFF chunk")?;
    chunks(body.get(4..).unwrap_or_default(), "a chunk")
}

pub fn survey(bytes: &[u8], limits: &Limits) -> Result<Survey, Fault> {
    let chunks = file(bytes)?;
    let find = |kind: &[u8; 4]| chunks.iter().find(|chunk| chunk.kind == kind);
    let frames: Vec<_> = chunks.iter().filter(|chunk| chunk.kind == b"ANMF").collect();
    let pixels = chunks.iter().find(|chunk| matches!(chunk.kind, b"VP8 " | b"VP8L"));
    let size = match (find(b"VP8X"), pixels) {
        (Some(extended), _) => canvas(extended.payload)?,
        (None, Some(pixels)) => stream_size(pixels)?,
        (None, None) => return Err(corrupt("there is no image in the file")),
    };
    if frames.is_empty() && pixels.is_none() {
        return Err(corrupt("there is no image in the file"));
    }
    let profile = find(b"ICCP").map(|chunk| chunk.payload.to_vec());
    let length = profile.as_ref().map_or(0, Vec::len);
    at_most("bytes of colour profile", length as u64, limits.max_metadata)?;
    let exif = find(b"EXIF").map(|chunk| chunk.payload);
    let exif = exif.map(|exif| exif.strip_prefix(b"Exif\0\0").unwrap_or(exif).to_vec());
    let frames = u32::try_from(frames.len().max(1)).unwrap_or(u32::MAX);
    Ok(Survey { frames, exif, profile, ..Survey::of_size(size) })
}

/// The canvas size in a VP8X chunk: two 24-bit numbers, each one less than the side.
fn canvas(extended: &[u8]) -> Result<Dimensions, Fault> {
    let [w0, w1, w2, h0, h1, h2] = array(extended, 4, "VP8X")?;
    let side = |low, middle, high| u32::from_le_bytes([low, middle, high, 0]) + 1;
    Ok(Dimensions::new(side(w0, w1, w2), side(h0, h1, h2)))
}

/// The size in the header of a VP8 key frame (RFC 6386, 9.1) or of a lossless stream.
fn stream_size(chunk: &Chunk<'_>) -> Result<Dimensions, Fault> {
    if chunk.kind == b"VP8L" {
        let [signature, b0, b1, b2, b3] = array(chunk.payload, 0, "the lossless header")?;
        if signature != 0x2F {
            return Err(corrupt("the lossless stream has no signature"));
        }
        let bits = u32::from_le_bytes([b0, b1, b2, b3]);
        return Ok(Dimensions::new((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1));
    }
    let [_, _, _, s0, s1, s2, w0, w1, h0, h1] = array(chunk.payload, 0, "the VP8 header")?;
    if [s0, s1, s2] != [0x9D, 0x01, 0x2A] {
        return Err(corrupt("the VP8 stream has no start code"));
    }
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
    Ok(Dimensions::new(side(w0, w1), side(h0, h1)))
}

pub fn strip(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut out = start(bytes.len());
    for chunk in file(bytes)? {
        if !KEPT.contains(&chunk.kind) {
            continue;
        }
        let at = append(&mut out, *chunk.kind, chunk.payload);
        if chunk.kind == b"VP8X"
            && let Some(flags) = out.get_mut(at)
        {
            *flags &= !(FLAG_EXIF | FLAG_XMP);
        }
    }
    Ok(finish(out))
}

/// Puts the structure behind the pixels, where the specification has it. A simple file becomes an extended one for it.
pub fn with_exif(bytes: &[u8], structure: &[u8]) -> Result<Vec<u8>, Fault> {
    let chunks = file(bytes)?;
    let mut out = start(bytes.len() + structure.len());
    if chunks.first().is_none_or(|chunk| chunk.kind != b"VP8X") {
        append(&mut out, *b"VP8X", &extended(&chunks)?);
    }
    for chunk in &chunks {
        let at = append(&mut out, *chunk.kind, chunk.payload);
        if chunk.kind == b"VP8X"
            && let Some(flags) = out.get_mut(at)
        {
            *flags |= FLAG_EXIF;
        }
    }
    append(&mut out, *b"EXIF", structure);
    Ok(finish(out))
}

/// The VP8X chunk that makes an extended file of a simple one.
fn extended(chunks: &[Chunk<'_>]) -> Result<[u8; 10], Fault> {
    let pixels = chunks.iter().find(|chunk| matches!(chunk.kind, b"VP8 " | b"VP8L"));
    let pixels = pixels.ok_or_else(|| corrupt("there is no image in the file"))?;
    let size = stream_size(pixels)?;
    // Bit 28 of a lossless header says whether alpha is used.
    let transparent =
        pixels.kind == b"VP8L" && pixels.payload.get(4).is_some_and(|byte| byte & 0x10 != 0);
    let profile = chunks.iter().any(|chunk| chunk.kind == b"ICCP");
    let flag = |set: bool, flag| if set { flag } else { 0 };
    let flags = FLAG_EXIF | flag(transparent, FLAG_ALPHA) | flag(profile, FLAG_PROFILE);
    let [w0, w1, w2, _] = (size.width - 1).to_le_bytes();
    let [h0, h1, h2, _] = (size.height - 1).to_le_bytes();
    Ok([flags, 0, 0, 0, w0, w1, w2, h0, h1, h2])
}

fn start(capacity: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(capacity + 32);
    out.extend(b"RIFF\0\0\0\0WEBP");
    out
}

/// Appends a chunk and returns where its payload begins.
fn append(out: &mut Vec<u8>, kind: [u8; 4], payload: &[u8]) -> usize {
    // The payload is from a RIFF file, which is shorter than 4 GiB.
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    out.extend(kind);
    out.extend(length.to_le_bytes());
    let at = out.len();
    out.extend(payload);
    if payload.len() % 2 == 1 {
        out.push(0);
    }
    at
}

fn finish(mut out: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(out.len() - 8).unwrap_or(u32::MAX);
    out[4..8].copy_from_slice(&length.to_le_bytes());
    out
}
