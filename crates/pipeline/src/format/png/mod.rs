//! PNG, by the `png` crate.

mod container;
mod decoder;
mod encoder;
mod header;

use super::codec::{Codec, Container, Decoder, Encoder, PlaneInput};
use words::media_type::Format;

pub static CODEC: Codec = Codec {
    format: Format::Png,
    beginnings: &[b"\x89PNG"],
    sniff: |bytes| bytes.starts_with(b"\x89PNG\r\n\x1A\n"),
    header: header::read,
    container: Container {
        survey: container::survey,
        strip: container::strip,
        with_exif: Some(container::with_exif),
    },
    decode: Decoder {
        verify: decoder::verify,
        picture: |source, _| decoder::picture(source),
        planes: None,
        chroma: None,
        frames: None,
    },
    encode: Some(Encoder {
        picture: |raster, _| encoder::picture(&raster),
        planes: PlaneInput::Never,
        qualities: None,
        animation: None,
    }),
    turn: None,
};
