//! GIF by the `gif` crate, each frame with colours of its own.
//! Does not know how frames were composed: it takes whole canvases of four channels, opaque or not at all.

use gif::{DisposalMethod, Encoder, EncodingError};

use crate::dimensions::Dimensions;
use crate::pipeline::decode::{Frame, Repeat};
use crate::pipeline::job::Fault;
use crate::pipeline::raster::Raster;

/// Of 1 to 30: the quantiser learns from every tenth pixel.
const QUANTISER_SPEED: i32 = 10;

pub struct Animation {
    encoder: Encoder<Vec<u8>>,
    /// The last frame that came, not yet written: how it is disposed of depends on the next.
    pending: Option<Frame>,
    /// The canvas that stays on the screen below `pending`.
    below: Option<Raster>,
}

impl Animation {
    pub fn new(size: Dimensions, repeat: Repeat) -> Result<Self, Fault> {
        let (width, height) = sides(size)?;
        let mut encoder = Encoder::new(Vec::new(), width, height, &[]).map_err(|e| fault(&e))?;
        match repeat {
            Repeat::Forever => encoder.set_repeat(gif::Repeat::Infinite),
            // The extension counts repetitions after the first showing.
            Repeat::Times(0 | 1) => Ok(()),
            Repeat::Times(times) => encoder.set_repeat(gif::Repeat::Finite(times - 1)),
        }
        .map_err(|error| fault(&error))?;
        Ok(Self { encoder, pending: None, below: None })
    }

    pub fn add(&mut self, frame: Frame) -> Result<(), Fault> {
        match self.pending.replace(frame) {
            Some(before) => self.write(before),
            None => Ok(()),
        }
    }

    pub fn finish(mut self) -> Result<Vec<u8>, Fault> {
        if let Some(last) = self.pending.take() {
            self.write(last)?;
        }
        self.encoder.into_inner().map_err(|error| fault(&error))
    }

    /// A frame may stay on the screen if the next one covers all that it shows; then the next says only what changes.
    fn write(&mut self, frame: Frame) -> Result<(), Fault> {
        let stays = self.pending.as_ref().is_none_or(|next| covers(&next.raster, &frame.raster));
        let (width, height) = sides(frame.raster.size())?;
        let mut pixels = frame.raster.pixels().to_vec();
        if let Some(below) = &self.below {
            drop_unchanged(&mut pixels, below);
        }
        let mut written = gif::Frame::from_rgba_speed(width, height, &mut pixels, QUANTISER_SPEED);
        // Hundredths of a second.
        written.delay = u16::try_from(frame.duration.div_ceil(10)).unwrap_or(u16::MAX);
        written.dispose = if stays { DisposalMethod::Keep } else { DisposalMethod::Background };
        self.encoder.write_frame(&written).map_err(|error| fault(&error))?;
        self.below = stays.then_some(frame.raster);
        Ok(())
    }
}

/// Whether every pixel that `below` shows is shown by `above`, too.
fn covers(above: &Raster, below: &Raster) -> bool {
    let (above, _) = above.pixels().as_chunks::<4>();
    let (below, _) = below.pixels().as_chunks::<4>();
    above.iter().zip(below).all(|(above, below)| above[3] >= below[3])
}

/// Makes transparent what the screen shows already. One pixel stays: a frame of none is no frame to some readers.
fn drop_unchanged(pixels: &mut [u8], below: &Raster) {
    let (below, _) = below.pixels().as_chunks::<4>();
    let (pixels, _) = pixels.as_chunks_mut::<4>();
    for (pixel, below) in pixels.iter_mut().zip(below).skip(1) {
        if pixel == below {
            *pixel = [0; 4];
        }
    }
}

fn sides(size: Dimensions) -> Result<(u16, u16), Fault> {
    let side = |side| {
        let words = || format!("a GIF's side is at most 65535 pixels, this one is {size}");
        u16::try_from(side).map_err(|_| Fault::Unsupported(words()))
    };
    Ok((side(size.width)?, side(size.height)?))
}

fn fault(error: &EncodingError) -> Fault {
    Fault::Unsupported(format!("GIF: {error}"))
}
