//! PNG, by the `png` crate.

mod container;
mod decoder;

use png::{BitDepth, ColorType, EncodingError, SrgbRenderingIntent};

use super::codec::{Codec, Encoder, PlaneInput, Qualities};
use crate::job::Fault;
use crate::raster::{Channels, Raster};
use words::media_type::Format;

pub static CODEC: Codec = Codec {
    format: Format::Png,
    beginnings: &[b"\x89PNG"],
    sniff: |bytes| bytes.starts_with(&container::SIGNATURE),
    header: container::header,
    walk: container::survey,
    strip: container::strip,
    place_exif: Some(container::with_exif),
    verify: decoder::verify,
    picture: |source, _| decoder::picture(source),
    frames: None,
    planar: None,
    encode: Some(Encoder {
        picture: |raster, _| encode(&raster),
        planes: PlaneInput::Never,
        qualities: Qualities::LOSSLESS,
        animation: None,
    }),
};

/// Encodes eight bits a channel, in the channels of the raster, never with a palette.
fn encode(raster: &Raster) -> Result<Vec<u8>, Fault> {
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
