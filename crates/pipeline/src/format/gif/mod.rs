//! GIF, still and animated, by the `gif` crate.

mod container;
mod decoder;
mod encoder;

use super::codec::{Codec, Encoder, PlaneInput, Qualities};
use words::media_type::Format;

pub static CODEC: Codec = Codec {
    format: Format::Gif,
    beginnings: &[b"GIF8"],
    sniff: |bytes| bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a"),
    header: container::header,
    walk: container::survey,
    strip: |bytes, _| container::strip(bytes),
    repaired: |bytes, _| container::repaired(bytes),
    place_exif: None,
    verify: decoder::verify,
    picture: |source, _| decoder::picture(source),
    frames: Some(decoder::frames),
    planar: None,
    encode: Some(Encoder {
        picture: |raster, _| encoder::picture(raster),
        planes: PlaneInput::Never,
        qualities: Qualities::LOSSLESS,
        animation: Some(|size, repeat, _| encoder::animation(size, repeat)),
    }),
};
