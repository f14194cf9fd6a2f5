//! AVIF: a HEIF container whose pictures are AV1. Decoded by rav1d, encoded by ravif; animations are not read.

mod av1;
pub mod container;
mod decoder;
pub mod plan;

use ravif::{Img, RGB8, RGBA8};

use super::codec::{Codec, Encoder, PlaneInput, Qualities, Target};
use super::heif;
use super::survey::Profile;
use crate::job::Fault;
use crate::raster::{Channels, Raster, index};
use crate::step::flatten::gray_to_rgb;
use words::media_type::Format;

/// The fastest of 1 to 10: slower ones cost more time than they save in bytes.
const SPEED: u8 = 10;

pub static CODEC: Codec = Codec {
    format: Format::Avif,
    // The length of the first box, which is far below 2^24.
    beginnings: &[b"\0\0\0"],
    sniff: |bytes| heif::is_image_of(bytes, &[b"avif", b"avis"]),
    header: container::header,
    walk: container::survey,
    strip: |bytes, _| container::strip(bytes),
    repaired: |_, _| None,
    place_exif: None,
    verify: |source| decoder::picture(source).map(|_| Profile::Kept),
    picture: |source, _| decoder::picture(source),
    frames: None,
    planar: None,
    encode: Some(Encoder {
        picture: encode,
        planes: PlaneInput::Never,
        qualities: Qualities { stored: 65, variant: 60 },
        animation: None,
    }),
};

/// Encodes on the calling thread alone: workers run in parallel instead.
fn encode(raster: Raster, target: Target) -> Result<Vec<u8>, Fault> {
    let raster = gray_to_rgb(raster);
    let (width, height) = (index(raster.size().width), index(raster.size().height));
    let encoder = ravif::Encoder::new()
        .with_quality(target.quality.into())
        .with_alpha_quality(target.quality.into())
        .with_speed(SPEED)
        .with_num_threads(Some(1));
    let result = if raster.channels() == Channels::Rgba {
        let (pixels, _) = raster.pixels().as_chunks::<4>();
        let pixels: Vec<_> = pixels.iter().map(|&[r, g, b, a]| RGBA8::new(r, g, b, a)).collect();
        encoder.encode_rgba(Img::new(pixels.as_slice(), width, height))
    } else {
        let (pixels, _) = raster.pixels().as_chunks::<3>();
        let pixels: Vec<_> = pixels.iter().map(|&[r, g, b]| RGB8::new(r, g, b)).collect();
        encoder.encode_rgb(Img::new(pixels.as_slice(), width, height))
    };
    let image = result.map_err(|error| Fault::Unsupported(format!("AVIF: {error}")))?;
    Ok(image.avif_file)
}
