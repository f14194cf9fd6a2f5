//! The settings with which a picture is encoded.

/// The purpose of a picture, which decides the quality where none is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Kept, and the source of all variants.
    Stored,
    /// Can be made again.
    Variant,
}

/// The default quality of a lossy format for each purpose. A JPEG stored at 90 is hard to tell from its source, and half
/// its size.
pub struct Qualities {
    pub stored: u8,
    pub variant: u8,
}

/// How finely colour is sampled beside brightness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chroma {
    /// 4:4:4.
    Full,
    /// 4:2:2.
    HalfWidth,
    /// 4:2:0, and all that is rarer.
    Quarter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// 1 to 100; without effect in a lossless format.
    pub quality: u8,
    /// Obeyed by JPEG only.
    pub chroma: Chroma,
}

impl Target {
    pub const BEST: u8 = 100;
}

impl Qualities {
    pub fn of(&self, purpose: Purpose) -> u8 {
        match purpose {
            Purpose::Stored => self.stored,
            Purpose::Variant => self.variant,
        }
    }
}
