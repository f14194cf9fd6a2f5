//! AVIF by ravif, on the calling thread alone: the workers are what runs in parallel.
//! Does not know animations.

use ravif::{Encoder, Img, RGB8, RGBA8};

use crate::job::Fault;
use crate::raster::{Channels, Raster, index};

/// Of 1 to 10: a smaller number is slower by more than its files are smaller.
const SPEED: u8 = 10;

pub fn encode(raster: &Raster, quality: u8) -> Result<Vec<u8>, Fault> {
    let (width, height) = (index(raster.size().width), index(raster.size().height));
    let encoder = Encoder::new()
        .with_quality(quality.into())
        .with_alpha_quality(quality.into())
        .with_speed(SPEED)
        .with_num_threads(Some(1));
    let result = if raster.channels() == Channels::Rgba {
        let (pixels, _) = raster.pixels().as_chunks::<4>();
        let pixels: Vec<_> = pixels.iter().map(|&[r, g, b, a]| RGBA8::new(r, g, b, a)).collect();
        encoder.encode_rgba(Img::new(pixels.as_slice(), width, height))
    } else {
        let (pixels, _) = raster.pixels().as_chunks::<3>();
        let pixels: Vec<_> = pixels.iter().map(|&[r, g, b]| RGB8::new(r, g, b)).collect();
        encoder.encode_rgb(Img::new(pixels.as_slice(), width, height))
    };
    let image = result.map_err(|error| Fault::Unsupported(format!("AVIF: {error}")))?;
    Ok(image.avif_file)
}
