//! The image formats: a folder each, with the container, decoder and encoder of one format, behind one table.
//!
//! A new format is a folder with a `CODEC`, a variant of [`Format`] and a line in [`codec`].

pub mod avif;
pub mod bmp;
pub mod codec;
pub mod gif;
pub mod heif;
mod image_crate;
pub mod jpeg;
pub mod partial;
pub mod png;
pub mod survey;
pub mod tiff;
pub mod webp;

use codec::Codec;
use words::media_type::Format;

pub fn codec(format: Format) -> &'static Codec {
    match format {
        Format::Jpeg => &jpeg::CODEC,
        Format::Png => &png::CODEC,
        Format::Gif => &gif::CODEC,
        Format::Webp => &webp::CODEC,
        Format::Avif => &avif::CODEC,
        Format::Bmp => &bmp::CODEC,
        Format::Tiff => &tiff::CODEC,
    }
}

/// The format that these bytes are the beginning of.
pub fn sniff(prefix: &[u8]) -> Option<Format> {
    Format::ALL.into_iter().find(|format| (codec(*format).sniff)(prefix))
}

/// Whether the file may be an image once it has more bytes than these few.
pub fn may_begin_an_image(prefix: &[u8]) -> bool {
    let begins = |beginning: &&[u8]| prefix.starts_with(beginning) || beginning.starts_with(prefix);
    Format::ALL.into_iter().any(|format| codec(format).beginnings.iter().any(begins))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_of_the_table_is_that_of_its_format() {
        for format in Format::ALL {
            assert_eq!(codec(format).format, format);
            assert_eq!(codec(format).encode.is_some(), format.is_writable(), "{format:?}");
        }
    }
}
