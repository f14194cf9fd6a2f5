//! BMP, read by the `image` crate to become another format.

mod header;

use std::io::Cursor;

use image::ImageDecoder;
use image::codecs::bmp::BmpDecoder;

use super::codec::{Codec, Container, Decoder};
use super::image_crate::{self, fault};
use super::survey::Profile;
use crate::job::Fault;
use words::media_type::Format;

pub static CODEC: Codec = Codec {
    format: Format::Bmp,
    beginnings: &[b"BM"],
    sniff: header::sniff,
    header: header::read,
    container: Container {
        survey: |bytes, limits| image_crate::survey(open(bytes)?, limits),
        strip: |bytes, _| Ok(bytes.to_vec()),
        with_exif: None,
    },
    decode: Decoder {
        verify: |source| image_crate::picture(open(source.bytes)?, source).map(|_| Profile::Kept),
        picture: |source, _| image_crate::picture(open(source.bytes)?, source),
        planes: None,
        chroma: None,
        frames: None,
    },
    encode: None,
    turn: None,
};

fn open(bytes: &[u8]) -> Result<impl ImageDecoder + '_, Fault> {
    BmpDecoder::new(Cursor::new(bytes)).map_err(|error| fault(&error))
}
