//! GIF encoding by the `gif` crate, each frame with a palette of its own.

use gif::{DisposalMethod, Encoder, EncodingError};

use crate::format::codec::{AnimationEncoder, Frame, Repeat};
use crate::job::Fault;
use crate::raster::Raster;
use crate::step::flatten::with_binary_alpha;
use words::dimensions::Dimensions;

/// Of 1 to 30: the quantiser learns from every tenth pixel.
const QUANTISER_SPEED: i32 = 10;

pub fn picture(raster: Raster) -> Result<Vec<u8>, Fault> {
    let mut animation = animation(raster.size(), Repeat::Times(1))?;
    animation.add(Frame { raster, duration: 0 })?;
    animation.finish()
}

pub fn animation(size: Dimensions, repeat: Repeat) -> Result<Box<dyn AnimationEncoder>, Fault> {
    let (width, height) = sides(size)?;
    let mut encoder =
        Encoder::new(Vec::new(), width, height, &[]).map_err(|error| fault(&error))?;
    match repeat {
        Repeat::Forever => encoder.set_repeat(gif::Repeat::Infinite),
        // The extension counts repetitions after the first showing.
        Repeat::Times(0 | 1) => Ok(()),
        Repeat::Times(times) => encoder.set_repeat(gif::Repeat::Finite(times - 1)),
    }
    .map_err(|error| fault(&error))?;
    Ok(Box::new(Animation { encoder, pending: None, below: None }))
}

struct Animation {
    encoder: Encoder<Vec<u8>>,
    /// The frame that came last, not yet written: its disposal method depends on the next one.
    pending: Option<Frame>,
    /// The canvas that stays on the screen below `pending`.
    below: Option<Raster>,
}

impl AnimationEncoder for Animation {
    fn add(&mut self, frame: Frame) -> Result<(), Fault> {
        let frame = Frame { raster: with_binary_alpha(frame.raster), ..frame };
        match self.pending.replace(frame) {
            Some(before) => self.write(before),
            None => Ok(()),
        }
    }

    fn finish(mut self: Box<Self>) -> Result<Vec<u8>, Fault> {
        if let Some(last) = self.pending.take() {
            self.write(last)?;
        }
        self.encoder.into_inner().map_err(|error| fault(&error))
    }
}

impl Animation {
    /// Writes a frame. It stays on the screen if the next one covers all that it shows; then only changes are written of the
    /// next.
    fn write(&mut self, frame: Frame) -> Result<(), Fault> {
        let stays = self.pending.as_ref().is_none_or(|next| covers(&next.raster, &frame.raster));
        let (width, height) = sides(frame.raster.size())?;
        let mut pixels = frame.raster.pixels().to_vec();
        if let Some(below) = &self.below {
            drop_unchanged(&mut pixels, below);
        }
        let mut written = quantised(width, height, &mut pixels);
        // Hundredths of a second.
        written.delay = u16::try_from(frame.duration.div_ceil(10)).unwrap_or(u16::MAX);
        written.dispose = if stays { DisposalMethod::Keep } else { DisposalMethod::Background };
        self.encoder.write_frame(&written).map_err(|error| fault(&error))?;
        self.below = stays.then_some(frame.raster);
        Ok(())
    }
}

/// Whether `above` is opaque wherever `below` is.
fn covers(above: &Raster, below: &Raster) -> bool {
    let (above, _) = above.pixels().as_chunks::<4>();
    let (below, _) = below.pixels().as_chunks::<4>();
    above.iter().zip(below).all(|(above, below)| above[3] >= below[3])
}

/// Makes pixels transparent that the screen shows already. The first one stays: some readers drop an empty frame.
fn drop_unchanged(pixels: &mut [u8], below: &Raster) {
    let (below, _) = below.pixels().as_chunks::<4>();
    let (pixels, _) = pixels.as_chunks_mut::<4>();
    for (pixel, below) in pixels.iter_mut().zip(below).skip(1) {
        if pixel == below {
            *pixel = [0; 4];
        }
    }
}

/// Quantises the opaque pixels and gives transparent ones a palette index of their own. The quantiser itself would make opaque
/// pixels transparent that are like the transparent ones.
fn quantised(width: u16, height: u16, pixels: &mut [u8]) -> gif::Frame<'static> {
    let (chunks, _) = pixels.as_chunks_mut::<4>();
    let holes: Vec<bool> = chunks.iter().map(|pixel| pixel[3] == 0).collect();
    let filler = chunks.iter().find(|pixel| pixel[3] != 0).copied().unwrap_or([0, 0, 0, 255]);
    let transparent = chunks.iter_mut().filter(|pixel| pixel[3] == 0);
    transparent.for_each(|pixel| *pixel = filler);
    let mut frame = gif::Frame::from_rgba_speed(width, height, pixels, QUANTISER_SPEED);
    if holes.contains(&true) {
        let indices = frame.buffer.to_mut();
        let hole = free_index(frame.palette.get_or_insert_default(), indices, &holes);
        let empty = indices.iter_mut().zip(&holes).filter(|(_, hole)| **hole);
        empty.for_each(|(index, _)| *index = hole);
        frame.transparent = Some(hole);
    }
    frame
}

/// A palette index for transparency: a new one, or the least used one, whose pixels then get the nearest colour.
fn free_index(palette: &mut Vec<u8>, indices: &mut [u8], holes: &[bool]) -> u8 {
    if let Ok(next) = u8::try_from(palette.len() / 3) {
        palette.extend([0; 3]);
        return next;
    }
    let mut counts = [0_u32; 256];
    let opaque = indices.iter().zip(holes).filter(|(_, hole)| !**hole);
    opaque.for_each(|(index, _)| counts[usize::from(*index)] += 1);
    let free = (0..=u8::MAX).min_by_key(|index| counts[usize::from(*index)]).unwrap_or(0);
    let colour = |index: u8| {
        let at = 3 * usize::from(index);
        [palette[at], palette[at + 1], palette[at + 2]]
    };
    let distance = |index: &u8| {
        let pairs = colour(*index).into_iter().zip(colour(free));
        pairs.map(|(one, other)| u32::from(one.abs_diff(other)).pow(2)).sum::<u32>()
    };
    let alike = (0..=u8::MAX).filter(|index| *index != free).min_by_key(distance).unwrap_or(0);
    indices.iter_mut().filter(|index| **index == free).for_each(|index| *index = alike);
    free
}

fn sides(size: Dimensions) -> Result<(u16, u16), Fault> {
    let number = |side| {
        let words = || format!("a GIF's side is at most 65535 pixels, this one is {size}");
        u16::try_from(side).map_err(|_| Fault::Unsupported(words()))
    };
    Ok((number(size.width)?, number(size.height)?))
}

fn fault(error: &EncodingError) -> Fault {
    Fault::Unsupported(format!("GIF: {error}"))
}
