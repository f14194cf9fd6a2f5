//! JPEG, by libjpeg-turbo.

mod baseline;
mod container;
mod decode;
pub mod decode_count;
mod encode;
mod header;
mod huffman;
mod reduced_idct;
mod transform;
mod turbo;

use super::codec::{Codec, Container, Decoder, Encoder, PlaneInput};
use super::target::Qualities;
use words::media_type::Format;

const SIGNATURE: &[u8] = b"\xFF\xD8\xFF";

pub static CODEC: Codec = Codec {
    format: Format::Jpeg,
    beginnings: &[SIGNATURE],
    sniff: |bytes| bytes.starts_with(SIGNATURE),
    header: header::read,
    container: Container {
        survey: container::survey,
        strip: container::strip,
        with_exif: Some(container::with_exif),
    },
    decode: Decoder {
        verify: decode::verify,
        picture: decode::picture,
        planes: Some(decode::planes),
        chroma: Some(decode::chroma),
        frames: None,
    },
    encode: Some(Encoder {
        picture: encode::picture,
        planes: PlaneInput::Direct(encode::planes),
        qualities: Some(Qualities { stored: 90, variant: 85 }),
        animation: None,
    }),
    turn: Some(transform::turn),
};
