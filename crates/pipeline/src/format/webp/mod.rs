//! WebP, still and animated, by libwebp.

mod container;
mod decoder;
mod encoder;
mod header;
mod libwebp;

use super::codec::{Codec, Container, Decoder, Encoder, PlaneInput};
use super::encoding::Qualities;
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
        verify: decoder::verify,
        picture: |source, _| decoder::picture(source),
        planes: None,
        chroma: None,
        frames: Some(decoder::frames),
    },
    encode: Some(Encoder {
        picture: encoder::picture,
        planes: PlaneInput::AsRgb,
        qualities: Some(Qualities { stored: 85, variant: 80 }),
        animation: Some(encoder::animation),
    }),
    turn: None,
};
