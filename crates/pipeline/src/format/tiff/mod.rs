//! TIFF, of which the `image` crate reads the first page to become another format.

mod header;

use std::io::Cursor;

use image::ImageDecoder;
use image::codecs::tiff::TiffDecoder;

use super::codec::{Codec, Container, Decoder};
use super::image_crate::{self, fault};
use super::survey::Profile;
use crate::job::Fault;
use words::media_type::Format;

/// In both byte orders; with 64-bit offsets, too.
const SIGNATURES: [&[u8]; 4] = [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"];

pub static CODEC: Codec = Codec {
    format: Format::Tiff,
    beginnings: &SIGNATURES,
    sniff: |bytes| SIGNATURES.iter().any(|signature| bytes.starts_with(signature)),
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
    TiffDecoder::new(Cursor::new(bytes)).map_err(|error| fault(&error))
}
