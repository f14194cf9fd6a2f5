//! AVIF encoding by ravif, on the calling thread alone: workers run in parallel instead.

use ravif::{Encoder, Img, RGB8, RGBA8};

use crate::format::encoding::Target;
use crate::job::Fault;
use crate::raster::{Channels, Raster, index};
use crate::step::flatten::gray_to_rgb;

/// The fastest of 1 to 10: slower ones cost more time than they save in bytes.
const SPEED: u8 = 10;

pub fn picture(raster: Raster, target: Target) -> Result<Vec<u8>, Fault> {
    let raster = gray_to_rgb(raster);
    let (width, height) = (index(raster.size().width), index(raster.size().height));
    let encoder = Encoder::new()
        .with_quality(target.quality.into())
        .with_alpha_quality(target.quality.into())
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
