//! Generated pictures, and byte strings with a short form for messages.

use std::fmt;
use std::ops::Deref;

/// Bytes whose debug form is their length, their beginning and a hash.
#[derive(PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl<const N: usize> PartialEq<&[u8; N]> for Bytes {
    fn eq(&self, other: &&[u8; N]) -> bool {
        self.0 == other[..]
    }
}

impl PartialEq<&[u8]> for Bytes {
    fn eq(&self, other: &&[u8]) -> bool {
        self.0 == *other
    }
}

impl fmt::Debug for Bytes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begin = self.0[..self.0.len().min(32)].escape_ascii();
        write!(out, "{} bytes: {begin}, {}", self.0.len(), blake3::hash(&self.0))
    }
}

/// The size suits every field of the tests.
const WIDTH: u32 = 160;
const HEIGHT: u32 = 120;

pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
pub const JPEG: &[u8] = b"\xff\xd8\xff";

/// A PNG of noise without metadata. The seed chooses the noise.
pub fn png(width: u32, height: u32, seed: u32) -> Bytes {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let pixels: Vec<u8> = (0..width * height * 3)
        .map(|_| {
            // xorshift32 (Marsaglia)
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[0]
        })
        .collect();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(&pixels).expect("pixels");
    writer.finish().expect("an end");
    Bytes(bytes)
}

/// A picture that every image field takes, another one for each seed.
pub fn good(seed: u32) -> Bytes {
    png(WIDTH, HEIGHT, seed)
}

/// The first half of such a picture.
pub fn cut_short(seed: u32) -> Bytes {
    let whole = good(seed);
    Bytes(whole[..whole.len() / 2].to_vec())
}

/// Width and height from the header of a PNG.
pub fn png_size(bytes: &[u8]) -> (u32, u32) {
    assert!(bytes.starts_with(PNG), "not a PNG");
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    (number(16), number(20))
}
