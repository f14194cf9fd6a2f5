//! The rules of a field: what it takes, and what is done to what it takes (CONTRACT 3).
//! Pure values; judging is `pipeline::policy`, doing is `pipeline::step`.

use serde::{Deserialize, Serialize};

use crate::byte_count::ByteCount;
use crate::dimensions::Dimensions;
use crate::media_type::{Format, TypePattern};

/// Whether a field's bytes are looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any file: identified, counted, stored untouched.
    File,
    /// An image that decodes completely.
    Image,
}

/// What a field takes. `None` and an empty list mean 'no such rule'.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    pub kind: Kind,
    pub min_size: ByteCount,
    pub max_size: ByteCount,
    pub content_types: Vec<TypePattern>,
    pub min_width: Option<u32>,
    pub min_height: Option<u32>,
    /// For an image never above 65,535; 16,384 unless configured.
    pub max_width: Option<u32>,
    pub max_height: Option<u32>,
    /// Width / height, inclusive.
    pub min_ratio: Option<f64>,
    pub max_ratio: Option<f64>,
    pub max_pixels: Option<u64>,
    pub normal: Normal,
}

/// The normal form of an image: what is done before it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Normal {
    /// Apply the EXIF orientation to the pixels.
    pub orient: bool,
    pub metadata: Metadata,
    /// Shrink into this box; never enlarges.
    pub fit: Option<Dimensions>,
    pub resize: Option<Resize>,
    /// Cut, after the resize.
    pub crop: Option<Crop>,
    pub format: Option<Format>,
    /// 1 to 100, for the formats that lose something.
    pub quality: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Metadata {
    /// EXIF, XMP, IPTC, comments and all that follows the end of the image go; the colour profile stays or is converted.
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

/// The place of an edge: pixels, or per cent of the image's side.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Edge {
    Pixels(u32),
    Percent(f64),
}

impl Edge {
    /// The edge in pixels on a side of this length, at most that length.
    pub fn on(self, side: u32) -> u32 {
        match self {
            Self::Pixels(pixels) => pixels.min(side),
            Self::Percent(percent) => {
                let part = (f64::from(side) * percent / 100.0).round();
                // Float-to-int casts saturate; the percentage was checked to lie in 0..=100.
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
