//! The specification of a variant, such as `w200`, `200x150c` or `r0.5`, and the size that it makes of an original.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::dimensions::{Dimensions, scale, side};
use crate::media_type::{Format, MediaType};

/// How a variant changes the size of its original (CONTRACT 5). No image is ever enlarged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Spec {
    /// `w200`: this wide.
    Width(u32),
    /// `h150`: this high.
    Height(u32),
    /// `200x150`: inside this box.
    Fit(u32, u32),
    /// `200x150c`: exactly this box, cropped around the centre.
    Fill(u32, u32),
    /// `r0.5`: this part of the original's sides, in thousandths from 1 to 1000.
    Ratio(u32),
    /// `full`: the original's size.
    Full,
}

/// A specification and the format to write it in: `w200.webp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Variant {
    pub spec: Spec,
    pub format: Format,
}

/// The way from an original to a variant: crop it to `crop`, then scale that to `size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Left and top edge, and the size, of the part that is kept, in pixels of the original.
    pub crop: (u32, u32, Dimensions),
    pub size: Dimensions,
}

impl Spec {
    /// Accepts exactly the text that `Display` prints, so that one variant has one name.
    pub fn parse(text: &str) -> Option<Self> {
        let spec = if text == "full" {
            Self::Full
        } else if let Some(width) = text.strip_prefix('w') {
            Self::Width(side(width)?)
        } else if let Some(height) = text.strip_prefix('h') {
            Self::Height(side(height)?)
        } else if let Some(ratio) = text.strip_prefix('r') {
            Self::Ratio(thousandths(ratio)?)
        } else if let Some(cropped) = text.strip_suffix('c') {
            let Dimensions { width, height } = Dimensions::parse(cropped)?;
            Self::Fill(width, height)
        } else {
            let Dimensions { width, height } = Dimensions::parse(text)?;
            Self::Fit(width, height)
        };
        (spec.to_string() == text).then_some(spec)
    }

    /// The geometry for an original of these dimensions.
    pub fn geometry(self, original: Dimensions) -> Geometry {
        let whole = |size| Geometry { crop: (0, 0, original), size };
        let bounds = |width, height| whole(original.fit_inside(Dimensions::new(width, height)));
        match self {
            Self::Width(width) => bounds(width, u32::MAX),
            Self::Height(height) => bounds(u32::MAX, height),
            Self::Fit(width, height) => bounds(width, height),
            Self::Ratio(thousandths) => whole(Dimensions::new(
                scale(original.width, thousandths, 1000),
                scale(original.height, thousandths, 1000),
            )),
            Self::Full => whole(original),
            Self::Fill(width, height) => fill(original, Dimensions::new(width, height)),
        }
    }
}

/// Keeps the largest centred part with the ratio of the box. It is scaled to the box only if it is larger.
fn fill(original: Dimensions, wanted: Dimensions) -> Geometry {
    let part = wanted_ratio_inside(original, wanted);
    let size = if part.width <= wanted.width { part } else { wanted };
    let left = (original.width - part.width) / 2;
    let top = (original.height - part.height) / 2;
    Geometry { crop: (left, top, part), size }
}

fn wanted_ratio_inside(original: Dimensions, wanted: Dimensions) -> Dimensions {
    let by_width = scale(original.width, wanted.height, wanted.width);
    if by_width <= original.height {
        return Dimensions::new(original.width, by_width);
    }
    let by_height = scale(original.height, wanted.width, wanted.height);
    Dimensions::new(by_height.min(original.width), original.height)
}

impl fmt::Display for Spec {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Width(width) => write!(out, "w{width}"),
            Self::Height(height) => write!(out, "h{height}"),
            Self::Fit(width, height) => write!(out, "{width}x{height}"),
            Self::Fill(width, height) => write!(out, "{width}x{height}c"),
            Self::Ratio(1000) => out.write_str("r1"),
            Self::Ratio(thousandths) => {
                let digits = format!("{thousandths:03}");
                write!(out, "r0.{}", digits.trim_end_matches('0'))
            }
            Self::Full => out.write_str("full"),
        }
    }
}

fn thousandths(text: &str) -> Option<u32> {
    if text == "1" {
        return Some(1000);
    }
    let digits = text.strip_prefix("0.")?;
    let plain = digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let value: u32 = format!("{digits:0<3}").parse().ok()?;
    (plain && value > 0).then_some(value)
}

impl Variant {
    /// Accepts what `Display` prints, `w200.webp`, which is a file name of `/thumbs`.
    pub fn parse(file_name: &str) -> Option<Self> {
        // `r0.5.jpg` has two dots: the format follows the last.
        let (spec, extension) = file_name.rsplit_once('.')?;
        let format = MediaType::of_extension(extension)?.format()?;
        let listed = format.is_writable() && format.extension() == extension;
        listed.then_some(())?;
        Some(Self { spec: Spec::parse(spec)?, format })
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}.{}", self.spec, self.format.extension())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(spec: &str, width: u32, height: u32) -> String {
        let spec = Spec::parse(spec).expect("a specification");
        spec.geometry(Dimensions::new(width, height)).size.to_string()
    }

    #[test]
    fn a_specification_prints_as_it_is_written() {
        for text in ["w200", "h150", "200x150", "200x150c", "r0.5", "r0.125", "r1", "full"] {
            assert_eq!(Spec::parse(text).map(|spec| spec.to_string()), Some(text.into()));
        }
        for text in [
            "w0", "w", "w0200", "200", "200x", "r0.50", "r2", "r0", "r0.0", "W200", "", "x",
            "200xc",
        ] {
            assert_eq!(Spec::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn nothing_is_ever_enlarged() {
        assert_eq!(size("w200", 100, 50), "100x50");
        assert_eq!(size("200x200c", 100, 50), "50x50");
        assert_eq!(size("200x200c", 300, 100), "100x100");
        assert_eq!(size("full", 7, 5), "7x5");
    }

    #[test]
    fn sizes_are_exact() {
        assert_eq!(size("w200", 4000, 3000), "200x150");
        assert_eq!(size("h150", 4000, 3000), "200x150");
        assert_eq!(size("200x200", 4000, 3000), "200x150");
        assert_eq!(size("200x200c", 4000, 3000), "200x200");
        assert_eq!(size("r0.5", 4001, 3000), "2001x1500");
    }

    #[test]
    fn filling_crops_around_the_centre() {
        let geometry = Spec::Fill(200, 200).geometry(Dimensions::new(4000, 3000));
        assert_eq!(geometry.crop, (500, 0, Dimensions::new(3000, 3000)));
    }

    #[test]
    fn a_variant_has_one_name() {
        assert_eq!(
            Variant::parse("r0.5.jpg"),
            Some(Variant { spec: Spec::Ratio(500), format: Format::Jpeg })
        );
        for text in ["w200", "w200.jpeg", "w200.JPG", "w200.bmp", "w200.txt", ".jpg"] {
            assert_eq!(Variant::parse(text), None, "{text:?}");
        }
    }
}
