//! How the pixels of a TIFF are packed, and what their samples mean.

/// How the bytes of a chunk are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    pub packing: Packing,
    /// Whether the bits of each byte count from the lowest one.
    pub is_reversed: bool,
    /// Whether samples are stored as differences from their left neighbours.
    pub is_predicted: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packing {
    Plain,
    PackBits,
    Lzw,
    Deflate,
    Zstandard,
    Jpeg(SharedJpeg),
    /// One-dimensional codes without end-of-line codes; rows begin at whole bytes, or at pairs of them.
    FaxRows {
        in_pairs: bool,
    },
    /// With codes that refer to the row above.
    Group3 {
        two_dimensional: bool,
    },
    Group4,
}

/// The tables that the JPEGs of a file share (TIFF Technical Note 2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedJpeg {
    pub tables: Vec<u8>,
    /// Whether they are coded in YCbCr, else in the colours of the TIFF.
    pub is_ycbcr: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Colour {
    Gray {
        inverted: bool,
    },
    Rgb,
    Palette(Vec<[u8; 3]>),
    Cmyk,
    YCbCr(YCbCr),
    /// CIE L*a*b*, its a and b signed or with 128 added.
    Lab {
        offset: bool,
    },
}

/// Luma and two colour differences (TIFF 6.0, section 21).
#[derive(Debug, Clone, PartialEq)]
pub struct YCbCr {
    /// How many pixels share a pair of colour differences, across and down.
    pub shared: (u32, u32),
    /// The shares of red, green and blue in the luma.
    pub weights: [f32; 3],
    /// The codes of black and white of each of the three.
    pub references: [f32; 6],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alpha {
    /// The number of its sample.
    pub sample: usize,
    /// Whether colours were multiplied by it.
    pub is_premultiplied: bool,
}

impl Colour {
    /// Samples of a pixel without extra ones.
    pub fn samples(&self) -> usize {
        match self {
            Self::Gray { .. } | Self::Palette(_) => 1,
            Self::Rgb | Self::YCbCr(_) | Self::Lab { .. } => 3,
            Self::Cmyk => 4,
        }
    }
}
