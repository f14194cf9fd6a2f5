//! The segments of a JPEG (ITU-T T.81, annex B). Entropy-coded data is skipped to the next marker.

use crate::format::partial::{Found, PARTS_MAX, Partial, Stop};
use crate::format::survey::{Coding, Survey, array, corrupt, slice, truncated};
use crate::job::{Fault, Limits, at_most};
use crate::raster::Channels;
use crate::step::colour::is_profile_of;
use words::dimensions::Dimensions;

pub const SOI: u8 = 0xD8;
pub const EOI: u8 = 0xD9;
pub const SOS: u8 = 0xDA;
pub const APP0: u8 = 0xE0;
const APP1: u8 = 0xE1;
pub const APP2: u8 = 0xE2;
pub const APP14: u8 = 0xEE;
const APP15: u8 = 0xEF;
const COM: u8 = 0xFE;
const EXIF: &[u8; 6] = b"Exif\0\0";
pub const ICC: &[u8] = b"ICC_PROFILE\0";
pub const JFIF: &[u8] = b"JFIF\0";
pub const ADOBE: &[u8] = b"Adobe";
/// A JFIF header without its thumbnail: name, version, density, and a thumbnail of 0x0.
const JFIF_LENGTH: usize = 14;

/// The parts of an ICC profile are numbered by one byte, from 1.
const MAX_PARTS: u64 = 255;

/// Reads the size and the orientation, up to the first scan: EXIF may follow the frame header (B.1), and behind the first scan
/// no viewer looks for it. Bytes between two segments are stepped over, as by libjpeg.
pub fn header(source: &Partial<'_>, found: &mut Found) -> Result<(), Stop> {
    let mut at = 2;
    for _ in 0..PARTS_MAX {
        let [first, code] = source.bytes(at)?;
        let next = match code {
            _ if first != 0xFF => at + 1,
            0xFF => at + 1,
            0x00..=0x01 | 0xD0..=SOI => at + 2,
            EOI | SOS => return Ok(()),
            _ => match u16::from_be_bytes(source.bytes(at + 2)?) {
                0 | 1 => return Err(Stop::Corrupt),
                length => at + 2 + u64::from(length),
            },
        };
        match code {
            _ if first != 0xFF => {}
            // Tables, not frames.
            0xC4 | 0xC8 | 0xCC => {}
            0xC0..=0xCF => {
                let [high, low, wide, narrow] = source.bytes(at + 5)?;
                found.size(u16::from_be_bytes([wide, narrow]), u16::from_be_bytes([high, low]))?;
            }
            APP1 if next >= at + 10 && source.bytes(at + 4)? == *EXIF => {
                found.exif(source, at + 4, next - at - 4)?;
            }
            _ => {}
        }
        at = next;
    }
    Err(Stop::Corrupt)
}

/// One marker with its parameters and, after SOS, its entropy-coded data.
pub struct Segment<'a> {
    pub marker: u8,
    /// Without marker and length.
    pub payload: &'a [u8],
    /// The entropy-coded data behind the header of a scan, restart markers included.
    pub data: &'a [u8],
    /// The whole segment from its marker on, with the data of a scan.
    whole: &'a [u8],
}

/// Calls `visit` with each segment between SOI and EOI.
pub fn walk<'a>(
    bytes: &'a [u8],
    visit: &mut dyn FnMut(Segment<'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    if array::<2>(bytes, 0, "the start of the image")? != [0xFF, SOI] {
        return Err(corrupt("there is no start marker"));
    }
    let mut at = 2;
    loop {
        let (start, marker) = marker_at(bytes, at)?;
        at = start + 2;
        match marker {
            EOI => return Ok(()),
            0x01 | 0xD0..=0xD7 => continue,
            0x00 | SOI => return Err(corrupt("there is a marker where none may be")),
            _ => {}
        }
        let length = usize::from(u16::from_be_bytes(array(bytes, at, "a segment")?));
        if length < 2 {
            return Err(corrupt("a segment is shorter than its length field"));
        }
        let payload = &slice(bytes, at, length, "a segment")?[2..];
        let end = at + length;
        at = if marker == SOS { scan_end(bytes, end)? } else { end };
        visit(Segment { marker, payload, data: &bytes[end..at], whole: &bytes[start..at] })?;
    }
}

/// Where the marker at `at` starts behind fill bytes, and its code.
fn marker_at(bytes: &[u8], mut at: usize) -> Result<(usize, u8), Fault> {
    loop {
        let [first, second] = array(bytes, at, "the segments, before the end marker")?;
        match (first, second) {
            (0xFF, 0xFF) => at += 1,
            (0xFF, marker) => return Ok((at, marker)),
            _ => return Err(corrupt("there are bytes between two segments")),
        }
    }
}

/// Where the entropy-coded data from `at` ends: at the next marker that is neither a restart nor a stuffed byte.
fn scan_end(bytes: &[u8], mut at: usize) -> Result<usize, Fault> {
    loop {
        at += find_ff(bytes.get(at..).unwrap_or_default()).ok_or_else(|| truncated("a scan"))?;
        match bytes.get(at + 1) {
            None => return Err(truncated("a scan")),
            Some(0x00 | 0xD0..=0xD7) => at += 2,
            Some(0xFF) => at += 1,
            Some(_) => return Ok(at),
        }
    }
}

/// Where the first 0xFF is. Looks at 32 bytes in one step, because nearly all bytes of a photo pass here.
fn find_ff(bytes: &[u8]) -> Option<usize> {
    let (chunks, _) = bytes.as_chunks::<32>();
    let has_ff =
        |chunk: &[u8; 32]| chunk.iter().fold(0, |all, &byte| all | u8::from(byte == 0xFF)) > 0;
    let start = 32 * chunks.iter().take_while(|chunk| !has_ff(chunk)).count();
    let found = bytes.get(start..)?.iter().position(|&byte| byte == 0xFF)?;
    Some(start + found)
}

pub fn survey(bytes: &[u8], limits: &Limits) -> Result<Survey, Fault> {
    let mut findings = Findings::default();
    walk(bytes, &mut |segment| findings.note(&segment, limits))?;
    findings.survey()
}

/// The findings in the segments so far.
#[derive(Default)]
struct Findings<'a> {
    frame: Option<Frame>,
    scans: u64,
    profile: IccParts<'a>,
}

impl<'a> Findings<'a> {
    fn note(&mut self, segment: &Segment<'a>, limits: &Limits) -> Result<(), Fault> {
        match segment.marker {
            // Start of frame; 0xC4, 0xC8 and 0xCC are tables.
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                let before = self.frame.replace(Frame::read(segment)?);
                return before.map_or(Ok(()), |_| Err(corrupt("there are two frame headers")));
            }
            SOS => {
                self.scans += 1;
                at_most("scans", self.scans, limits.max_scans.into())?;
                if let Some(frame) = &mut self.frame {
                    frame.note(segment.payload);
                }
            }
            // A profile behind the first scan is not looked for.
            APP2 if self.scans == 0 => {
                if let Some(part) = segment.payload.strip_prefix(ICC) {
                    self.profile.add(part);
                    at_most("parts of colour profile", self.profile.0.len() as u64, MAX_PARTS)?;
                    let length = self.profile.0.iter().map(|part| part.len()).sum::<usize>();
                    at_most("bytes of colour profile", length as u64, limits.max_metadata)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn survey(self) -> Result<Survey, Fault> {
        let frame = self.frame.ok_or_else(|| corrupt("there is no frame header"))?;
        if !frame.unsent.is_empty() {
            return Err(corrupt("a component of the picture has no scan"));
        }
        let profile = match self.profile.joined(frame.components) {
            None if !self.profile.0.is_empty() => {
                return Err(corrupt("the colour profile is broken, or not one of such pixels"));
            }
            profile => profile,
        };
        let coding = if frame.progressive { Coding::Progressive } else { Coding::Plain };
        Ok(Survey { profile, coding, ..Survey::of_size(frame.size) })
    }
}

/// The parts of an ICC profile (ICC.1, annex B.4), each with its number, from 1, and their count before it.
#[derive(Default)]
pub struct IccParts<'a>(Vec<&'a [u8]>);

impl<'a> IccParts<'a> {
    /// Adds the part behind the name of the segment.
    pub fn add(&mut self, part: &'a [u8]) {
        self.0.push(part);
    }

    /// The profile. `None` unless each part is there once, and the profile is one for pixels of so many components.
    pub fn joined(&self, components: u8) -> Option<Vec<u8>> {
        let count = u8::try_from(self.0.len()).ok()?;
        let part = |number| self.0.iter().find_map(|part| part.strip_prefix(&[number, count]));
        let parts: Option<Vec<_>> = (1..=count).map(part).collect();
        let profile = parts?.concat();
        let channels = match components {
            1 => Channels::Gray,
            4 => Channels::Cmyk,
            _ => Channels::Rgb,
        };
        is_profile_of(&profile, channels).then_some(profile)
    }
}

struct Frame {
    size: Dimensions,
    components: u8,
    /// The components of which no scan has sent anything.
    unsent: Vec<u8>,
    progressive: bool,
}

impl Frame {
    /// Errors: `Unsupported` for a JPEG that browsers do not show.
    fn read(segment: &Segment<'_>) -> Result<Self, Fault> {
        let [bits, h1, h0, w1, w0, components] = array(segment.payload, 0, "the frame header")?;
        let kind = match segment.marker {
            _ if bits != 8 => Some("a JPEG of more than 8 bits a sample"),
            0xC3 => Some("a lossless JPEG"),
            0xC9 | 0xCA => Some("a JPEG with arithmetic coding"),
            0xC0..=0xC2 => None,
            _ => Some("a hierarchical JPEG"),
        };
        if let Some(kind) = kind {
            return Err(Fault::Unsupported(format!("{kind}, which browsers do not show")));
        }
        let number = |high, low| u32::from(u16::from_be_bytes([high, low]));
        let progressive = segment.marker == 0xC2;
        let size = Dimensions::new(number(w1, w0), number(h1, h0));
        let entries = segment.payload[6..].as_chunks::<3>().0;
        let unsent = entries.iter().map(|[id, ..]| *id).collect();
        Ok(Self { size, components, unsent, progressive })
    }

    /// Notes the components of a scan.
    fn note(&mut self, header: &[u8]) {
        let count = header.first().copied().unwrap_or_default();
        let selectors = header.get(1..).unwrap_or_default().as_chunks::<2>().0;
        let sent = selectors.iter().take(count.into());
        sent.for_each(|[sent, _]| self.unsent.retain(|id| id != sent));
    }
}

pub fn strip(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut out = Vec::with_capacity(bytes.len());
    out.extend([0xFF, SOI]);
    walk(bytes, &mut |segment| {
        let payload = segment.payload;
        match segment.marker {
            APP0 if payload.starts_with(JFIF) && payload.len() >= JFIF_LENGTH => {
                // Without the thumbnail that may follow, which is metadata.
                out.extend([0xFF, APP0, 0, 16]);
                out.extend(&payload[..JFIF_LENGTH - 2]);
                out.extend([0, 0]);
            }
            APP2 if payload.starts_with(ICC) => out.extend(segment.whole),
            APP14 if payload.starts_with(ADOBE) => out.extend(segment.whole),
            APP0..=APP15 | COM => {}
            _ => out.extend(segment.whole),
        }
        Ok(())
    })?;
    out.extend([0xFF, EOI]);
    Ok(out)
}

/// Puts the structure behind SOI and the JFIF header, which must come first. One too long for a segment is left out.
pub fn with_exif(bytes: &[u8], structure: &[u8]) -> Vec<u8> {
    let Ok(length) = u16::try_from(structure.len() + EXIF.len() + 2) else {
        return bytes.to_vec();
    };
    let at = match bytes.get(2..6) {
        Some(&[0xFF, APP0, high, low]) => 4 + usize::from(u16::from_be_bytes([high, low])),
        _ => 2,
    };
    let (head, tail) = bytes.split_at(at.min(bytes.len()));
    [head, &[0xFF, APP1], &length.to_be_bytes(), EXIF, structure, tail].concat()
}
