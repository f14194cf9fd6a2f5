//! JPEG, by libjpeg-turbo.

mod baseline;
mod container;
pub mod decode_count;
mod decoder;
mod encoder;
mod header;
mod huffman;
mod reduced_idct;
mod transform;
mod turbo;

use super::codec::{Codec, Container, Decoder, Encoder, PlaneInput};
use super::encoding::Qualities;
use words::media_type::Format;

const SIGNATURE: &[u8] = b"\xFF\xD8\xFF";

pub static CODEC: Codec = Codec {
    format: Format::Jpeg,
    beginnings: &[SIGNATURE],
    sniff: |bytes| bytes.starts_with(SIGNATURE),
    header: header::read,
    container: Container {
        survey: container::survey,
        strip: |bytes, _| container::strip(bytes),
        with_exif: Some(|bytes, structure| Ok(container::with_exif(bytes, structure))),
    },
    decode: Decoder {
        verify: decoder::verify,
        picture: decoder::picture,
        planes: Some(decoder::planes),
        chroma: Some(decoder::chroma),
        frames: None,
    },
    encode: Some(Encoder {
        picture: encoder::picture,
        planes: PlaneInput::Direct(encoder::planes),
        qualities: Some(Qualities { stored: 90, variant: 85 }),
        animation: None,
    }),
    turn: Some(transform::turn),
};
