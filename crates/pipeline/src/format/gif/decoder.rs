//! GIF decoding by the `gif` crate, with frames composed as their disposal methods say.

use std::io::Cursor;
use std::num::NonZeroU64;
use std::ops::Range;

use gif::{ColorOutput, DecodeOptions, Decoder, DecodingError, DisposalMethod, MemoryLimit};

use crate::format::codec::{Frame, FrameSink, Picture, Repeat, Source};
use crate::format::survey::{Profile, corrupt};
use crate::job::Fault;
use crate::raster::{Channels, Raster, index};

pub fn verify(source: &Source<'_>) -> Result<Profile, Fault> {
    let mut decoder = open(source, ColorOutput::Indexed)?;
    while decoder.read_next_frame().map_err(|error| fault(&error))?.is_some() {}
    Ok(Profile::Kept)
}

pub fn picture(source: &Source<'_>) -> Result<Picture, Fault> {
    let mut decoder = open(source, ColorOutput::RGBA)?;
    let frame = decoder.read_next_frame().map_err(|error| fault(&error))?;
    let frame = frame.ok_or_else(|| corrupt("there is no image in the file"))?;
    let mut canvas = Raster::blank(source.survey.size, Channels::Rgba);
    draw(&mut canvas, frame);
    Ok(Picture { raster: canvas, profile: None })
}

pub fn frames(source: &Source<'_>, sink: &mut FrameSink<'_>) -> Result<(), Fault> {
    let mut decoder = open(source, ColorOutput::RGBA)?;
    let mut canvas = Raster::blank(source.survey.size, Channels::Rgba);
    while decoder.next_frame_info().map_err(|error| fault(&error))?.is_some() {
        let mut buffer = vec![0; decoder.buffer_size()];
        decoder.read_into_buffer(&mut buffer).map_err(|error| fault(&error))?;
        let info = decoder.current_frame_info();
        let mut frame = info.cloned().unwrap_or_default();
        frame.buffer = buffer.into();
        let saved = (frame.dispose == DisposalMethod::Previous).then(|| canvas.clone());
        draw(&mut canvas, &frame);
        let duration = u32::from(frame.delay) * 10;
        let repeat = match decoder.repeat() {
            gif::Repeat::Infinite => Repeat::Forever,
            // The extension counts repetitions after the first showing.
            gif::Repeat::Finite(more) => Repeat::Times(more.saturating_add(1)),
        };
        sink(Frame { raster: canvas.clone(), duration }, repeat)?;
        match (frame.dispose, saved) {
            (DisposalMethod::Previous, Some(saved)) => canvas = saved,
            (DisposalMethod::Background, _) => clear(&mut canvas, &frame),
            _ => {}
        }
    }
    Ok(())
}

fn open<'a>(source: &Source<'a>, output: ColorOutput) -> Result<Decoder<Cursor<&'a [u8]>>, Fault> {
    let mut options = DecodeOptions::new();
    options.set_color_output(output);
    // A decoder ignores extensions that it does not know (GIF89a, 23).
    options.allow_unknown_blocks(true);
    // No frame comes near this: the survey has compared the size of each with `max_pixels`.
    let bytes = NonZeroU64::new(source.limits.max_pixels.saturating_mul(4));
    options.set_memory_limit(bytes.map_or(MemoryLimit::Unlimited, MemoryLimit::Bytes));
    options.read_info(Cursor::new(source.bytes)).map_err(|error| fault(&error))
}

/// The parts of a frame's rows that lie on the canvas: for each, the range of the canvas's bytes and of the frame's.
fn rows(
    canvas: &Raster,
    frame: &gif::Frame<'_>,
) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + use<> {
    let (pitch, top, left) = (canvas.pitch(), usize::from(frame.top), usize::from(frame.left));
    let (width, height) = (usize::from(frame.width), usize::from(frame.height));
    let visible = width.min(index(canvas.size().width).saturating_sub(left)) * 4;
    let below = if visible == 0 { 0 } else { index(canvas.size().height).saturating_sub(top) };
    (0..height.min(below)).map(move |row| {
        let (to, from) = ((top + row) * pitch + left * 4, row * width * 4);
        (to..to + visible, from..from + visible)
    })
}

fn draw(canvas: &mut Raster, frame: &gif::Frame<'_>) {
    for (to, from) in rows(canvas, frame) {
        let target = canvas.pixels_mut()[to].as_chunks_mut::<4>().0;
        let source = frame.buffer[from].as_chunks::<4>().0;
        for (target, source) in target.iter_mut().zip(source) {
            if source[3] != 0 {
                *target = *source;
            }
        }
    }
}

fn clear(canvas: &mut Raster, frame: &gif::Frame<'_>) {
    for (to, _) in rows(canvas, frame) {
        canvas.pixels_mut()[to].fill(0);
    }
}

/// The fault in an error. The blocks up to the trailer were there: a file that was cut short does not come so far.
fn fault(error: &DecodingError) -> Fault {
    Fault::Corrupt(error.to_string())
}
