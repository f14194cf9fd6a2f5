//! PNG, by the `png` crate.

mod chromaticity;
pub mod container;
mod decoder;
mod encoder;

use super::codec::{Codec, Encoder, PlaneInput, Qualities};
use words::media_type::Format;

pub static CODEC: Codec = Codec {
    format: Format::Png,
    beginnings: &[b"\x89PNG"],
    sniff: |bytes| bytes.starts_with(&container::SIGNATURE),
    header: container::header,
    walk: container::survey,
    strip: container::strip,
    repaired: |bytes, _| container::repaired(bytes),
    place_exif: Some(container::with_exif),
    verify: decoder::verify,
    picture: |source, _| decoder::picture(source),
    frames: Some(decoder::frames),
    planar: None,
    encode: Some(Encoder {
        picture: |raster, _| encoder::picture(&raster),
        planes: PlaneInput::Never,
        qualities: Qualities::LOSSLESS,
        animation: Some(|size, repeat, _| Ok(Box::new(encoder::Animation::new(size, repeat)))),
    }),
};
