//! Decoding by the `image` crate, for formats that are only read.

use image::error::LimitErrorKind;
use image::{DynamicImage, ImageDecoder, ImageError};

use super::codec::{Picture, Source};
use super::survey::Survey;
use crate::exif::{self, Orientation};
use crate::job::{Fault, Limits, at_most};
use crate::raster::{Channels, Raster};
use words::dimensions::Dimensions;

/// Four channels of 16 bits. Images of floats must be smaller to fit.
const BYTES_A_PIXEL: u64 = 8;

/// The survey of a file whose headers the decoder has read. `image` itself limits nothing that is decoded from here on.
pub fn survey(mut decoder: impl ImageDecoder, limits: &Limits) -> Result<Survey, Fault> {
    let (width, height) = decoder.dimensions();
    let size = Dimensions::new(width, height);
    at_most("pixels", size.pixels(), limits.max_pixels)?;
    let most = limits.max_pixels.saturating_mul(BYTES_A_PIXEL);
    at_most("bytes of pixels", decoder.total_bytes(), most)?;
    let profile = decoder.icc_profile().map_err(|error| fault(&error))?;
    let length = profile.as_ref().map_or(0, Vec::len) as u64;
    at_most("bytes of colour profile", length, limits.max_metadata)?;
    let tag = decoder.orientation().map_err(|error| fault(&error))?.to_exif();
    let orientation = Orientation::from_tag(tag.into()).unwrap_or_default();
    let exif = (orientation != Orientation::Upright).then(|| exif::minimal(orientation).to_vec());
    Ok(Survey { exif, profile, ..Survey::of_size(size) })
}

pub fn picture(mut decoder: impl ImageDecoder, source: &Source<'_>) -> Result<Picture, Fault> {
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
    let raster = Raster::new(source.survey.size, channels, pixels)?;
    Ok(Picture { raster, profile: source.survey.profile.clone() })
}

pub fn fault(error: &ImageError) -> Fault {
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
