//! BMP and TIFF by the `image` crate: read only, to become another format.
//! Does not keep more than the first page of a TIFF.

use std::io::Cursor;

use image::codecs::bmp::BmpDecoder;
use image::codecs::tiff::TiffDecoder;
use image::error::LimitErrorKind;
use image::{DynamicImage, ImageDecoder, ImageError};

use super::{Picture, Source};
use crate::container::{Coding, Survey, at_most};
use crate::exif;
use crate::job::{Fault, Limits};
use crate::raster::{Channels, Raster};
use words::dimensions::Dimensions;
use words::media_type::Format;

/// Four channels of 16 bits. Images of floats must be smaller to fit.
const BYTES_A_PIXEL: u64 = 8;

/// Asks the decoder, which has read headers only. `image` applies no limit of its own to what is decoded from here on.
pub fn survey(format: Format, bytes: &[u8], limits: &Limits) -> Result<Survey, Fault> {
    with_decoder(format, bytes, &mut |mut decoder| {
        let (width, height) = decoder.dimensions();
        let size = Dimensions::new(width, height);
        at_most("pixels", size.pixels(), limits.max_pixels)?;
        let most = limits.max_pixels.saturating_mul(BYTES_A_PIXEL);
        at_most("bytes of pixels", decoder.total_bytes(), most)?;
        let profile = decoder.icc_profile().map_err(|error| fault(&error))?;
        let length = profile.as_ref().map_or(0, Vec::len) as u64;
        at_most("bytes of colour profile", length, limits.max_metadata)?;
        let turn = decoder.orientation().map_err(|error| fault(&error))?;
        let turn = exif::Orientation::from_tag(turn.to_exif().into()).unwrap_or_default();
        let exif = (turn != exif::Orientation::Upright).then(|| exif::minimal(turn).to_vec());
        Ok(Survey { size, frames: 1, exif, profile, coding: Coding::Plain })
    })
}

pub fn still(source: &Source<'_>) -> Result<Picture, Fault> {
    let raster = with_decoder(source.format, source.bytes, &mut |mut decoder| {
        let mut limits = image::Limits::no_limits();
        limits.max_alloc = Some(source.limits.max_pixels.saturating_mul(BYTES_A_PIXEL));
        decoder.set_limits(limits).map_err(|error| fault(&error))?;
        let alpha = decoder.color_type().has_alpha();
        let image = DynamicImage::from_decoder(decoder).map_err(|error| fault(&error))?;
        let (channels, pixels) = match image {
            DynamicImage::ImageLuma8(image) => (Channels::Gray, image.into_raw()),
            image if alpha => (Channels::Rgba, image.into_rgba8().into_raw()),
            image => (Channels::Rgb, image.into_rgb8().into_raw()),
        };
        Raster::new(source.survey.size, channels, pixels)
    })?;
    Ok(Picture { raster, profile: source.survey.profile.clone() })
}

type Work<'a, T> = dyn FnMut(Box<dyn ImageDecoder + '_>) -> Result<T, Fault> + 'a;

fn with_decoder<T>(format: Format, bytes: &[u8], work: &mut Work<'_, T>) -> Result<T, Fault> {
    let input = Cursor::new(bytes);
    if format == Format::Bmp {
        work(Box::new(BmpDecoder::new(input).map_err(|error| fault(&error))?))
    } else {
        work(Box::new(TiffDecoder::new(input).map_err(|error| fault(&error))?))
    }
}

fn fault(error: &ImageError) -> Fault {
    let words = error.to_string();
    match error {
        ImageError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Fault::Truncated(words)
        }
        ImageError::Unsupported(_) => Fault::Unsupported(words),
        ImageError::Limits(limit) if limit.kind() == LimitErrorKind::DimensionError => {
            Fault::Corrupt(words)
        }
        _ if words.contains("failed to fill whole buffer") || words.contains("end of file") => {
            Fault::Truncated(words)
        }
        _ => Fault::Corrupt(words),
    }
}
