//! Turning a JPEG without decoding it to pixels: its coefficients without loss where the blocks allow it, else its planes.

use turbojpeg::{
    Colorspace, DecompressHeader, ScalingFactor, Subsamp, Transform, TransformOp, Transformer,
    YuvImage,
};

use super::container::{strip, walk};
use super::decoder::{count_decode, open, yuv};
use super::encoder::compressed;
use crate::exif::Orientation;
use crate::format::codec::Source;
use crate::format::survey::Coding;
use crate::job::Fault;
use crate::raster::{Channels, Raster, dimensions};
use crate::step::turn::turned;

/// How many codes of each length the standard luma table has (T.81, table K.5), which libjpeg writes as well.
const STANDARD: [u8; 16] = [0, 2, 1, 3, 3, 2, 4, 3, 5, 5, 4, 4, 0, 0, 1, 0x7D];

const DHT: u8 = 0xC4;

/// Turns the picture, without metadata. `None` if neither way is possible; the caller then decodes and encodes it.
pub fn turn(
    source: &Source<'_>,
    orientation: Orientation,
    quality: u8,
) -> Result<Option<Vec<u8>>, Fault> {
    let stripped = strip(source.bytes)?;
    let stripped = Source { bytes: &stripped, ..*source };
    match without_loss(&stripped, orientation) {
        Some(bytes) => Ok(Some(bytes)),
        None => by_planes(&stripped, orientation, quality),
    }
}

/// Turns the coefficients and copies the segments. `None` for a damaged picture, and for one whose sides are no multiples of
/// its blocks: pixels at an edge would be misplaced.
fn without_loss(source: &Source<'_>, orientation: Orientation) -> Option<Vec<u8>> {
    let mut transform = Transform::op(operation(orientation));
    transform.perfect = true;
    transform.optimize = !has_standard_tables(source.bytes);
    transform.progressive = source.survey.coding == Coding::Progressive;
    let turned = Transformer::new().ok()?.transform_to_vec(&transform, source.bytes).ok()?;
    count_decode();
    Some(turned)
}

/// Whether the JPEG uses the standard Huffman tables; if so, the turned one uses them too, else it gets optimised ones.
fn has_standard_tables(bytes: &[u8]) -> bool {
    let mut standard = false;
    let walked = walk(bytes, &mut |segment| {
        let mut tables = segment.payload.windows(STANDARD.len());
        standard |= segment.marker == DHT && tables.any(|counts| counts == STANDARD);
        Ok(())
    });
    walked.is_ok() && standard
}

fn operation(orientation: Orientation) -> TransformOp {
    match orientation {
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

/// Decodes the planes, turns each and encodes them, without any segment. `None` for a picture that is not in such planes, whose
/// chroma samples would belong to other pixels, or whose ICC profile must be applied.
fn by_planes(
    source: &Source<'_>,
    orientation: Orientation,
    quality: u8,
) -> Result<Option<Vec<u8>>, Fault> {
    let (decompressor, header) = open(source)?;
    let target =
        if orientation.swaps_sides() { swapped(header.subsamp) } else { Some(header.subsamp) };
    let Some(target) = target.filter(|_| source.survey.profile.is_none() && is_even(&header))
    else {
        return Ok(None);
    };
    let image = yuv(source, decompressor, &header, ScalingFactor::ONE)?;
    let image = planes_turned(image, orientation, target)?;
    let bytes = compressed((image.width, image.height), quality, |compressor| {
        compressor.compress_yuv_to_owned(image.as_deref())
    });
    bytes.map(Some)
}

/// The chroma subsampling after rows have become columns.
fn swapped(subsamp: Subsamp) -> Option<Subsamp> {
    match subsamp {
        Subsamp::None | Subsamp::Sub2x2 | Subsamp::Gray => Some(subsamp),
        Subsamp::Sub2x1 => Some(Subsamp::Sub1x2),
        Subsamp::Sub1x2 => Some(Subsamp::Sub2x1),
        _ => None,
    }
}

/// Whether the picture is coded in luma and chroma planes, and each chroma sample belongs to equally many pixels.
fn is_even(header: &DecompressHeader) -> bool {
    let (across, down) = header.subsamp.size();
    let planes = matches!(header.colorspace, Colorspace::YCbCr | Colorspace::Gray);
    let even = header.width.is_multiple_of(across) && header.height.is_multiple_of(down);
    planes && !header.is_lossless && even
}

fn planes_turned(
    mut image: YuvImage<Vec<u8>>,
    orientation: Orientation,
    subsamp: Subsamp,
) -> Result<YuvImage<Vec<u8>>, Fault> {
    let chroma = if subsamp == Subsamp::Gray { 0 } else { 2 };
    let sizes = [(image.width, image.height)].into_iter();
    let sizes = sizes.chain(std::iter::repeat_n(image.uv_size(), chroma));
    let mut pixels = Vec::with_capacity(image.pixels.len());
    for (width, height) in sizes {
        let rest = image.pixels.split_off((width * height).min(image.pixels.len()));
        let samples = std::mem::replace(&mut image.pixels, rest);
        let plane = Raster::new(dimensions((width, height)), Channels::Gray, samples)?;
        pixels.extend(turned(plane, orientation).pixels());
    }
    let (width, height) = (image.width, image.height);
    let (width, height) = if orientation.swaps_sides() { (height, width) } else { (width, height) };
    Ok(YuvImage { pixels, width, align: 1, height, subsamp })
}

#[cfg(test)]
mod tests {
    use turbojpeg::{Image, PixelFormat};

    use super::*;
    use crate::format::jpeg::CODEC;
    use crate::job::Limits;

    /// A JPEG whose brightness changes in one direction and whose colour in the other.
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
        let survey = CODEC.survey(bytes, &limits).unwrap();
        work(&Source { codec: &CODEC, bytes, survey: &survey, limits: &limits })
    }

    fn pixels(bytes: &[u8]) -> Raster {
        let decoded =
            |source: &Source<'_>| (CODEC.picture)(source, source.survey.size).unwrap().raster;
        with_source(bytes, decoded)
    }

    #[test]
    fn a_jpeg_turned_by_planes_shows_the_turned_picture() {
        let subsamps =
            [Subsamp::None, Subsamp::Sub2x1, Subsamp::Sub1x2, Subsamp::Sub2x2, Subsamp::Gray];
        for (subsamp, turn) in
            subsamps.into_iter().flat_map(|s| Orientation::ALL.map(|turn| (s, turn)))
        {
            let bytes = jpeg(44, 30, subsamp);
            let bytes_turned = with_source(&bytes, |source| by_planes(source, turn, 95)).unwrap();
            let shown = pixels(&bytes_turned.unwrap());
            let expected = turned(pixels(&bytes), turn);
            assert_eq!(shown.size(), expected.size(), "{subsamp:?} {turn:?}");
            let pairs = shown.pixels().iter().zip(expected.pixels());
            let worst = pairs.map(|(one, other)| one.abs_diff(*other)).max();
            assert!(worst < Some(16), "{subsamp:?} {turn:?}: {worst:?}");
        }
    }

    #[test]
    fn a_turn_that_would_misplace_colours_is_not_done_by_planes() {
        for (width, height) in [(43, 30), (44, 29)] {
            let bytes = jpeg(width, height, Subsamp::Sub2x2);
            let turned =
                with_source(&bytes, |source| by_planes(source, Orientation::Rotated90, 95));
            assert_eq!(turned, Ok(None), "{width}x{height}");
        }
    }

    #[test]
    fn only_a_picture_with_optimised_tables_gets_new_ones() {
        let standard = jpeg(48, 48, Subsamp::Sub2x2);
        assert!(has_standard_tables(&standard));
        let turn = |bytes: &[u8]| {
            with_source(bytes, |source| without_loss(source, Orientation::Rotated90))
        };
        let turned = turn(&standard).unwrap();
        assert!(has_standard_tables(&turned));
        let mut own = Transform::default();
        own.optimize = true;
        let own = turbojpeg::transform(&own, &standard).unwrap();
        assert!(!has_standard_tables(&own) && !has_standard_tables(&turn(&own).unwrap()));
    }
}
