//! Pictures for the tests, made here.

/// Wide enough for every field of the tests.
const WIDTH: u32 = 160;
const HEIGHT: u32 = 120;

pub const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
pub const JPEG: &[u8] = b"\xff\xd8\xff";

/// A PNG of noise that the seed chooses, without any metadata.
pub fn png(width: u32, height: u32, seed: u32) -> Vec<u8> {
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
    bytes
}

/// One that every image field takes; another for each seed.
pub fn good(seed: u32) -> Vec<u8> {
    png(WIDTH, HEIGHT, seed)
}

/// One whose second half never came.
pub fn cut_short(seed: u32) -> Vec<u8> {
    let whole = good(seed);
    whole[..whole.len() / 2].to_vec()
}

/// Width and height, as the header of a PNG says.
pub fn png_size(bytes: &[u8]) -> (u32, u32) {
    assert!(bytes.starts_with(PNG), "not a PNG");
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
    (number(16), number(20))
}
