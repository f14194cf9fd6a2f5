//! Converting the channels of a raster to those that a format holds.

use crate::raster::{Channels, Raster};

/// Without alpha, over a white background.
pub fn flattened(raster: Raster) -> Raster {
    match raster.channels() {
        Channels::Rgba => raster.map(Channels::Rgb, |[r, g, b, a]| {
            [over_white(r, a), over_white(g, a), over_white(b, a)]
        }),
        Channels::GrayAlpha => raster.map(Channels::Gray, |[gray, a]| [over_white(gray, a)]),
        _ => raster,
    }
}

fn over_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u16::from(value), u16::from(alpha));
    let mixed = (value * alpha + 255 * (255 - alpha) + 127) / 255;
    u8::try_from(mixed).unwrap_or(u8::MAX)
}

/// With colours as they were before they were multiplied by alpha.
pub fn unpremultiplied(mut raster: Raster) -> Raster {
    let count = raster.channels().count();
    if raster.channels().has_alpha() {
        for pixel in raster.pixels_mut().chunks_exact_mut(count) {
            let Some((alpha, colours)) = pixel.split_last_mut() else { continue };
            let alpha = u16::from(*alpha);
            for channel in colours {
                let whole = (u16::from(*channel) * 255 + alpha / 2).checked_div(alpha).unwrap_or(0);
                *channel = u8::try_from(whole).unwrap_or(u8::MAX);
            }
        }
    }
    raster
}

/// With red, green and blue instead of gray.
pub fn gray_to_rgb(raster: Raster) -> Raster {
    match raster.channels() {
        Channels::Gray => raster.map(Channels::Rgb, |[gray]| [gray; 3]),
        Channels::GrayAlpha => {
            raster.map(Channels::Rgba, |[gray, alpha]| [gray, gray, gray, alpha])
        }
        _ => raster,
    }
}

/// In RGBA.
pub fn with_alpha(raster: Raster) -> Raster {
    let raster = gray_to_rgb(raster);
    match raster.channels() {
        Channels::Rgb => raster.map(Channels::Rgba, |[r, g, b]| [r, g, b, 255]),
        _ => raster,
    }
}

/// In RGBA with an alpha of either 0 or 255.
pub fn with_binary_alpha(raster: Raster) -> Raster {
    let binary = |[r, g, b, alpha]: [u8; 4]| if alpha < 128 { [0; 4] } else { [r, g, b, 255] };
    with_alpha(raster).map(Channels::Rgba, binary)
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::dimensions::Dimensions;

    #[test]
    fn what_is_transparent_becomes_white() {
        let pixels = vec![10, 20, 30, 0, 10, 20, 30, 255];
        let raster = Raster::new(Dimensions::new(2, 1), Channels::Rgba, pixels).unwrap();
        assert_eq!(flattened(raster).pixels(), [255, 255, 255, 10, 20, 30]);
    }
}
