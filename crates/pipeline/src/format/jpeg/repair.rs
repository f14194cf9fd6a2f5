//! Repairing a JPEG whose container has faults: the same coefficients in segments that libjpeg-turbo reads without a warning. A
//! JPEG that browsers do not show is coded anew: one with arithmetic codes without a loss, a lossless one with losses.

use std::ops::Range;

use turbojpeg::{Colorspace, Image, PixelFormat, Subsamp, Transform, Transformer};

use super::coefficients::{Frame, Tables, next_marker};
use super::container::{
    ADOBE, APP0, APP2, APP14, EOI, ICC, IccParts, JFIF, SOI, SOS, header, walk, with_exif,
};
use super::encoder;
use crate::format::codec::{Chroma, Target};
use crate::format::partial::{Found, Partial};
use crate::job::Limits;
use crate::raster::{Channels, Raster, dimensions};
use crate::step::colour::to_srgb;

const DHT: u8 = 0xC4;
const DRI: u8 = 0xDD;

/// The quality of a picture that must be coded anew.
const QUALITY: u8 = 90;

/// The repaired JPEG. `None` if a coefficient is missing or sent twice, or if codes are left over.
pub fn repaired(bytes: &[u8], limits: &Limits) -> Option<Vec<u8>> {
    let frame = Segments::of(bytes)?.find(|(marker, ..)| is_frame(*marker))?;
    match frame {
        (0xC0..=0xC2, ..) => Repair::default().run(bytes, limits),
        (0xC9 | 0xCA, ..) => with_huffman_codes(bytes, limits),
        (0xC3, ..) => with_losses(bytes, limits),
        _ => None,
    }
}

fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xC0..=0xCF) && !matches!(marker, DHT | 0xC8 | 0xCC)
}

/// The segments of a JPEG, without the bytes between them: the marker of each, its payload and its end. A reader of a scan moves
/// on behind its data.
struct Segments<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Segments<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        bytes.starts_with(&[0xFF, SOI]).then_some(Self { bytes, at: 2 })
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = (u8, &'a [u8], usize);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (marker, at) = next_marker(self.bytes, self.at)?;
            self.at = at;
            match marker {
                EOI => return None,
                0xC0..=0xCF | SOS..=0xEF | 0xFE => {}
                // Markers without a length, and some that no JPEG has.
                _ => continue,
            }
            let length = self.bytes.get(at..)?.first_chunk::<2>()?;
            let length = usize::from(u16::from_be_bytes(*length));
            let payload = self.bytes.get(at + 2..at + length)?;
            self.at = at + length;
            return Some((marker, payload, self.at));
        }
    }
}

/// A JPEG that is written segment by segment.
#[derive(Default)]
struct Repair<'a> {
    out: Vec<u8>,
    frame: Option<(Frame, u8)>,
    tables: Tables,
    scans: u32,
    profile: IccParts<'a>,
    /// Where the parts of the profile are in `out`.
    parts: Vec<Range<usize>>,
}

impl<'a> Repair<'a> {
    fn run(mut self, bytes: &'a [u8], limits: &Limits) -> Option<Vec<u8>> {
        self.out.extend([0xFF, SOI]);
        let mut segments = Segments::of(bytes)?;
        while !self.frame.as_ref().is_some_and(|(frame, _)| frame.is_complete()) {
            let (marker, payload, end) = segments.next()?;
            match marker {
                SOS => segments.at = self.scan(payload, (bytes, end), limits)?,
                _ => self.segment(marker, payload, limits)?,
            }
        }
        // A file that ends within its end marker was cut short by whoever sent it.
        bytes.get(segments.at..).filter(|rest| *rest != [0xFF])?;
        let (_, components) = self.frame?;
        if self.profile.joined(components).is_none() {
            for part in self.parts.into_iter().rev() {
                self.out.drain(part);
            }
        }
        self.out.extend([0xFF, EOI]);
        Some(self.out)
    }

    fn segment(&mut self, marker: u8, payload: &'a [u8], limits: &Limits) -> Option<()> {
        let start = self.out.len();
        match marker {
            marker if is_frame(marker) => {
                self.frame.is_none().then_some(())?;
                let frame = Frame::read(marker == 0xC2, payload, limits)?;
                self.frame = Some((frame, *payload.get(5)?));
            }
            DHT => self.tables.note(payload)?,
            DRI => self.tables.interval = u16::from_be_bytes(payload.try_into().ok()?).into(),
            // The number of lines, which the frame header has as well, and parts of hierarchical JPEGs.
            0xDC | 0xDE | 0xDF => return Some(()),
            _ => {}
        }
        self.put(marker, payload)?;
        let body = &mut self.out[start + 4..];
        match marker {
            // libjpeg warns of any version but 1.
            APP0 if body.starts_with(JFIF) && body.len() > JFIF.len() => body[JFIF.len()] = 1,
            // It warns of transforms that Adobe has not defined, and takes the usual one.
            APP14 if body.starts_with(ADOBE) && body.len() > 11 => {
                let four = self.frame.as_ref().is_some_and(|(_, components)| *components == 4);
                body[11] = if body[11] > 2 { 1 + u8::from(four) } else { body[11] };
            }
            APP2 if self.scans == 0 => {
                if let Some(part) = payload.strip_prefix(ICC) {
                    self.profile.add(part);
                    self.parts.push(start..self.out.len());
                }
            }
            _ => {}
        }
        Some(())
    }

    /// Takes a scan. Returns where its data ends.
    fn scan(&mut self, payload: &[u8], data: (&[u8], usize), limits: &Limits) -> Option<usize> {
        self.scans += 1;
        (self.scans <= limits.max_scans).then_some(())?;
        if self.tables.dc.iter().chain(&self.tables.ac).all(Option::is_none) {
            // A picture of a film (Motion JPEG) may leave out the usual tables.
            for table in usual_tables()? {
                self.tables.note(&table)?;
                self.put(DHT, &table)?;
            }
        }
        let scan = self.frame.as_ref()?.0.scan(payload)?;
        let mut payload = payload.to_vec();
        let parameters = payload.len().checked_sub(3)?;
        payload[parameters..].copy_from_slice(&scan.parameters());
        self.put(SOS, &payload)?;
        self.frame.as_mut()?.0.walk(&scan, &self.tables, data, &mut self.out)
    }

    fn put(&mut self, marker: u8, payload: &[u8]) -> Option<()> {
        let length = u16::try_from(payload.len() + 2).ok()?;
        self.out.extend([0xFF, marker]);
        self.out.extend(length.to_be_bytes());
        self.out.extend(payload);
        Some(())
    }
}

/// The Huffman tables of T.81, annex K.3, which libjpeg-turbo writes unless it is to optimise them.
fn usual_tables() -> Option<Vec<Vec<u8>>> {
    let image = Image {
        pixels: [0; 3].as_slice(),
        width: 1,
        pitch: 3,
        height: 1,
        format: PixelFormat::RGB,
    };
    let picture = turbojpeg::compress(image, QUALITY.into(), Subsamp::None).ok()?;
    Some(
        Segments::of(&picture)?
            .filter(|(marker, ..)| *marker == DHT)
            .map(|(_, it, _)| it.to_vec())
            .collect(),
    )
}

/// Codes the coefficients anew, in Huffman codes.
fn with_huffman_codes(bytes: &[u8], limits: &Limits) -> Option<Vec<u8>> {
    findings(bytes, limits)?;
    let mut transform = Transform::default();
    transform.optimize = true;
    Transformer::new().ok()?.transform_to_vec(&transform, bytes).ok()
}

/// The pixels of a lossless JPEG, in sRGB, with its EXIF.
fn with_losses(bytes: &[u8], limits: &Limits) -> Option<Vec<u8>> {
    let found = findings(bytes, limits)?;
    let mut profile = IccParts::default();
    let segments = Segments::of(bytes)?.take_while(|(marker, ..)| *marker != SOS);
    let parts = segments.filter(|(marker, ..)| *marker == APP2);
    parts.filter_map(|(_, it, _)| it.strip_prefix(ICC)).for_each(|part| profile.add(part));
    let gray = turbojpeg::read_header(bytes).ok()?.colorspace == Colorspace::Gray;
    let (format, channels) =
        if gray { (PixelFormat::GRAY, Channels::Gray) } else { (PixelFormat::RGB, Channels::Rgb) };
    let image = turbojpeg::decompress(bytes, format).ok()?;
    let size = dimensions((image.width, image.height));
    let raster = Raster::new(size, channels, image.pixels).ok()?;
    let components = u8::try_from(channels.count()).ok()?;
    let raster = to_srgb(raster, profile.joined(components).as_deref()).ok()?;
    let target = Target { chroma: Chroma::Full, ..Target::of(QUALITY) };
    let coded = encoder::picture(raster, target).ok()?;
    Some(match found.exif_of(bytes) {
        Some(structure) => with_exif(&coded, structure),
        None => coded,
    })
}

/// The findings in the header of a picture that has neither too many pixels nor too many scans.
fn findings(bytes: &[u8], limits: &Limits) -> Option<Found> {
    let mut scans = 0;
    let counted = walk(bytes, &mut |segment| {
        scans += u32::from(segment.marker == SOS);
        Ok(())
    });
    let mut found = Found::default();
    let _ = header(&Partial { head: bytes, file: None }, &mut found);
    let small = found.shown()?.pixels() <= limits.max_pixels && scans <= limits.max_scans;
    (counted.is_ok() && small).then_some(found)
}
