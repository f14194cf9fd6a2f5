//! The chunks of a WebP, which is a RIFF file (Google's 'WebP Container Specification').

use crate::format::partial::{Found, PARTS_MAX, Partial, Stop};
use crate::format::survey::{Survey, array, corrupt, slice, truncated};
use crate::job::{Fault, Limits, at_most};
use crate::raster::index;
use words::dimensions::Dimensions;

const FLAG_XMP: u8 = 0x04;
const FLAG_EXIF: u8 = 0x08;
const FLAG_ALPHA: u8 = 0x10;
const FLAG_PROFILE: u8 = 0x20;
/// The first byte of a lossless stream.
const LOSSLESS: u8 = 0x2F;
/// The bytes behind the frame tag of a VP8 key frame (RFC 6386, 9.1).
const START_CODE: [u8; 3] = [0x9D, 0x01, 0x2A];
const KEPT: [&[u8; 4]; 7] = [b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP"];

/// Reads the size, and the orientation in the EXIF chunk that the flags of an extended file announce.
pub fn header(source: &Partial<'_>, found: &mut Found) -> Result<(), Stop> {
    match &source.bytes::<4>(12)? {
        b"VP8 " => {
            if source.bytes(23)? != START_CODE {
                return Err(Stop::Corrupt);
            }
            let side = |at| Ok(u16::from_le_bytes(source.bytes(at)?) & 0x3FFF);
            found.size(side(26)?, side(28)?)
        }
        b"VP8L" => {
            let [LOSSLESS] = source.bytes(20)? else { return Err(Stop::Corrupt) };
            let size = lossless(source.bytes(21)?);
            found.size(size.width, size.height)
        }
        b"VP8X" => {
            let [flags] = source.bytes(20)?;
            let size = canvas(source.bytes(24)?);
            found.size(size.width, size.height)?;
            if flags & FLAG_EXIF == 0 { Ok(()) } else { header_exif(source, found) }
        }
        _ => Err(Stop::Corrupt),
    }
}

/// Walks the chunks behind VP8X.
fn header_exif(source: &Partial<'_>, found: &mut Found) -> Result<(), Stop> {
    let mut at = 30;
    for _ in 0..PARTS_MAX {
        let length = u64::from(u32::from_le_bytes(source.bytes(at + 4)?));
        if source.bytes(at)? == *b"EXIF" {
            return found.exif(source, at + 8, length);
        }
        at += 8 + length + length % 2;
    }
    Ok(())
}

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
    let frames = chunks.iter().filter(|chunk| chunk.kind == b"ANMF").count();
    let pixels = chunks.iter().find(|chunk| matches!(chunk.kind, b"VP8 " | b"VP8L"));
    let size = match (find(b"VP8X"), pixels) {
        (Some(extended), _) => canvas(array(extended.payload, 4, "VP8X")?),
        (None, Some(pixels)) => stream_size(pixels)?,
        (None, None) => return Err(corrupt("there is no image in the file")),
    };
    if frames == 0 && pixels.is_none() {
        return Err(corrupt("there is no image in the file"));
    }
    let profile = find(b"ICCP").map(|chunk| chunk.payload.to_vec());
    let length = profile.as_ref().map_or(0, Vec::len);
    at_most("bytes of colour profile", length as u64, limits.max_metadata)?;
    let exif = find(b"EXIF").map(|chunk| chunk.payload);
    let exif = exif.map(|exif| exif.strip_prefix(b"Exif\0\0").unwrap_or(exif).to_vec());
    let frames = u32::try_from(frames.max(1)).unwrap_or(u32::MAX);
    Ok(Survey { frames, exif, profile, ..Survey::of_size(size) })
}

/// The canvas size in a VP8X chunk: two 24-bit numbers, each one less than the side.
fn canvas([w0, w1, w2, h0, h1, h2]: [u8; 6]) -> Dimensions {
    let side = |low, middle, high| u32::from_le_bytes([low, middle, high, 0]) + 1;
    Dimensions::new(side(w0, w1, w2), side(h0, h1, h2))
}

/// The size behind the first byte of a lossless stream: two 14-bit numbers, each one less than the side.
fn lossless(bytes: [u8; 4]) -> Dimensions {
    let bits = u32::from_le_bytes(bytes);
    Dimensions::new((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1)
}

/// The size in the header of a VP8 key frame or of a lossless stream.
fn stream_size(chunk: &Chunk<'_>) -> Result<Dimensions, Fault> {
    if chunk.kind == b"VP8L" {
        let [signature, b0, b1, b2, b3] = array(chunk.payload, 0, "the lossless header")?;
        if signature != LOSSLESS {
            return Err(corrupt("the lossless stream has no signature"));
        }
        return Ok(lossless([b0, b1, b2, b3]));
    }
    let [_, _, _, s0, s1, s2, w0, w1, h0, h1] = array(chunk.payload, 0, "the VP8 header")?;
    if [s0, s1, s2] != START_CODE {
        return Err(corrupt("the VP8 stream has no start code"));
    }
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3FFF);
    Ok(Dimensions::new(side(w0, w1), side(h0, h1)))
}

pub fn strip(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut chunks = file(bytes)?;
    chunks.retain(|chunk| KEPT.contains(&chunk.kind));
    Ok(written(&chunks, |flags| flags & !(FLAG_EXIF | FLAG_XMP)))
}

/// Puts the structure behind the pixels, where the specification has it. A simple file becomes an extended one for it.
pub fn with_exif(bytes: &[u8], structure: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut chunks = file(bytes)?;
    let simple = chunks.first().is_none_or(|chunk| chunk.kind != b"VP8X");
    let extended = simple.then(|| extended(&chunks)).transpose()?;
    if let Some(payload) = &extended {
        chunks.insert(0, Chunk { kind: b"VP8X", payload });
    }
    chunks.push(Chunk { kind: b"EXIF", payload: structure });
    Ok(written(&chunks, |flags| flags | FLAG_EXIF))
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
    let flags = flag(transparent, FLAG_ALPHA) | flag(profile, FLAG_PROFILE);
    let [w0, w1, w2, _] = (size.width - 1).to_le_bytes();
    let [h0, h1, h2, _] = (size.height - 1).to_le_bytes();
    Ok([flags, 0, 0, 0, w0, w1, w2, h0, h1, h2])
}

/// The file with these chunks, and with changed flags if it is an extended one.
fn written(chunks: &[Chunk<'_>], change: fn(u8) -> u8) -> Vec<u8> {
    let length: usize = chunks.iter().map(|chunk| chunk.payload.len() + 9).sum();
    let mut out = Vec::with_capacity(12 + length);
    out.extend(b"RIFF\0\0\0\0WEBP");
    for chunk in chunks {
        // The payload is from a RIFF file, which is shorter than 4 GiB.
        let length = u32::try_from(chunk.payload.len()).unwrap_or(u32::MAX);
        out.extend(chunk.kind);
        out.extend(length.to_le_bytes());
        let at = out.len();
        out.extend(chunk.payload);
        if chunk.kind == b"VP8X"
            && let Some(flags) = out.get_mut(at)
        {
            *flags = change(*flags);
        }
        if length % 2 == 1 {
            out.push(0);
        }
    }
    let length = u32::try_from(out.len() - 8).unwrap_or(u32::MAX);
    out[4..8].copy_from_slice(&length.to_le_bytes());
    out
}
