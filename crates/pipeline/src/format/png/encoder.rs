//! PNG encoding by the `png` crate: eight bits a channel, never with a palette. The frames of an animation are assembled here,
//! because the crate must know their number before the first one.

use png::{BitDepth, ColorType, EncodingError, SrgbRenderingIntent};

use super::container::{SIGNATURE, chunks, written};
use crate::format::codec::{AnimationEncoder, Frame, Repeat};
use crate::job::Fault;
use crate::raster::{Channels, Raster};
use crate::step::flatten::with_alpha;
use words::dimensions::Dimensions;

/// Encodes a picture in the channels of the raster.
pub fn picture(raster: &Raster) -> Result<Vec<u8>, Fault> {
    let color = match raster.channels() {
        Channels::Gray => ColorType::Grayscale,
        Channels::GrayAlpha => ColorType::GrayscaleAlpha,
        Channels::Rgb => ColorType::Rgb,
        Channels::Rgba => ColorType::Rgba,
        Channels::Cmyk => return Err(Fault::Unsupported("a PNG holds no inks".into())),
    };
    write(raster, color).map_err(|error| Fault::Unsupported(format!("PNG: {error}")))
}

fn write(raster: &Raster, color: ColorType) -> Result<Vec<u8>, EncodingError> {
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, raster.size().width, raster.size().height);
    encoder.set_color(color);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_source_srgb(SrgbRenderingIntent::Perceptual);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(raster.pixels())?;
    writer.finish()?;
    Ok(out)
}

/// An APNG whose frames each fill the canvas. The first one is the default image, too.
pub struct Animation {
    size: Dimensions,
    repeat: Repeat,
    frames: u32,
    /// The number of the next chunk that has one.
    sequence: u32,
    /// The chunks before the first frame.
    head: Vec<u8>,
    /// The chunks of the frames.
    body: Vec<u8>,
}

impl Animation {
    pub fn new(size: Dimensions, repeat: Repeat) -> Self {
        let (head, body) = (SIGNATURE.to_vec(), Vec::new());
        Self { size, repeat, frames: 0, sequence: 0, head, body }
    }

    fn number(&mut self) -> [u8; 4] {
        self.sequence += 1;
        (self.sequence - 1).to_be_bytes()
    }
}

impl AnimationEncoder for Animation {
    fn add(&mut self, frame: Frame) -> Result<(), Fault> {
        let Dimensions { width, height } = self.size;
        if frame.raster.size() != self.size {
            let words =
                format!("a frame of {} in an animation of {}", frame.raster.size(), self.size);
            return Err(Fault::Unsupported(words));
        }
        let coded = picture(&with_alpha(frame.raster))?;
        let millis = u16::try_from(frame.duration).unwrap_or(u16::MAX);
        let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
        // No offset; the time as a fraction of seconds; the canvas stays, and the frame replaces it.
        let control = [
            &self.number()[..],
            &sides,
            &[0; 8],
            &millis.to_be_bytes(),
            &1000_u16.to_be_bytes(),
            &[0; 2],
        ];
        self.body.extend(written(*b"fcTL", &control.concat()));
        for chunk in chunks(&coded)? {
            match (chunk.kind, self.frames) {
                (b"IEND", _) => {}
                (b"IDAT", 0) => self.body.extend(chunk.whole),
                (b"IDAT", _) => {
                    let numbered = [&self.number(), chunk.payload].concat();
                    self.body.extend(written(*b"fdAT", &numbered));
                }
                (_, 0) => self.head.extend(chunk.whole),
                _ => {}
            }
        }
        self.frames += 1;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Vec<u8>, Fault> {
        let times = match self.repeat {
            Repeat::Forever => 0,
            Repeat::Times(times) => u32::from(times),
        };
        let control = [self.frames.to_be_bytes(), times.to_be_bytes()].concat();
        Ok([self.head, written(*b"acTL", &control), self.body, written(*b"IEND", &[])].concat())
    }
}
