//! GIF, still and animated, by the `gif` crate.

mod container;
mod decode;
mod encode;
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
        verify: decode::verify,
        picture: |source, _| decode::picture(source),
        planes: None,
        chroma: None,
        frames: Some(decode::frames),
    },
    encode: Some(Encoder {
        picture: |raster, _| encode::picture(raster),
        planes: PlaneInput::Never,
        qualities: None,
        animation: Some(|size, repeat, _| encode::animation(size, repeat)),
    }),
    turn: None,
};
