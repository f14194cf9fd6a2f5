//! Safe functions around libwebp: decoding and encoding, still and animated. Callers have checked sizes before.
//!
//! `unsafe` is allowed in this file because libwebp is C. Each block says what C relies on; every pointer that C hands out
//! is freed by the type or the function that asked for it.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::ptr;

use libwebp_sys as c;

use crate::format::codec::{AnimationEncoder, Frame, Repeat};
use crate::job::Fault;
use crate::raster::{Channels, Raster, length};
use crate::step::flatten::with_binary_alpha;
use words::dimensions::Dimensions;

/// The longest side of a WebP.
const MAX_SIDE: u32 = 16_383;

/// Decodes a still picture, which must fill its canvas; `None` for an animation.
pub fn still(bytes: &[u8], canvas: Dimensions) -> Result<Option<Raster>, Fault> {
    let mut config = c::WebPDecoderConfig::new().map_err(|()| mismatch())?;
    let found = &mut config.input;
    // SAFETY: C reads `bytes.len()` bytes and writes one struct of its own layout.
    check(unsafe { c::WebPGetFeatures(bytes.as_ptr(), bytes.len(), found) })?;
    if found.has_animation != 0 {
        return Ok(None);
    }
    let number = |side| u32::try_from(side).unwrap_or(0);
    let size = Dimensions::new(number(found.width), number(found.height));
    if size != canvas {
        return Err(Fault::Corrupt(format!("a picture of {size} lies in a canvas of {canvas}")));
    }
    let (channels, mode) = match found.has_alpha {
        0 => (Channels::Rgb, c::WEBP_CSP_MODE::MODE_RGB),
        _ => (Channels::Rgba, c::WEBP_CSP_MODE::MODE_RGBA),
    };
    let mut raster = Raster::blank(size, channels);
    let stride = int(raster.pitch());
    let pixels = raster.pixels_mut();
    config.output.colorspace = mode;
    config.output.is_external_memory = 1;
    config.output.u.RGBA =
        c::WebPRGBABuffer { rgba: pixels.as_mut_ptr(), stride, size: pixels.len() };
    // SAFETY: C reads `bytes.len()` bytes and writes into `pixels`, whose length and stride it was told; it checks that
    // the picture fits before it writes. The memory is ours, so there is nothing to free.
    check(unsafe { c::WebPDecode(bytes.as_ptr(), bytes.len(), &raw mut config) })?;
    Ok(Some(raster))
}

/// The frames of an animation, composed by libwebp.
pub struct Frames<'a> {
    decoder: *mut c::WebPAnimDecoder,
    info: c::WebPAnimInfo,
    // C keeps a pointer into the bytes.
    _bytes: std::marker::PhantomData<&'a [u8]>,
}

impl<'a> Frames<'a> {
    pub fn new(bytes: &'a [u8]) -> Result<Self, Fault> {
        let data = c::WebPData { bytes: bytes.as_ptr(), size: bytes.len() };
        // SAFETY: C copies `data`, and reads the bytes behind it until the decoder is deleted, which happens before 'a
        // ends. A null pointer for options means defaults: RGBA, one thread.
        let decoder = unsafe { c::WebPAnimDecoderNew(&raw const data, ptr::null()) };
        if decoder.is_null() {
            return Err(Fault::Corrupt("the animation cannot be read".into()));
        }
        let info = c::WebPAnimInfo::default();
        let mut frames = Self { decoder, info, _bytes: std::marker::PhantomData };
        // SAFETY: the decoder is alive; C writes one struct of its own layout.
        if unsafe { c::WebPAnimDecoderGetInfo(decoder, &raw mut frames.info) } == 0 {
            return Err(Fault::Corrupt("the animation has no header".into()));
        }
        Ok(frames)
    }

    /// How often the animation is shown; 0 means for ever.
    pub fn loops(&self) -> u32 {
        self.info.loop_count
    }

    /// The next canvas, and the end of its time on the screen in milliseconds from the start of the animation.
    pub fn next_frame(&mut self) -> Result<Option<(Raster, u32)>, Fault> {
        // SAFETY: the decoder is alive.
        if unsafe { c::WebPAnimDecoderHasMoreFrames(self.decoder) } == 0 {
            return Ok(None);
        }
        let mut canvas = ptr::null_mut();
        let mut until = 0;
        // SAFETY: the decoder is alive; C writes one pointer and one number.
        let read =
            unsafe { c::WebPAnimDecoderGetNext(self.decoder, &raw mut canvas, &raw mut until) };
        if read == 0 || canvas.is_null() {
            return Err(Fault::Corrupt("a frame cannot be decoded".into()));
        }
        let size = Dimensions::new(self.info.canvas_width, self.info.canvas_height);
        // SAFETY: the canvas belongs to the decoder, has four bytes for each of its pixels, and stays as it is until the
        // next call, which needs `self` again.
        let pixels = unsafe { std::slice::from_raw_parts(canvas, length(size, Channels::Rgba)) };
        let raster = Raster::new(size, Channels::Rgba, pixels.to_vec())?;
        Ok(Some((raster, u32::try_from(until).unwrap_or(0))))
    }
}

impl Drop for Frames<'_> {
    fn drop(&mut self) {
        // SAFETY: made by `WebPAnimDecoderNew`, deleted once.
        unsafe { c::WebPAnimDecoderDelete(self.decoder) };
    }
}

/// Encodes a picture of three or four channels with losses; `quality` is from 1 to 100.
pub fn encode(raster: &Raster, quality: u8) -> Result<Vec<u8>, Fault> {
    let (width, height) = sides(raster.size())?;
    let stride = int(raster.pitch());
    let pixels = raster.pixels().as_ptr();
    let mut out = ptr::null_mut();
    let quality = f32::from(quality);
    // SAFETY: a `Raster` has exactly `height` rows of `stride` bytes, of three or four bytes a pixel as its channels say;
    // C writes a pointer to memory that it allocated, or leaves null.
    let length = unsafe {
        match raster.channels() {
            Channels::Rgb => c::WebPEncodeRGB(pixels, width, height, stride, quality, &raw mut out),
            Channels::Rgba => {
                c::WebPEncodeRGBA(pixels, width, height, stride, quality, &raw mut out)
            }
            _ => return Err(wrong_channels()),
        }
    };
    if length == 0 || out.is_null() {
        return Err(Fault::Unsupported("libwebp cannot encode this picture".into()));
    }
    // SAFETY: C says that `length` bytes lie there; they are copied before they are freed.
    let bytes = unsafe { std::slice::from_raw_parts(out, length) }.to_vec();
    // SAFETY: allocated by C, freed once.
    unsafe { c::WebPFree(out.cast()) };
    Ok(bytes)
}

pub struct Animation {
    encoder: *mut c::WebPAnimEncoder,
    config: c::WebPConfig,
    size: Dimensions,
    /// When the next frame begins, in milliseconds from the start.
    clock: c_int,
}

impl Animation {
    pub fn new(size: Dimensions, repeat: Repeat, quality: u8) -> Result<Self, Fault> {
        let mut config = c::WebPConfig::new().map_err(|()| mismatch())?;
        config.quality = f32::from(quality);
        let mut options = std::mem::MaybeUninit::<c::WebPAnimEncoderOptions>::zeroed();
        let version = c::WebPGetMuxABIVersion();
        // SAFETY: C fills the options, which are plain numbers, so that zeros are valid too.
        let mut options = unsafe {
            if c::WebPAnimEncoderOptionsInitInternal(options.as_mut_ptr(), version) == 0 {
                return Err(mismatch());
            }
            options.assume_init()
        };
        options.anim_params.loop_count = match repeat {
            Repeat::Forever => 0,
            Repeat::Times(times) => times.into(),
        };
        let (width, height) = sides(size)?;
        // SAFETY: C copies the options.
        let encoder =
            unsafe { c::WebPAnimEncoderNewInternal(width, height, &raw const options, version) };
        if encoder.is_null() {
            return Err(Fault::Unsupported(format!("libwebp cannot animate {size} pixels")));
        }
        Ok(Self { encoder, config, size, clock: 0 })
    }
}

impl AnimationEncoder for Animation {
    fn add(&mut self, Frame { raster, duration }: Frame) -> Result<(), Fault> {
        let raster = match raster.channels() {
            Channels::Rgba => raster,
            _ => with_binary_alpha(raster),
        };
        if raster.size() != self.size || raster.channels() != Channels::Rgba {
            return Err(wrong_channels());
        }
        let mut picture = c::WebPPicture::new().map_err(|()| mismatch())?;
        (picture.width, picture.height) = sides(self.size)?;
        picture.use_argb = 1;
        // SAFETY: the picture is initialised and of the raster's size; C allocates its own copy of the pixels and reads
        // `height` rows of `pitch` bytes. It is freed once, whatever comes of it.
        let added = unsafe {
            let pixels = raster.pixels().as_ptr();
            let read = c::WebPPictureImportRGBA(&raw mut picture, pixels, int(raster.pitch())) != 0;
            let added = read
                && c::WebPAnimEncoderAdd(
                    self.encoder,
                    &raw mut picture,
                    self.clock,
                    &raw const self.config,
                ) != 0;
            c::WebPPictureFree(&raw mut picture);
            added
        };
        self.clock = self.clock.saturating_add(c_int::try_from(duration).unwrap_or(c_int::MAX));
        added.then_some(()).ok_or_else(|| Fault::Unsupported("libwebp refuses a frame".into()))
    }

    fn finish(self: Box<Self>) -> Result<Vec<u8>, Fault> {
        let mut data = c::WebPData::default();
        // SAFETY: the encoder is alive; a null picture marks the end; C writes a pointer to memory that it allocated.
        let assembled = unsafe {
            c::WebPAnimEncoderAdd(self.encoder, ptr::null_mut(), self.clock, ptr::null()) != 0
                && c::WebPAnimEncoderAssemble(self.encoder, &raw mut data) != 0
        };
        if !assembled || data.bytes.is_null() {
            return Err(Fault::Unsupported("libwebp cannot assemble the animation".into()));
        }
        // SAFETY: C says that `size` bytes lie there; they are copied, then freed once.
        let bytes = unsafe { std::slice::from_raw_parts(data.bytes, data.size) }.to_vec();
        // SAFETY: allocated by C, freed once.
        unsafe { c::WebPDataClear(&mut data) };
        Ok(bytes)
    }
}

impl Drop for Animation {
    fn drop(&mut self) {
        // SAFETY: made by `WebPAnimEncoderNewInternal`, deleted once.
        unsafe { c::WebPAnimEncoderDelete(self.encoder) };
    }
}

fn check(status: c::VP8StatusCode) -> Result<(), Fault> {
    use c::VP8StatusCode as Status;
    match status {
        Status::VP8_STATUS_OK => Ok(()),
        // The chunk is whole: a file that was cut short does not come so far.
        Status::VP8_STATUS_NOT_ENOUGH_DATA | Status::VP8_STATUS_SUSPENDED => {
            Err(Fault::Corrupt("the picture's data ends too early".into()))
        }
        Status::VP8_STATUS_UNSUPPORTED_FEATURE => {
            Err(Fault::Unsupported("a WebP of an unknown kind".into()))
        }
        other => Err(Fault::Corrupt(format!("libwebp: {other:?}"))),
    }
}

fn sides(size: Dimensions) -> Result<(c_int, c_int), Fault> {
    let number = |side: u32| {
        let words = || format!("a WebP's side is at most {MAX_SIDE} pixels, this one has {side}");
        let fits = c_int::try_from(side).ok().filter(|_| side <= MAX_SIDE);
        fits.ok_or_else(|| Fault::Unsupported(words()))
    };
    Ok((number(size.width)?, number(size.height)?))
}

/// A row's length: at most 65,535 pixels of four bytes.
fn int(length: usize) -> c_int {
    c_int::try_from(length).unwrap_or(c_int::MAX)
}

fn mismatch() -> Fault {
    Fault::Unsupported("libwebp is of another version than its headers".into())
}

fn wrong_channels() -> Fault {
    Fault::Unsupported("the picture is not of the kind that libwebp takes".into())
}
