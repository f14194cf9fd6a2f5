//! JPEG, by libjpeg-turbo.

mod baseline;
mod coefficients;
mod container;
pub mod decoder;
mod encoder;
mod huffman;
mod reduced_idct;
mod repair;
mod transform;

use super::codec::{Codec, Encoder, Planar, PlaneInput, Qualities};
use words::media_type::Format;

const SIGNATURE: &[u8] = b"\xFF\xD8\xFF";

pub static CODEC: Codec = Codec {
    format: Format::Jpeg,
    beginnings: &[SIGNATURE],
    sniff: |bytes| bytes.starts_with(SIGNATURE),
    header: container::header,
    walk: container::survey,
    strip: |bytes, _| container::strip(bytes),
    repaired: repair::repaired,
    place_exif: Some(|bytes, structure| Ok(container::with_exif(bytes, structure))),
    verify: decoder::verify,
    picture: decoder::picture,
    frames: None,
    planar: Some(Planar {
        decode: decoder::planes,
        chroma: decoder::chroma,
        turn: transform::turn,
    }),
    encode: Some(Encoder {
        picture: encoder::picture,
        planes: PlaneInput::Direct(encoder::planes),
        qualities: Qualities { stored: 90, variant: 85 },
        animation: None,
    }),
};
