//! JPEGs turned as they are coded: without loss where their blocks allow it, else plane by plane, so that colours are
//! neither converted nor sampled anew. Does not know rules or metadata.

use turbojpeg::{
    Colorspace, Compressor, DecompressHeader, Decompressor, Error, Subsamp, Transform, TransformOp,
    Transformer, YuvImage, yuv_pixels_len,
};

use crate::container::{Coding, jpeg_segments};
use crate::decode::{self, Source, jpeg_fault};
use crate::encode;
use crate::exif::Orientation;
use crate::job::Fault;
use crate::raster::{Channels, Raster};
use crate::step::raster_turned;
use words::dimensions::Dimensions;

/// How many codes of each length the common table of brightness has (T.81, table K.5), which libjpeg writes as well.
const COMMON: [u8; 16] = [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D];

/// The segment that has the tables of codes.
const DHT: u8 = 0xC4;

/// Turns the picture without decoding it to pixels, losing nothing. `None` if its sides are no multiples of its blocks,
/// so that pixels at an edge would be misplaced, and if it is damaged. What the segments hold is copied.
pub fn without_loss(source: &Source<'_>, turn: Orientation) -> Option<Vec<u8>> {
    let mut transform = Transform::op(operation(turn));
    transform.perfect = true;
    transform.optimize = !has_common_codes(source.bytes);
    transform.progressive = source.survey.coding == Coding::Progressive;
    let turned = Transformer::new().ok()?.transform_to_vec(&transform, source.bytes).ok()?;
    decode::count_jpeg_decode();
    Some(turned)
}

/// Whether the picture is written with codes that were not made for it: those of the turned one need not be either.
fn has_common_codes(bytes: &[u8]) -> bool {
    let mut common = false;
    let walked = jpeg_segments(bytes, &mut |segment| {
        let mut tables = segment.payload.windows(COMMON.len());
        common |= segment.marker == DHT && tables.any(|counts| counts == COMMON);
        Ok(())
    });
    walked.is_ok() && common
}

fn operation(turn: Orientation) -> TransformOp {
    match turn {
        Orientation::Upright => TransformOp::None,
        Orientation::FlippedHorizontally => TransformOp::Hflip,
        Orientation::Rotated180 => TransformOp::Rot180,
        Orientation::FlippedVertically => TransformOp::Vflip,
        Orientation::Transposed => TransformOp::Transpose,
        Orientation::Rotated90 => TransformOp::Rot90,
        Orientation::Transversed => TransformOp::Transverse,
        Orientation::Rotated270 => TransformOp::Rot270,
    }
}

/// Decodes the planes of brightness and colour, turns each, and encodes them. `None` where there are no such planes, where
/// a plane's samples would lie elsewhere after the turn, or a profile is to be obeyed. Nothing that segments hold is copied.
pub fn by_planes(
    source: &Source<'_>,
    turn: Orientation,
    quality: u8,
) -> Result<Option<Vec<u8>>, Fault> {
    let mut decompressor = Decompressor::new().map_err(jpeg_fault)?;
    decompressor.set_scan_limit(source.limits.max_scans).map_err(jpeg_fault)?;
    let header = decompressor.read_header(source.bytes).map_err(jpeg_fault)?;
    let target = if turn.swaps_sides() { swapped(header.subsamp) } else { Some(header.subsamp) };
    let Some(target) = target.filter(|_| source.survey.profile.is_none() && is_even(&header))
    else {
        return Ok(None);
    };
    let DecompressHeader { width, height, subsamp, .. } = header;
    let length = yuv_pixels_len(width, 1, height, subsamp).map_err(jpeg_fault)?;
    let mut image = YuvImage { pixels: vec![0; length], width, align: 1, height, subsamp };
    decode::count_jpeg_decode();
    decompressor.decompress_to_yuv(source.bytes, image.as_deref_mut()).map_err(jpeg_fault)?;
    drop(decompressor);
    let image = turned(image, turn, target)?;
    let failed = |error: Error| Fault::Unsupported(format!("JPEG: {error}"));
    compress(&image, quality).map(Some).map_err(failed)
}

/// How colour is sampled once rows are columns.
fn swapped(subsamp: Subsamp) -> Option<Subsamp> {
    match subsamp {
        Subsamp::None | Subsamp::Sub2x2 | Subsamp::Gray => Some(subsamp),
        Subsamp::Sub2x1 => Some(Subsamp::Sub1x2),
        Subsamp::Sub1x2 => Some(Subsamp::Sub2x1),
        _ => None,
    }
}

/// Whether each sample of colour belongs to as many pixels as the others, and colour is apart from brightness.
fn is_even(header: &DecompressHeader) -> bool {
    let (across, down) = header.subsamp.size();
    let planes = matches!(header.colorspace, Colorspace::YCbCr | Colorspace::Gray);
    let even = header.width.is_multiple_of(across) && header.height.is_multiple_of(down);
    planes && !header.is_lossless && even
}

fn turned(
    mut image: YuvImage<Vec<u8>>,
    turn: Orientation,
    subsamp: Subsamp,
) -> Result<YuvImage<Vec<u8>>, Fault> {
    let colour = if subsamp == Subsamp::Gray { 0 } else { 2 };
    let sizes = [(image.width, image.height)].into_iter();
    let sizes = sizes.chain(std::iter::repeat_n(image.uv_size(), colour));
    let mut pixels = Vec::with_capacity(image.pixels.len());
    for (width, height) in sizes {
        let rest = image.pixels.split_off((width * height).min(image.pixels.len()));
        let number = |side| u32::try_from(side).unwrap_or_default();
        let size = Dimensions::new(number(width), number(height));
        let plane = Raster::new(size, Channels::Gray, std::mem::replace(&mut image.pixels, rest))?;
        pixels.extend(raster_turned(plane, turn).pixels());
    }
    let (width, height) = (image.width, image.height);
    let (width, height) = if turn.swaps_sides() { (height, width) } else { (width, height) };
    Ok(YuvImage { pixels, width, align: 1, height, subsamp })
}

fn compress(image: &YuvImage<Vec<u8>>, quality: u8) -> Result<Vec<u8>, Error> {
    let mut compressor = Compressor::new()?;
    compressor.set_quality(quality.into())?;
    compressor.set_optimize(encode::jpeg_is_optimised(image.width, image.height))?;
    Ok(compressor.compress_yuv_to_owned(image.as_deref())?.to_vec())
}

#[cfg(test)]
mod tests {
    use turbojpeg::{Image, PixelFormat};

    use super::*;
    use crate::job::Limits;
    use words::media_type::Format;

    /// A slope of brightness one way, and of colour the other.
    fn jpeg(width: usize, height: usize, subsamp: Subsamp) -> Vec<u8> {
        let shade = |at: usize, side: usize| u8::try_from(at * 255 / side).unwrap();
        let pixel = |at| [shade(at % width, width), 128, shade(at / width, height)];
        let pixels: Vec<u8> = (0..width * height).flat_map(pixel).collect();
        let format = PixelFormat::RGB;
        let image = Image { pixels: pixels.as_slice(), width, pitch: 3 * width, height, format };
        turbojpeg::compress(image, 95, subsamp).unwrap().to_vec()
    }

    fn with_source<T>(bytes: &[u8], work: impl Fn(&Source<'_>) -> T) -> T {
        let limits = Limits::default();
        let survey = decode::survey(Format::Jpeg, bytes, &limits).unwrap();
        work(&Source { format: Format::Jpeg, bytes, survey: &survey, limits: &limits })
    }

    fn pixels(bytes: &[u8]) -> Raster {
        let whole = |source: &Source<'_>| decode::still(source, source.survey.size).unwrap().raster;
        with_source(bytes, whole)
    }

    #[test]
    fn a_jpeg_turned_by_planes_shows_the_turned_picture() {
        let subsamps =
            [Subsamp::None, Subsamp::Sub2x1, Subsamp::Sub1x2, Subsamp::Sub2x2, Subsamp::Gray];
        for (subsamp, turn) in
            subsamps.into_iter().flat_map(|s| Orientation::ALL.map(|turn| (s, turn)))
        {
            let bytes = jpeg(44, 30, subsamp);
            let turned = with_source(&bytes, |source| by_planes(source, turn, 95)).unwrap();
            let (shown, expected) = (pixels(&turned.unwrap()), raster_turned(pixels(&bytes), turn));
            assert_eq!(shown.size(), expected.size(), "{subsamp:?} {turn:?}");
            let pairs = shown.pixels().iter().zip(expected.pixels());
            let worst = pairs.map(|(one, other)| one.abs_diff(*other)).max();
            assert!(worst < Some(16), "{subsamp:?} {turn:?}: {worst:?}");
        }
    }

    #[test]
    fn a_turn_that_would_misplace_colours_is_left_to_others() {
        for (width, height) in [(43, 30), (44, 29)] {
            let bytes = jpeg(width, height, Subsamp::Sub2x2);
            let turned =
                with_source(&bytes, |source| by_planes(source, Orientation::Rotated90, 95));
            assert_eq!(turned, Ok(None), "{width}x{height}");
        }
    }

    #[test]
    fn only_a_picture_with_codes_of_its_own_gets_new_ones() {
        let common = jpeg(48, 48, Subsamp::Sub2x2);
        assert!(has_common_codes(&common));
        let turn = |bytes: &[u8]| {
            with_source(bytes, |source| without_loss(source, Orientation::Rotated90))
        };
        let turned = turn(&common).unwrap();
        assert!(has_common_codes(&turned));
        let mut own = Transform::default();
        own.optimize = true;
        let own = turbojpeg::transform(&own, &common).unwrap();
        assert!(!has_common_codes(&own) && !has_common_codes(&turn(&own).unwrap()));
    }
}
