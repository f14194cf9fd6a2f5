//! PNG encoding by the `png` crate: eight bits a channel, in the channels of the raster, never with a palette.

use png::{BitDepth, ColorType, Encoder, EncodingError, SrgbRenderingIntent};

use crate::job::Fault;
use crate::raster::{Channels, Raster};

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
    let mut encoder = Encoder::new(&mut out, raster.size().width, raster.size().height);
    encoder.set_color(color);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_source_srgb(SrgbRenderingIntent::Perceptual);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(raster.pixels())?;
    writer.finish()?;
    Ok(out)
}
