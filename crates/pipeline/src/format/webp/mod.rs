//! WebP, still and animated, by libwebp.

mod container;
mod decode;
mod encode;
mod header;
mod libwebp;

use super::codec::{Codec, Container, Decoder, Encoder, PlaneInput};
use super::target::Qualities;
use words::media_type::Format;

pub static CODEC: Codec = Codec {
    format: Format::Webp,
    beginnings: &[b"RIFF"],
    sniff: |bytes| bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP"),
    header: header::read,
    container: Container {
        survey: container::survey,
        strip: |bytes, _| container::strip(bytes),
        with_exif: Some(container::with_exif),
    },
    decode: Decoder {
        verify: decode::verify,
        picture: |source, _| decode::picture(source),
        planes: None,
        chroma: None,
        frames: Some(decode::frames),
    },
    encode: Some(Encoder {
        picture: encode::picture,
        planes: PlaneInput::AsRgb,
        qualities: Some(Qualities { stored: 85, variant: 80 }),
        animation: Some(encode::animation),
    }),
    turn: None,
};
