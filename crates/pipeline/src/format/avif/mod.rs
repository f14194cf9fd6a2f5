//! AVIF: a HEIF container whose pictures are AV1. Decoded by rav1d, encoded by ravif; animations are not read.

mod av1;
mod container;
mod decoder;
mod encoder;
pub mod header;
pub mod plan;
pub mod strip;

use super::codec::{Codec, Container, Decoder, Encoder, PlaneInput};
use super::encoding::Qualities;
use super::heif;
use words::media_type::Format;

pub static CODEC: Codec = Codec {
    format: Format::Avif,
    // The length of the first box, which is far below 2^24.
    beginnings: &[b"\0\0\0"],
    sniff: |bytes| heif::brands::is_image_of(bytes, &[b"avif", b"avis"]),
    header: header::read,
    container: Container {
        survey: container::survey,
        strip: |bytes, _| strip::strip(bytes),
        with_exif: None,
    },
    decode: Decoder {
        verify: decoder::verify,
        picture: |source, _| decoder::picture(source),
        planes: None,
        chroma: None,
        frames: None,
    },
    encode: Some(Encoder {
        picture: encoder::picture,
        planes: PlaneInput::Never,
        qualities: Some(Qualities { stored: 65, variant: 60 }),
        animation: None,
    }),
    turn: None,
};
