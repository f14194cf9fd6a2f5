//! The rules of a field: which files it takes, and the normal form that it gives them (CONTRACT 3).

use serde::{Deserialize, Serialize};

use crate::byte_count::ByteCount;
use crate::dimensions::Dimensions;
use crate::media_type::{Format, TypePattern};

/// Whether a field holds images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any file: identified and stored as it was sent.
    File,
    /// An image that decodes completely.
    Image,
}

/// The files that a field takes. `None` and an empty list are no rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    pub kind: Kind,
    pub min_size: ByteCount,
    pub max_size: ByteCount,
    pub content_types: Vec<TypePattern>,
    pub min_width: Option<u32>,
    pub min_height: Option<u32>,
    /// Of an image field, 16,384 unless configured and never above 65,535.
    pub max_width: Option<u32>,
    pub max_height: Option<u32>,
    /// Width divided by height, inclusive.
    pub min_ratio: Option<f64>,
    pub max_ratio: Option<f64>,
    pub max_pixels: Option<u64>,
    pub normal: Normal,
}

/// The normal form of an image, into which it is brought before it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Normal {
    /// Apply the EXIF orientation to the pixels.
    pub orient: bool,
    pub metadata: Metadata,
    /// Shrink the image into this box; never enlarge it.
    pub fit: Option<Dimensions>,
    pub resize: Option<Resize>,
    /// Applied after the resize.
    pub crop: Option<Crop>,
    pub format: Option<Format>,
    /// 1 to 100, for lossy formats.
    pub quality: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metadata {
    /// Remove EXIF, XMP, IPTC, comments and all bytes behind the image. The ICC profile stays, or colours are converted to sRGB.
    Strip,
    Keep,
}

/// `800x600`, `800x`, `x600`: an exact size; the missing side follows the ratio.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resize {
    Exact(Dimensions),
    Width(u32),
    Height(u32),
}

/// `left,top,right,bottom`, each from the left or top edge.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Crop {
    pub left: Edge,
    pub top: Edge,
    pub right: Edge,
    pub bottom: Edge,
}

/// The position of an edge, in pixels or in per cent of the image's side.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Edge {
    Pixels(u32),
    Percent(f64),
}

impl Edge {
    /// The position in pixels on a side of this length, at most that length.
    pub fn on(self, side: u32) -> u32 {
        match self {
            Self::Pixels(pixels) => pixels.min(side),
            Self::Percent(percent) => {
                let part = (f64::from(side) * percent / 100.0).round();
                // The cast saturates; the percentage was checked to lie in 0..=100.
                #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
                let pixels = part as u32;
                pixels.min(side)
            }
        }
    }
}

impl Default for Normal {
    fn default() -> Self {
        Self {
            orient: true,
            metadata: Metadata::Strip,
            fit: None,
            resize: None,
            crop: None,
            format: None,
            quality: None,
        }
    }
}

impl Rules {
    /// The defaults of a `file` field: up to 64 MiB of anything.
    pub fn file() -> Self {
        Self {
            kind: Kind::File,
            min_size: ByteCount(0),
            max_size: ByteCount(64 << 20),
            content_types: Vec::new(),
            min_width: None,
            min_height: None,
            max_width: None,
            max_height: None,
            min_ratio: None,
            max_ratio: None,
            max_pixels: None,
            normal: Normal { orient: false, metadata: Metadata::Keep, ..Normal::default() },
        }
    }

    /// The defaults of an `image` field: up to 32 MiB, 100 megapixels and 16,384 a side, oriented and stripped.
    pub fn image() -> Self {
        Self {
            kind: Kind::Image,
            max_size: ByteCount(32 << 20),
            max_width: Some(16_384),
            max_height: Some(16_384),
            max_pixels: Some(100_000_000),
            normal: Normal::default(),
            ..Self::file()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_edge_never_lies_outside_the_image() {
        assert_eq!(Edge::Pixels(500).on(100), 100);
        assert_eq!(Edge::Percent(25.0).on(200), 50);
        assert_eq!(Edge::Percent(100.0).on(3), 3);
    }
}
