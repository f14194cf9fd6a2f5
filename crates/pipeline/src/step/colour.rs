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
