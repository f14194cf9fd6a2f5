//! A rectangle inside an image.

use words::dimensions::Dimensions;

/// In pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    pub left: u32,
    pub top: u32,
    pub size: Dimensions,
}

impl Rect {
    /// All of an image of this size.
    pub fn all(size: Dimensions) -> Self {
        Self { left: 0, top: 0, size }
    }
}
