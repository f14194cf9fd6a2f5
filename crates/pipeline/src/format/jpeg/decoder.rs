//! JPEG decoding by libjpeg-turbo. Its warnings are faults: a decoder that goes on after one shows gray where the data
//! ended.

use turbojpeg::{
    Colorspace, DecompressHeader, Decompressor, Error, Image, PixelFormat, ScalingFactor, Subsamp,
    YuvImage, yuv_pixels_len,
};

use super::baseline::Baseline;
use crate::format::codec::{Chroma, Picture, Source};
use crate::format::survey::Profile;
use crate::job::Fault;
use crate::planes::{Reduction, SubsampledPlanes};
use crate::raster::{Channels, Raster, dimensions, index, length};
use words::dimensions::Dimensions;

pub fn chroma(bytes: &[u8]) -> Chroma {
    match turbojpeg::read_header(bytes).map(|header| header.subsamp) {
        Ok(Subsamp::None) => Chroma::Full,
        Ok(Subsamp::Sub2x1) => Chroma::HalfWidth,
        _ => Chroma::Quarter,
    }
}

/// Steps over the codes of a complete baseline JPEG without decoding it. Any other is decoded at an eighth of its sides, which
/// shows every fault in its data with little memory.
pub fn verify(source: &Source<'_>) -> Result<Profile, Fault> {
    if !is_complete(source.bytes) {
        decompress(source, Dimensions::new(1, 1))?;
    }
    Ok(Profile::Kept)
}

/// Whether libjpeg-turbo would decode all of the file without a warning, as far as that is known without decoding.
fn is_complete(bytes: &[u8]) -> bool {
    // libjpeg-turbo itself judges the header.
    turbojpeg::read_header(bytes).is_ok()
        && Baseline::read(bytes).is_some_and(|jpeg| jpeg.is_complete())
}

pub fn picture(source: &Source<'_>, needed: Dimensions) -> Result<Picture, Fault> {
    let mut raster = decompress(source, needed)?;
    // A CMYK JPEG counts light instead of ink: every reader takes it for one by Adobe, also without Adobe's marker.
    if raster.channels() == Channels::Cmyk {
        raster.pixels_mut().iter_mut().for_each(|value| *value = 255 - *value);
    }
    Ok(Picture { raster, profile: source.survey.profile.clone() })
}

/// Returns `None` for a JPEG that is not coded as Y, Cb and Cr in a common subsampling.
pub fn planes(source: &Source<'_>, needed: Dimensions) -> Result<Option<SubsampledPlanes>, Fault> {
    let (decompressor, header) = open(source)?;
    let usual = [Subsamp::None, Subsamp::Sub2x1, Subsamp::Sub1x2, Subsamp::Sub2x2];
    let in_planes = header.colorspace == Colorspace::YCbCr && !header.is_lossless;
    if !in_planes || !usual.contains(&header.subsamp) {
        return Ok(None);
    }
    let scaling = scaling(&header, needed, HEADROOM_OF_PLANES);
    let small = scaling == ScalingFactor::ONE_QUARTER || scaling == ScalingFactor::ONE_EIGHTH;
    if let Some(quarter) = small.then(|| Baseline::read(source.bytes)?.quarter()).flatten() {
        count_decode();
        return Ok(Some(quarter));
    }
    unpadded(yuv(source, decompressor, &header, scaling)?).map(Some)
}

/// A decompressor that has read the header.
pub fn open(source: &Source<'_>) -> Result<(Decompressor, DecompressHeader), Fault> {
    let mut decompressor = Decompressor::new().map_err(fault)?;
    decompressor.set_scan_limit(source.limits.max_scans).map_err(fault)?;
    let header = decompressor.read_header(source.bytes).map_err(fault)?;
    Ok((decompressor, header))
}

/// The planes of a picture at this scale, by a decompressor that has read its header.
pub fn yuv(
    source: &Source<'_>,
    mut decompressor: Decompressor,
    header: &DecompressHeader,
    scaling: ScalingFactor,
) -> Result<YuvImage<Vec<u8>>, Fault> {
    decompressor.set_scaling_factor(scaling).map_err(fault)?;
    let (width, height) = (scaling.scale(header.width), scaling.scale(header.height));
    let subsamp = header.subsamp;
    let length = yuv_pixels_len(width, 1, height, subsamp).map_err(fault)?;
    let mut image = YuvImage { pixels: vec![0; length], width, align: 1, height, subsamp };
    count_decode();
    decompressor.decompress_to_yuv(source.bytes, image.as_deref_mut()).map_err(fault)?;
    Ok(image)
}

/// The planes without the columns and rows by which libjpeg-turbo makes the luma plane even where chroma has half its sides.
fn unpadded(mut image: YuvImage<Vec<u8>>) -> Result<SubsampledPlanes, Fault> {
    let (padded_width, padded_height) = image.y_size();
    let (width, height) = (image.width, image.height);
    if (padded_width, padded_height) != (width, height) {
        for row in 0..height {
            image.pixels.copy_within(row * padded_width..row * padded_width + width, row * width);
        }
        image.pixels.drain(width * height..padded_width * padded_height);
    }
    let chroma = dimensions(image.uv_size());
    let sizes = [dimensions((width, height)), chroma, chroma];
    SubsampledPlanes::new(sizes, image.pixels, Reduction::Average)
}

fn decompress(source: &Source<'_>, needed: Dimensions) -> Result<Raster, Fault> {
    let (mut decompressor, header) = open(source)?;
    let (channels, format) = match header.colorspace {
        Colorspace::Gray => (Channels::Gray, PixelFormat::GRAY),
        Colorspace::CMYK | Colorspace::YCCK => (Channels::Cmyk, PixelFormat::CMYK),
        _ => (Channels::Rgb, PixelFormat::RGB),
    };
    let scaling = scaling(&header, needed, HEADROOM);
    decompressor.set_scaling_factor(scaling).map_err(fault)?;
    let (width, height) = (scaling.scale(header.width), scaling.scale(header.height));
    let size = dimensions((width, height));
    let mut pixels = vec![0; length(size, channels)];
    let pitch = width * format.size();
    let image = Image { pixels: pixels.as_mut_slice(), width, pitch, height, format };
    count_decode();
    decompressor.decompress(source.bytes, image).map_err(fault)?;
    Raster::new(size, channels, pixels)
}

/// How many pixels a side of the decoded picture must have for four of the result: with fewer, the smaller scale would show.
/// Planes, which are encoded with losses again, need fewer.
const HEADROOM: usize = 8;
const HEADROOM_OF_PLANES: usize = 7;

/// The smallest scale with enough headroom.
fn scaling(header: &DecompressHeader, needed: Dimensions, headroom: usize) -> ScalingFactor {
    let enough = |scaling: &ScalingFactor| {
        4 * scaling.scale(header.width) >= headroom * index(needed.width)
            && 4 * scaling.scale(header.height) >= headroom * index(needed.height)
    };
    let scales = [ScalingFactor::ONE_EIGHTH, ScalingFactor::ONE_QUARTER, ScalingFactor::ONE_HALF];
    let smallest = scales.into_iter().find(enough).filter(|_| !header.is_lossless);
    smallest.unwrap_or(ScalingFactor::ONE)
}

/// The fault in an error, which libjpeg-turbo describes in words only.
pub fn fault(error: Error) -> Fault {
    let words = match error {
        Error::TurboJpegError(words) => words,
        other => other.to_string(),
    };
    if words.contains("Premature end") || words.contains("ends prematurely") {
        return Fault::Truncated(words);
    }
    if words.contains("nsupported") || words.contains("not supported") {
        return Fault::Unsupported(words);
    }
    Fault::Corrupt(words)
}

#[cfg(test)]
thread_local! {
    /// How often this thread has decoded all of a JPEG's data: times are noisy, counts are not.
    pub static JPEG_DECODES: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

pub fn count_decode() {
    #[cfg(test)]
    JPEG_DECODES.set(JPEG_DECODES.get() + 1);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use turbojpeg::{Compressor, Transform};

    use super::*;
    use crate::format::jpeg::CODEC;
    use crate::job::Limits;

    /// A JPEG of slopes with noise on them, so that all kinds of codes occur.
    fn jpeg(width: usize, height: usize, chroma: Subsamp, progressive: bool) -> Vec<u8> {
        let mut noise = 1_u32;
        let pixels = (0..width * height * 3).map(|at| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let hill = (at / 3 % width) * 5 + (at / 3 / width) * 3 + at % 3 * 40;
            u8::try_from((hill + usize::from(noise.to_be_bytes()[0] >> 3)) % 256).unwrap()
        });
        let pixels: Vec<u8> = pixels.collect();
        let format = PixelFormat::RGB;
        let image = Image { pixels: pixels.as_slice(), width, pitch: width * 3, height, format };
        let mut compressor = Compressor::new().unwrap();
        compressor.set_quality(85).unwrap();
        compressor.set_subsamp(chroma).unwrap();
        let plain = compressor.compress_to_vec(image).unwrap();
        let mut transform = Transform::default();
        transform.progressive = true;
        if progressive { turbojpeg::transform(&transform, &plain).unwrap().to_vec() } else { plain }
    }

    fn decodes(bytes: &[u8]) -> bool {
        let limits = Limits::default();
        let survey = CODEC.survey(bytes, &limits);
        survey.is_ok_and(|survey| {
            let source = Source { codec: &CODEC, bytes, survey: &survey, limits: &limits };
            decompress(&source, Dimensions::new(1, 1)).is_ok()
        })
    }

    const CHROMAS: [Subsamp; 5] =
        [Subsamp::None, Subsamp::Sub2x1, Subsamp::Sub1x2, Subsamp::Sub2x2, Subsamp::Gray];

    #[test]
    fn a_complete_baseline_jpeg_is_known_without_decoding_it() {
        for chroma in CHROMAS {
            for (width, height) in [(1, 1), (7, 40), (16, 16), (50, 33)] {
                let bytes = jpeg(width, height, chroma, false);
                assert!(is_complete(&bytes) && decodes(&bytes), "{chroma:?} {width}x{height}");
                let progressive = jpeg(width, height, chroma, true);
                assert!(!is_complete(&progressive) && decodes(&progressive), "{chroma:?}");
            }
        }
    }

    /// A gray JPEG of 24x8 pixels with a restart marker behind each of its blocks, each of which is one byte of data.
    fn restarting(markers: [u8; 2]) -> Vec<u8> {
        let dqt = [&[0xFF, 0xDB, 0, 67, 0][..], &[1; 64]].concat();
        let sof = [0xFF, 0xC0, 0, 11, 8, 0, 8, 0, 24, 1, 1, 0x11, 0];
        let code = |selector| [&[0xFF, 0xC4, 0, 20, selector, 1][..], &[0; 16]].concat();
        let scan = [0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0, 0x3F];
        let [one, two] = markers;
        let rest = [0xFF, one, 0x3F, 0xFF, two, 0x3F, 0xFF, 0xD9];
        let start: &[u8] = &[0xFF, 0xD8];
        let dri = [0xFF, 0xDD, 0, 4, 0, 1];
        [start, &dqt, &sof, &code(0x00), &code(0x10), &dri, &scan, &rest].concat()
    }

    #[test]
    fn restart_markers_must_come_in_their_order() {
        assert!(is_complete(&restarting([0xD0, 0xD1])) && decodes(&restarting([0xD0, 0xD1])));
        for markers in [[0xD1, 0xD0], [0xD0, 0xD0], [0xD0, 0xD2]] {
            assert!(!is_complete(&restarting(markers)), "{markers:x?}");
        }
    }

    fn with_source<T>(bytes: &[u8], work: impl Fn(&Source<'_>) -> T) -> T {
        let limits = Limits::default();
        let survey = CODEC.survey(bytes, &limits).unwrap();
        work(&Source { codec: &CODEC, bytes, survey: &survey, limits: &limits })
    }

    /// The planes at an eighth of their sides by libjpeg-turbo: the mean of each block.
    fn eighth(bytes: &[u8]) -> SubsampledPlanes {
        with_source(bytes, |source| {
            let (decompressor, header) = open(source).unwrap();
            let scaling = ScalingFactor::ONE_EIGHTH;
            unpadded(yuv(source, decompressor, &header, scaling).unwrap()).unwrap()
        })
    }

    /// Whether the four samples of each block at a quarter have the mean that libjpeg-turbo has at an eighth. Blocks with a
    /// sample that was clipped at black or white do not count.
    fn is_like_libjpeg(bytes: &[u8]) -> bool {
        let quarter = Baseline::read(bytes).unwrap().quarter().unwrap();
        let eighth = eighth(bytes);
        quarter.each().into_iter().zip(eighth.each()).all(|((size, samples), (half, means))| {
            let (width, half_width) = (index(size.width), index(half.width));
            let rows = samples.chunks_exact(2 * width).zip(means.chunks_exact(half_width));
            let sides = (size.width.div_ceil(2), size.height.div_ceil(2));
            sides == (half.width, half.height)
                && rows.into_iter().all(|(rows, means)| {
                    let (upper, lower) = rows.split_at(width);
                    let blocks = upper.chunks_exact(2).zip(lower.chunks_exact(2)).zip(means);
                    blocks.into_iter().all(|((upper, lower), mean)| {
                        let four = [upper[0], upper[1], lower[0], lower[1]].map(u16::from);
                        let cut = four.iter().any(|&sample| sample == 0 || sample == 255);
                        cut || four.iter().sum::<u16>().abs_diff(4 * u16::from(*mean)) <= 4
                    })
                })
        })
    }

    #[test]
    fn a_quarter_has_the_blocks_that_libjpeg_has() {
        for chroma in CHROMAS.into_iter().filter(|chroma| *chroma != Subsamp::Gray) {
            for (width, height) in [(1, 1), (7, 40), (16, 16), (129, 77), (160, 96)] {
                let bytes = jpeg(width, height, chroma, false);
                assert!(is_like_libjpeg(&bytes), "{chroma:?} {width}x{height}");
            }
        }
    }

    /// Three blocks of three components, each with a DC difference of 1 and a restart marker behind it.
    #[test]
    fn a_restart_marker_resets_the_prediction_of_dc_coefficients() {
        let dqt = [&[0xFF, 0xDB, 0, 67, 0][..], &[80; 64]].concat();
        let sof = [0xFF, 0xC0, 0, 17, 8, 0, 8, 0, 24, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0];
        let code = |selector, symbol| {
            [&[0xFF, 0xC4, 0, 20, selector, 1][..], &[0; 15], &[symbol]].concat()
        };
        let dri = [0xFF, 0xDD, 0, 4, 0, 1];
        let scan = [0xFF, 0xDA, 0, 12, 3, 1, 0, 2, 0, 3, 0, 0, 63, 0];
        let data = [0x49, 0x7F, 0xFF, 0xD0, 0x49, 0x7F, 0xFF, 0xD1, 0x49, 0x7F, 0xFF, 0xD9];
        let start: &[u8] = &[0xFF, 0xD8];
        let (dc, ac) = (code(0x00, 1), code(0x10, 0));
        let bytes = [start, &dqt, &sof, &dc, &ac, &dri, &scan, &data].concat();
        let quarter = Baseline::read(&bytes).unwrap().quarter().unwrap();
        for (size, samples) in quarter.each() {
            assert_eq!((size, samples), (Dimensions::new(6, 2), &[138; 12][..]));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

        /// A JPEG that passes without being decoded must be one that libjpeg-turbo decodes without a warning.
        #[test]
        fn no_damage_is_overlooked_that_libjpeg_would_find(
            chroma in prop::sample::select(&CHROMAS[..]),
            places in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 0..3),
            cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
            removed in prop::option::weighted(0.2, any::<prop::sample::Index>()),
        ) {
            let mut bytes = jpeg(50, 33, chroma, false);
            for (place, change) in places {
                let place = place.index(bytes.len());
                bytes[place] ^= change;
            }
            bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
            if let Some(removed) = removed.filter(|_| !bytes.is_empty()) {
                bytes.remove(removed.index(bytes.len()));
            }
            prop_assert!(!is_complete(&bytes) || decodes(&bytes));
            // Both ways over the codes find the same damage; gray has no planes.
            let (walked, quarter) = Baseline::read(&bytes)
                .map_or((false, false), |jpeg| (jpeg.is_complete(), jpeg.quarter().is_some()));
            prop_assert_eq!(walked && chroma != Subsamp::Gray, quarter);
        }
    }
}
