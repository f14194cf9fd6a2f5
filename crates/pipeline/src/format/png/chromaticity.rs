//! The colours of a PNG as one ICC profile. The first of these that is there counts: cICP, iCCP, sRGB, and gAMA with cHRM (W3C PNG,
//! third edition, 13.13). Nothing is sRGB.

use moxcms::{
    Chromaticity, CicpColorPrimaries, CicpProfile, ColorPrimaries, ColorProfile,
    MatrixCoefficients, ToneReprCurve, TransferCharacteristics,
};
use png::{CodingIndependentCodePoints, Info, ScaledFloat, SourceChromaticities};

use crate::raster::Channels;

/// The exponent of a file whose tones are those of sRGB, and how far others may be from it to count as the same.
const SRGB_GAMMA: f32 = 0.45455;
const GAMMA_TOLERANCE: f32 = 0.05;

/// The chromaticities of sRGB, white first, and how far others may be from them to count as the same.
const SRGB: [(f32, f32); 4] = [(0.3127, 0.3290), (0.64, 0.33), (0.30, 0.60), (0.15, 0.06)];
const TOLERANCE: f32 = 0.005;

/// The profile by which these pixels are shown; `icc` is the one in the file, if it can be read. `None` for sRGB.
pub fn profile(info: &Info<'_>, channels: Channels, icc: Option<Vec<u8>>) -> Option<Vec<u8>> {
    let gray = matches!(channels, Channels::Gray | Channels::GrayAlpha);
    if let Some(points) = info.coding_independent_code_points.and_then(known) {
        return of_points(points, gray);
    }
    if icc.is_some() || info.srgb.is_some() {
        return icc;
    }
    let is_other = |gamma: &f32| (gamma / SRGB_GAMMA - 1.0).abs() > GAMMA_TOLERANCE;
    let gamma = info.gama_chunk.map(ScaledFloat::into_value).filter(is_other);
    let primaries = info.chrm_chunk.as_ref().map(pairs).filter(|pairs| !gray && are_other(pairs));
    if gamma.is_none() && primaries.is_none() {
        return None;
    }
    let curve = match gamma {
        Some(gamma) => ColorProfile::new_gray_with_gamma(1.0 / gamma).gray_trc,
        None => ColorProfile::new_srgb().red_trc,
    };
    let [white, red, green, blue] = primaries.unwrap_or(SRGB).map(|(x, y)| Chromaticity::new(x, y));
    let mut profile = ColorProfile::new_srgb();
    profile.update_rgb_colorimetry(white.to_xyyb(), ColorPrimaries { red, green, blue });
    encoded(profile, curve?, gray)
}

/// Code points that have a meaning for RGB (H.273).
fn known(points: CodingIndependentCodePoints) -> Option<CicpProfile> {
    let color_primaries = CicpColorPrimaries::try_from(points.color_primaries).ok()?;
    let transfer_characteristics =
        TransferCharacteristics::try_from(points.transfer_function).ok()?;
    let rgb = points.matrix_coefficients == 0 && points.is_video_full_range_image;
    ToneReprCurve::try_from(transfer_characteristics).ok()?;
    ColorPrimaries::try_from(color_primaries).ok().filter(|_| rgb)?;
    let matrix_coefficients = MatrixCoefficients::Identity;
    Some(CicpProfile {
        color_primaries,
        transfer_characteristics,
        matrix_coefficients,
        full_range: true,
    })
}

fn of_points(points: CicpProfile, gray: bool) -> Option<Vec<u8>> {
    let primaries = gray || points.color_primaries == CicpColorPrimaries::Bt709;
    if primaries && points.transfer_characteristics == TransferCharacteristics::Srgb {
        return None;
    }
    let mut profile = ColorProfile::new_srgb();
    profile.update_rgb_colorimetry_from_cicp(points);
    let curve = ToneReprCurve::try_from(points.transfer_characteristics).ok()?;
    encoded(profile, curve, gray)
}

/// The profile with this curve, for colours or for gray.
fn encoded(mut profile: ColorProfile, curve: ToneReprCurve, gray: bool) -> Option<Vec<u8>> {
    if gray {
        profile = ColorProfile::new_gray_with_gamma(1.0);
        profile.gray_trc = Some(curve);
    } else {
        profile.cicp = None;
        profile.red_trc = Some(curve.clone());
        profile.green_trc = Some(curve.clone());
        profile.blue_trc = Some(curve);
    }
    profile.encode().ok()
}

/// White, red, green and blue.
fn pairs(points: &SourceChromaticities) -> [(f32, f32); 4] {
    let all = [points.white, points.red, points.green, points.blue];
    all.map(|(x, y)| (x.into_value(), y.into_value()))
}

/// Whether these are chromaticities, and others than those of sRGB.
fn are_other(pairs: &[(f32, f32); 4]) -> bool {
    let near = |one: f32, other: f32| (one - other).abs() <= TOLERANCE;
    let same = |(one, srgb): (&(f32, f32), (f32, f32))| near(one.0, srgb.0) && near(one.1, srgb.1);
    let real = pairs.iter().all(|(x, y)| *x >= 0.0 && *y > 0.0 && x + y <= 1.0);
    real && !pairs.iter().zip(SRGB).all(same)
}
