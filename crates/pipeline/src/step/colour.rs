//! Conversion to sRGB by ICC profiles (ICC.1). A profile that cannot be read counts as sRGB, as in browsers.

use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, Layout, Transform8BitExecutor, TransformOptions};

use crate::job::Fault;
use crate::raster::{Channels, Raster};

/// The picture in sRGB. Gray stays gray; CMYK becomes RGB, with or without a profile.
pub fn to_srgb(raster: Raster, profile: Option<&[u8]>) -> Result<Raster, Fault> {
    let space = match raster.channels() {
        Channels::Gray | Channels::GrayAlpha => DataColorSpace::Gray,
        Channels::Rgb | Channels::Rgba => DataColorSpace::Rgb,
        Channels::Cmyk => DataColorSpace::Cmyk,
    };
    let profile = profile.and_then(|bytes| ColorProfile::new_from_slice(bytes).ok());
    match (space, profile.filter(|profile| profile.color_space == space)) {
        (DataColorSpace::Cmyk, Some(profile)) => cmyk_by_profile(&raster, &profile),
        (DataColorSpace::Cmyk, None) => Ok(cmyk(&raster)),
        (DataColorSpace::Gray, Some(profile)) => Ok(grays(raster, &profile)),
        (_, Some(profile)) => Ok(colours(raster, &profile)),
        (_, None) => Ok(raster),
    }
}

/// Whether the bytes are an ICC profile for such pixels, as far as its header and its table of tags tell (ICC.1, 7.2 and 7.3).
pub fn is_profile_of(bytes: &[u8], channels: Channels) -> bool {
    let number = |at: usize| {
        let number = bytes.get(at..)?.first_chunk().map(|four| u32::from_be_bytes(*four))?;
        usize::try_from(number).ok()
    };
    let space: &[u8] = match channels {
        Channels::Gray | Channels::GrayAlpha => b"GRAY",
        Channels::Rgb | Channels::Rgba => b"RGB ",
        Channels::Cmyk => b"CMYK",
    };
    let lies_inside = |tag: usize| {
        let (start, length) = number(136 + 12 * tag).zip(number(140 + 12 * tag))?;
        start.checked_add(length).filter(|end| *end <= bytes.len())
    };
    number(0).is_some_and(|length| length <= bytes.len())
        && bytes.get(16..20) == Some(space)
        && bytes.get(36..40) == Some(b"acsp")
        && number(128).is_some_and(|tags| (0..tags).all(|tag| lies_inside(tag).is_some()))
}

type Transform = Arc<Transform8BitExecutor>;

fn transform(profile: &ColorProfile, from: Layout, to: Layout) -> Option<Transform> {
    let srgb = ColorProfile::new_srgb();
    profile.create_transform_8bit(from, &srgb, to, TransformOptions::default()).ok()
}

/// Converts row by row through a buffer of one row, so that there is no second copy of the picture.
fn colours(mut raster: Raster, profile: &ColorProfile) -> Raster {
    let layout = if raster.channels() == Channels::Rgba { Layout::Rgba } else { Layout::Rgb };
    let Some(transform) = transform(profile, layout, layout) else {
        return raster;
    };
    let pitch = raster.pitch();
    let mut row = vec![0; pitch];
    for pixels in raster.pixels_mut().chunks_exact_mut(pitch) {
        if transform.transform(pixels, &mut row).is_ok() {
            pixels.copy_from_slice(&row);
        }
    }
    raster
}

/// Converts a table of all 256 grays and looks the pixels up in it.
fn grays(mut raster: Raster, profile: &ColorProfile) -> Raster {
    let ramp: Vec<u8> = (0..=u8::MAX).collect();
    let mut table = vec![0; 3 * ramp.len()];
    let converted = transform(profile, Layout::Gray, Layout::Rgb)
        .is_some_and(|transform| transform.transform(&ramp, &mut table).is_ok());
    if converted {
        let count = raster.channels().count();
        for gray in raster.pixels_mut().iter_mut().step_by(count) {
            *gray = table[3 * usize::from(*gray) + 1];
        }
    }
    raster
}

fn cmyk_by_profile(raster: &Raster, profile: &ColorProfile) -> Result<Raster, Fault> {
    let Some(transform) = transform(profile, Layout::Rgba, Layout::Rgb) else {
        return Ok(cmyk(raster));
    };
    let mut out = Raster::blank(raster.size(), Channels::Rgb);
    let (from, to) = (raster.pitch(), out.pitch());
    let rows = raster.pixels().chunks_exact(from).zip(out.pixels_mut().chunks_exact_mut(to));
    for (inks, colours) in rows {
        let failed = |error| Fault::Corrupt(format!("the colour profile: {error:?}"));
        transform.transform(inks, colours).map_err(failed)?;
    }
    Ok(out)
}

/// Converts without a profile: each ink takes away its share of the light.
fn cmyk(raster: &Raster) -> Raster {
    let light = |ink: u8, black: u8| {
        let light = u16::from(255 - ink) * u16::from(255 - black);
        u8::try_from((light + 127) / 255).unwrap_or(u8::MAX)
    };
    raster.map(Channels::Rgb, |[c, m, y, k]| [light(c, k), light(m, k), light(y, k)])
}

/// The sRGB of a colour in CIE L*a*b* under D50, L* from 0 to 100. Adapted to D65 by Bradford's matrix, which is folded into
/// that of sRGB (IEC 61966-2-1).
pub fn lab_to_srgb([lightness, a, b]: [f32; 3]) -> [u8; 3] {
    const WHITE: [f32; 3] = [0.96422, 1.0, 0.82521];
    const TO_SRGB: [[f32; 3]; 3] = [
        [3.133_856, -1.616_867, -0.490_615],
        [-0.978_768, 1.916_142, 0.033_454],
        [0.071_945, -0.228_991, 1.405_243],
    ];
    let y = (lightness + 16.0) / 116.0;
    let linear = |value: f32| {
        let cube = value.powi(3);
        if cube > 216.0 / 24389.0 { cube } else { (116.0 * value - 16.0) * 27.0 / 24389.0 }
    };
    let xyz = [y + a / 500.0, y, y - b / 200.0].map(linear);
    TO_SRGB.map(|row| {
        let light: f32 = (0..3).map(|axis| row[axis] * xyz[axis] * WHITE[axis]).sum();
        let light = light.clamp(0.0, 1.0);
        let code = if light <= 0.003_130_8 {
            light * 12.92
        } else {
            1.055 * light.powf(1.0 / 2.4) - 0.055
        };
        // The cast of a float saturates.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let byte = (code * 255.0 + 0.5) as u8;
        byte
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::dimensions::Dimensions;

    fn raster(channels: Channels, pixels: &[u8]) -> Raster {
        Raster::new(Dimensions::new(1, 1), channels, pixels.to_vec()).unwrap()
    }

    #[test]
    fn cmyk_without_a_profile_is_light_taken_away() {
        let converted = to_srgb(raster(Channels::Cmyk, &[0, 255, 0, 0]), None).unwrap();
        assert_eq!(converted.pixels(), [255, 0, 255]);
        let converted = to_srgb(raster(Channels::Cmyk, &[0, 0, 0, 255]), None).unwrap();
        assert_eq!(converted.pixels(), [0, 0, 0]);
    }

    #[test]
    fn lab_has_the_white_and_the_red_of_srgb() {
        assert_eq!(lab_to_srgb([100.0, 0.0, 0.0]), [255; 3]);
        let [r, g, b] = lab_to_srgb([54.29, 80.80, 69.89]);
        assert!(r >= 254 && g <= 2 && b <= 2, "{r} {g} {b}");
    }

    #[test]
    fn a_wide_colour_becomes_its_srgb_number() {
        let profile = ColorProfile::new_display_p3().encode().unwrap();
        let wide = raster(Channels::Rgb, &[200, 100, 50]);
        let converted = to_srgb(wide, Some(&profile)).unwrap();
        let [r, g, b] = converted.pixels().try_into().unwrap();
        assert!(r > 205 && g < 100 && b < 45, "{r} {g} {b}");
    }

    #[test]
    fn an_unreadable_profile_changes_nothing() {
        let pixels = raster(Channels::Rgba, &[200, 100, 50, 7]);
        assert_eq!(to_srgb(pixels.clone(), Some(b"no profile")), Ok(pixels));
    }
}
