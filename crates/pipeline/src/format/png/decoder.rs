//! PNG decoding by the `png` crate, with every checksum. 16 bits a channel become 8. The picture of an APNG is its default
//! image, which every reader shows.

use std::io::Cursor;

use png::{
    BlendOp, ColorType, DecodeOptions, Decoder, DecodingError, DisposeOp, FrameControl, Info,
    Reader, Transformations,
};

use super::chromaticity::profile;
use super::container::chunks;
use crate::format::codec::{Frame, FrameSink, Picture, Repeat, Source};
use crate::format::survey::Profile;
use crate::job::Fault;
use crate::raster::{Channels, Raster, index, length};
use crate::step::colour::{is_profile_of, to_srgb};
use crate::step::flatten::with_alpha;
use words::dimensions::Dimensions;

/// Reads all frames row by row, so that no whole picture is in memory.
pub fn verify(source: &Source<'_>) -> Result<Profile, Fault> {
    let mut reader = open(source)?;
    for frame in 0..pictures(&reader) {
        if frame > 0 {
            reader.next_frame_info().map_err(|error| fault(&error))?;
        }
        while reader.next_row().map_err(|error| fault(&error))?.is_some() {}
    }
    reader.finish().map_err(|error| fault(&error))?;
    // A profile that cannot be used, or that stands behind the pixels, is none to every reader.
    let there = chunks(source.bytes)?.iter().any(|chunk| chunk.kind == b"iCCP");
    let dropped = there && icc(&reader, source).is_none();
    Ok(if dropped { Profile::Dropped } else { Profile::Kept })
}

pub fn picture(source: &Source<'_>) -> Result<Picture, Fault> {
    let mut reader = open(source)?;
    let raster = next(&mut reader, source)?;
    if source.survey.frames == 1 {
        reader.finish().map_err(|error| fault(&error))?;
    }
    let profile = profile(reader.info(), raster.channels(), icc(&reader, source));
    Ok(Picture { raster, profile })
}

/// Composes the frames of an APNG, each in sRGB. A default image without a control chunk is none of them.
pub fn frames(source: &Source<'_>, sink: &mut FrameSink<'_>) -> Result<(), Fault> {
    let mut reader = open(source)?;
    if reader.info().frame_control.is_none() {
        next(&mut reader, source)?;
    }
    let mut canvas = Raster::blank(source.survey.size, Channels::Rgba);
    for number in 0..source.survey.frames {
        let frame = next(&mut reader, source)?;
        let missing = || Fault::Corrupt("a frame has no control chunk".into());
        let control = reader.info().frame_control.ok_or_else(missing)?;
        let profile = profile(reader.info(), frame.channels(), icc(&reader, source));
        let part = Part {
            left: index(control.x_offset),
            top: index(control.y_offset),
            size: frame.size(),
        };
        // There is nothing before the first frame.
        let back = control.dispose_op == DisposeOp::Previous && number > 0;
        let saved = back.then(|| canvas.clone());
        part.draw(&with_alpha(to_srgb(frame, profile.as_deref())?), control.blend_op, &mut canvas);
        sink(Frame { raster: canvas.clone(), duration: millis(&control) }, repeat(reader.info()))?;
        match (control.dispose_op, saved) {
            (DisposeOp::None, _) => {}
            (_, Some(saved)) => canvas = saved,
            (_, None) => part.clear(&mut canvas),
        }
    }
    Ok(())
}

/// The next picture of the file, of its own size.
fn next(reader: &mut Reader<Cursor<&[u8]>>, source: &Source<'_>) -> Result<Raster, Fault> {
    let channels = match reader.output_color_type().0 {
        ColorType::Grayscale => Channels::Gray,
        ColorType::GrayscaleAlpha => Channels::GrayAlpha,
        ColorType::Rgb => Channels::Rgb,
        ColorType::Rgba => Channels::Rgba,
        ColorType::Indexed => return Err(Fault::Corrupt("the palette is missing".into())),
    };
    let mut pixels = vec![0; length(source.survey.size, channels)];
    let found = reader.next_frame(&mut pixels).map_err(|error| fault(&error))?;
    pixels.truncate(found.buffer_size());
    Raster::new(Dimensions::new(found.width, found.height), channels, pixels)
}

fn millis(control: &FrameControl) -> u32 {
    // A denominator of zero stands for hundredths of a second.
    let parts = if control.delay_den == 0 { 100 } else { control.delay_den };
    u32::from(control.delay_num) * 1000 / u32::from(parts)
}

fn repeat(info: &Info<'_>) -> Repeat {
    match info.animation_control.map_or(0, |control| control.num_plays) {
        0 => Repeat::Forever,
        times => Repeat::Times(u16::try_from(times).unwrap_or(u16::MAX)),
    }
}

/// The part of the canvas that a frame covers. The decoder has checked that it lies inside.
struct Part {
    left: usize,
    top: usize,
    size: Dimensions,
}

impl Part {
    /// The rows of the part in the canvas.
    fn rows<'c>(&self, canvas: &'c mut Raster) -> impl Iterator<Item = &'c mut [[u8; 4]]> {
        let (pitch, left, width) = (canvas.pitch(), self.left, index(self.size.width));
        let rows = canvas.pixels_mut().chunks_exact_mut(pitch);
        let rows = rows.skip(self.top).take(index(self.size.height));
        rows.filter_map(move |row| row.as_chunks_mut::<4>().0.get_mut(left..left + width))
    }

    fn draw(&self, frame: &Raster, blend: BlendOp, canvas: &mut Raster) {
        let sources = frame.pixels().chunks_exact(frame.pitch());
        for (target, source) in self.rows(canvas).zip(sources) {
            for (below, above) in target.iter_mut().zip(source.as_chunks::<4>().0) {
                *below = if blend == BlendOp::Source { *above } else { over(*above, *below) };
            }
        }
    }

    fn clear(&self, canvas: &mut Raster) {
        self.rows(canvas).for_each(|row| row.fill([0; 4]));
    }
}

/// The one pixel over the other, neither multiplied by its alpha.
fn over(above: [u8; 4], below: [u8; 4]) -> [u8; 4] {
    let [front, back] = [above, below].map(|pixel| u32::from(pixel[3]));
    let behind = back * (255 - front);
    let alpha = front * 255 + behind;
    let mix = |at: usize| {
        let sum = u32::from(above[at]) * front * 255 + u32::from(below[at]) * behind;
        u8::try_from((sum + alpha / 2) / alpha.max(1)).unwrap_or(u8::MAX)
    };
    [mix(0), mix(1), mix(2), u8::try_from((alpha + 127) / 255).unwrap_or(u8::MAX)]
}

fn open<'a>(source: &Source<'a>) -> Result<Reader<Cursor<&'a [u8]>>, Fault> {
    let mut options = DecodeOptions::default();
    options.set_ignore_text_chunk(true);
    options.set_skip_ancillary_crc_failures(false);
    options.set_ignore_adler32(false);
    let mut decoder = Decoder::new_with_options(Cursor::new(source.bytes), options);
    decoder.set_limits(png::Limits { bytes: allowance(source) });
    decoder.set_transformations(Transformations::normalize_to_color8());
    decoder.read_info().map_err(|error| fault(&error))
}

/// How many bytes the decoder may allocate beside the pixels: for an ICC profile, and for a row of each frame.
fn allowance(source: &Source<'_>) -> usize {
    let metadata = usize::try_from(source.limits.max_metadata).unwrap_or(usize::MAX);
    let row = index(source.survey.size.width).saturating_mul(8);
    let rows = row.saturating_mul(index(source.survey.frames).saturating_add(1));
    metadata.saturating_add(rows)
}

/// How many pictures the file holds. The default image need not be a frame of the animation.
fn pictures(reader: &Reader<Cursor<&[u8]>>) -> u32 {
    let info = reader.info();
    match info.animation_control {
        None => 1,
        Some(control) if info.frame_control.is_none() => control.num_frames.saturating_add(1),
        Some(control) => control.num_frames,
    }
}

/// The ICC profile. `None` also for one that is larger than metadata may be, cannot be inflated, or is not one of such pixels.
fn icc(reader: &Reader<Cursor<&[u8]>>, source: &Source<'_>) -> Option<Vec<u8>> {
    let info = reader.info();
    let profile = info.icc_profile.as_ref().map(|profile| profile.to_vec());
    let gray = matches!(info.color_type, ColorType::Grayscale | ColorType::GrayscaleAlpha);
    let channels = if gray { Channels::Gray } else { Channels::Rgb };
    let small = |profile: &Vec<u8>| profile.len() as u64 <= source.limits.max_metadata;
    profile.filter(|profile| small(profile) && is_profile_of(profile, channels))
}

/// The fault in an error. The chunks up to the end were there: a file that was cut short does not come so far.
fn fault(error: &DecodingError) -> Fault {
    Fault::Corrupt(error.to_string())
}
