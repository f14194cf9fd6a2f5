//! GIF, still and animated, by the `gif` crate.

mod container;
mod decoder;
mod encoder;
mod header;

use super::codec::{Codec, Container, Decoder, Encoder, PlaneInput};
use words::media_type::Format;

pub static CODEC: Codec = Codec {
    format: Format::Gif,
    beginnings: &[b"GIF8"],
    sniff: |bytes| bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a"),
    header: header::read,
    container: Container {
        survey: container::survey,
        strip: |bytes, _| container::strip(bytes),
        with_exif: None,
    },
    decode: Decoder {
        verify: decoder::verify,
        picture: |source, _| decoder::picture(source),
        planes: None,
        chroma: None,
        frames: Some(decoder::frames),
    },
    encode: Some(Encoder {
        picture: |raster, _| encoder::picture(raster),
        planes: PlaneInput::Never,
        qualities: None,
        animation: Some(|size, repeat, _| encoder::animation(size, repeat)),
    }),
    turn: None,
};
