//! Safe functions around libwebp: decoding and encoding, still and animated. Callers have checked sizes before.
//!
//! `unsafe` is allowed in this file because libwebp is C. Each block says what C relies on; every pointer that C hands out
//! is freed by the type or the function that asked for it.
#![allow(unsafe_code)]

use std::ffi::c_int;
use std::ptr;

use libwebp_sys as c;

use crate::job::Fault;
use crate::raster::{Channels, Raster, length};
use words::dimensions::Dimensions;

/// The header of a bitstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    pub size: Dimensions,
    pub alpha: bool,
    pub animated: bool,
}

/// The longest side of a WebP.
pub const MAX_SIDE: u32 = 16_383;

pub fn features(bytes: &[u8]) -> Result<Features, Fault> {
    let mut found = c::WebPBitstreamFeatures {
        width: 0,
        height: 0,
        has_alpha: 0,
        has_animation: 0,
        format: 0,
        pad: [0; 5],
    };
    // SAFETY: C reads `bytes.len()` bytes and writes one struct of its own layout.
    let status = unsafe { c::WebPGetFeatures(bytes.as_ptr(), bytes.len(), &raw mut found) };
    check(status)?;
    let side = |side| u32::try_from(side).unwrap_or(0);
    Ok(Features {
        size: Dimensions::new(side(found.width), side(found.height)),
        alpha: found.has_alpha != 0,
        animated: found.has_animation != 0,
    })
}

/// Decodes a still picture with these features.
pub fn decode(bytes: &[u8], features: &Features) -> Result<Raster, Fault> {
    let channels = if features.alpha { Channels::Rgba } else { Channels::Rgb };
    let mut raster = Raster::blank(features.size, channels);
    let stride = int(raster.pitch());
    let pixels = raster.pixels_mut();
    let mut config = c::WebPDecoderConfig::new().map_err(|()| mismatch())?;
    config.output.colorspace =
        if features.alpha { c::WEBP_CSP_MODE::MODE_RGBA } else { c::WEBP_CSP_MODE::MODE_RGB };
    config.output.is_external_memory = 1;
    config.output.u.RGBA =
        c::WebPRGBABuffer { rgba: pixels.as_mut_ptr(), stride, size: pixels.len() };
    // SAFETY: C reads `bytes.len()` bytes and writes into `pixels`, whose length and stride it was told; it checks that
    // the picture fits before it writes. The memory is ours, so there is nothing to free.
    let status = unsafe { c::WebPDecode(bytes.as_ptr(), bytes.len(), &raw mut config) };
    check(status)?;
    Ok(raster)
}

/// The frames of an animation, composed by libwebp.
pub struct Frames<'a> {
    decoder: *mut c::WebPAnimDecoder,
    size: Dimensions,
    loops: u32,
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
        let mut frames = Self {
            decoder,
            size: Dimensions::new(0, 0),
            loops: 0,
            _bytes: std::marker::PhantomData,
        };
        let mut info = c::WebPAnimInfo::default();
        // SAFETY: the decoder is alive; C writes one struct of its own layout.
        if unsafe { c::WebPAnimDecoderGetInfo(decoder, &raw mut info) } == 0 {
            return Err(Fault::Corrupt("the animation has no header".into()));
        }
        frames.size = Dimensions::new(info.canvas_width, info.canvas_height);
        frames.loops = info.loop_count;
        Ok(frames)
    }

    /// How often the animation is shown; 0 means for ever.
    pub fn loops(&self) -> u32 {
        self.loops
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
        // SAFETY: the canvas belongs to the decoder, has four bytes for each of its pixels, and stays as it is until the
        // next call, which needs `self` again.
        let pixels =
            unsafe { std::slice::from_raw_parts(canvas, length(self.size, Channels::Rgba)) };
        let raster = Raster::new(self.size, Channels::Rgba, pixels.to_vec())?;
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
    let (width, height) = sides(raster)?;
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

/// Assembles an animation.
pub struct Animation {
    encoder: *mut c::WebPAnimEncoder,
    config: c::WebPConfig,
    size: Dimensions,
    /// When the next frame begins, in milliseconds from the start.
    clock: c_int,
}

impl Animation {
    /// An animation that is shown so many times; 0 means for ever.
    pub fn new(size: Dimensions, loops: u16, quality: u8) -> Result<Self, Fault> {
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
        options.anim_params.loop_count = c_int::from(loops);
        let (width, height) = (side(size.width)?, side(size.height)?);
        // SAFETY: C copies the options.
        let encoder =
            unsafe { c::WebPAnimEncoderNewInternal(width, height, &raw const options, version) };
        if encoder.is_null() {
            return Err(Fault::Unsupported(format!("libwebp cannot animate {size} pixels")));
        }
        Ok(Self { encoder, config, size, clock: 0 })
    }

    /// Adds a canvas of four channels that is shown for `duration` milliseconds.
    pub fn add_canvas(&mut self, raster: &Raster, duration: u32) -> Result<(), Fault> {
        if raster.size() != self.size || raster.channels() != Channels::Rgba {
            return Err(wrong_channels());
        }
        let mut picture = c::WebPPicture::new().map_err(|()| mismatch())?;
        (picture.width, picture.height) = sides(raster)?;
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

    pub fn assemble(self) -> Result<Vec<u8>, Fault> {
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
        Status::VP8_STATUS_NOT_ENOUGH_DATA | Status::VP8_STATUS_SUSPENDED => {
            Err(Fault::Truncated("the picture's data ends too early".into()))
        }
        Status::VP8_STATUS_UNSUPPORTED_FEATURE => {
            Err(Fault::Unsupported("a WebP of an unknown kind".into()))
        }
        other => Err(Fault::Corrupt(format!("libwebp: {other:?}"))),
    }
}

fn sides(raster: &Raster) -> Result<(c_int, c_int), Fault> {
    Ok((side(raster.size().width)?, side(raster.size().height)?))
}

fn side(side: u32) -> Result<c_int, Fault> {
    let fits = c_int::try_from(side).ok().filter(|_| side <= MAX_SIDE);
    let too_long = || format!("a WebP's side is at most {MAX_SIDE} pixels, this one has {side}");
    fits.ok_or_else(|| Fault::Unsupported(too_long()))
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
