//! AV1 decoding by rav1d: one coded picture to its planes, on the calling thread alone.
//!
//! `unsafe` is allowed in this file because rav1d offers the C interface of dav1d only. Pointers do not leave the file, and
//! memory that is read through them lives as long as the picture that owns it.
#![allow(unsafe_code)]

use std::borrow::Cow;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

use rav1d::include::dav1d::data::Dav1dData;
use rav1d::include::dav1d::dav1d::{Dav1dContext, Dav1dLogger, Dav1dSettings};
use rav1d::include::dav1d::headers::{
    DAV1D_PIXEL_LAYOUT_I400, DAV1D_PIXEL_LAYOUT_I420, DAV1D_PIXEL_LAYOUT_I422,
};
use rav1d::include::dav1d::picture::Dav1dPicture;
use rav1d::src::lib as c;

use super::plan::Colours;
use crate::job::Fault;
use words::dimensions::Dimensions;

/// A decoded picture, in memory of rav1d.
pub struct Picture {
    inner: Dav1dPicture,
}

#[derive(Debug, Clone, Copy)]
pub enum Row<'a> {
    Eight(&'a [u8]),
    /// 10 or 12 bits in two bytes.
    Deep(&'a [u16]),
}

impl Row<'_> {
    /// The sample in this column; 0 behind the end.
    pub fn at(self, column: usize) -> u16 {
        match self {
            Self::Eight(samples) => samples.get(column).copied().unwrap_or_default().into(),
            Self::Deep(samples) => samples.get(column).copied().unwrap_or_default(),
        }
    }
}

/// Decodes the picture of a still item. Of several layers it returns the last, as viewers do.
pub fn decode(coded: &[u8], most_pixels: u64) -> Result<Picture, Fault> {
    let decoder = Decoder::open(most_pixels)?;
    let mut data = Data::of(&without_metadata(coded))?;
    let mut last = None;
    while data.0.sz > 0 {
        let left = data.0.sz;
        // SAFETY: the decoder is open, and the data was allocated by rav1d, which takes over what it has read.
        let sent = unsafe { c::dav1d_send_data(decoder.0, Some(NonNull::from(&mut data.0))) };
        if sent.0 < 0 && sent.0 != again() {
            return Err(damaged());
        }
        let shown = decoder.drain(&mut last)?;
        if data.0.sz == left && !shown {
            return Err(damaged());
        }
    }
    decoder.drain(&mut last)?;
    last.ok_or_else(|| Fault::Truncated("the image has no picture in it".into()))
}

/// The units (OBU, AV1 5.3) without those of metadata, which change no pixel: rav1d 1.1 counts below zero in an empty one of
/// ITU-T T.35, and ends the process. What is no unit is left to the decoder.
fn without_metadata(coded: &[u8]) -> Cow<'_, [u8]> {
    const METADATA: u8 = 5;
    let mut kept = Vec::new();
    let (mut at, mut clean) = (0, 0);
    while let Some((kind, end)) = unit(coded, at) {
        if kind == METADATA {
            kept.extend_from_slice(&coded[clean..at]);
            clean = end;
        }
        at = end;
    }
    if clean == 0 {
        return Cow::Borrowed(coded);
    }
    kept.extend_from_slice(&coded[clean..]);
    Cow::Owned(kept)
}

/// The kind of the unit that begins here, and its end. `None` at the end and for bytes that are no unit.
fn unit(coded: &[u8], at: usize) -> Option<(u8, usize)> {
    let head = *coded.get(at)?;
    let (is_extended, has_size) = (head & 4 != 0, head & 2 != 0);
    let kind = head >> 3 & 15;
    let mut body = at + 1 + usize::from(is_extended);
    if !has_size {
        return Some((kind, coded.len()));
    }
    let mut size = 0_u64;
    for shift in (0..56).step_by(7) {
        let byte = *coded.get(body)?;
        body += 1;
        size |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            let end = body.checked_add(usize::try_from(size).ok()?)?;
            return (end <= coded.len()).then_some((kind, end));
        }
    }
    None
}

impl Picture {
    pub fn size(&self) -> Dimensions {
        let side = |side| u32::try_from(side).unwrap_or_default();
        Dimensions::new(side(self.inner.p.w), side(self.inner.p.h))
    }

    /// Bits a sample: 8, 10 or 12.
    pub fn depth(&self) -> u32 {
        u32::try_from(self.inner.p.bpc).unwrap_or(8).clamp(8, 16)
    }

    /// How much smaller the chroma planes are across and down, as shifts. `None` for a picture without chroma planes.
    pub fn subsampling(&self) -> Option<(u32, u32)> {
        match self.inner.p.layout {
            DAV1D_PIXEL_LAYOUT_I400 => None,
            DAV1D_PIXEL_LAYOUT_I420 => Some((1, 1)),
            DAV1D_PIXEL_LAYOUT_I422 => Some((1, 0)),
            _ => Some((0, 0)),
        }
    }

    /// The colours as the bitstream describes them.
    pub fn colours(&self) -> Colours {
        let Some(header) = self.inner.seq_hdr else { return Colours::UNSPECIFIED };
        // SAFETY: the picture owns the header, which lives as long and is not written to.
        let header = unsafe { header.as_ref() };
        let code = |code: u32| u16::try_from(code).unwrap_or(2);
        let (primaries, transfer) = (code(header.pri), code(header.trc));
        let (matrix, full_range) = (code(header.mtrx), header.color_range != 0);
        Colours { primaries, transfer, matrix, full_range }
    }

    /// A row of a plane: 0 is luma, 1 and 2 are chroma. A row outside of the picture is empty.
    pub fn row(&self, plane: usize, row: u32) -> Row<'_> {
        self.row_inside(plane, row).unwrap_or(Row::Eight(&[]))
    }

    fn row_inside(&self, plane: usize, row: u32) -> Option<Row<'_>> {
        let (mut width, mut height) = (self.size().width, self.size().height);
        if plane > 0 {
            let (across, down) = self.subsampling()?;
            (width, height) = (width.div_ceil(1 << across), height.div_ceil(1 << down));
        }
        let data = (*self.inner.data.get(plane)?)?;
        let stride = self.inner.stride.get(usize::from(plane > 0))?;
        let at = isize::try_from(row).ok().filter(|_| row < height)?;
        let width = usize::try_from(width).ok()?;
        // SAFETY: the plane has `height` rows of `width` samples, `stride` bytes apart, aligned to 64 bytes; `row` is one of
        // them. The picture owns them, and its decoder, which wrote them, is closed.
        Some(unsafe {
            let start = data.as_ptr().cast::<u8>().offset(at.saturating_mul(*stride));
            if self.depth() == 8 {
                Row::Eight(std::slice::from_raw_parts(start, width))
            } else {
                #[allow(clippy::cast_ptr_alignment)] // Rows begin at multiples of 64 bytes.
                Row::Deep(std::slice::from_raw_parts(start.cast::<u16>(), width))
            }
        })
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        // SAFETY: rav1d made the picture, which is released once.
        unsafe { c::dav1d_picture_unref(Some(NonNull::from(&mut self.inner))) };
    }
}

struct Decoder(Option<Dav1dContext>);

impl Decoder {
    fn open(most_pixels: u64) -> Result<Self, Fault> {
        let mut settings = MaybeUninit::<Dav1dSettings>::uninit();
        let at = NonNull::from(&mut settings).cast();
        // SAFETY: rav1d writes every field of the settings.
        let mut settings = unsafe {
            c::dav1d_default_settings(at);
            settings.assume_init()
        };
        settings.n_threads = 1;
        settings.max_frame_delay = 1;
        settings.all_layers = 0;
        settings.frame_size_limit = u32::try_from(most_pixels).unwrap_or(u32::MAX);
        // Without a logger, so that hostile bytes cannot fill the journal.
        // SAFETY: without a callback there is nothing to call.
        settings.logger = unsafe { Dav1dLogger::new(None, None) };
        let mut context = None;
        let (out, with) = (NonNull::from(&mut context), NonNull::from(&mut settings));
        // SAFETY: context and settings live through the call.
        let opened = unsafe { c::dav1d_open(Some(out), Some(with)) };
        if opened.0 < 0 {
            return Err(Fault::Unsupported("the AV1 decoder cannot start".into()));
        }
        Ok(Self(context))
    }

    /// Takes all pictures that are ready and keeps the last. Returns whether there was one.
    fn drain(&self, last: &mut Option<Picture>) -> Result<bool, Fault> {
        let mut found = false;
        loop {
            let mut picture = Dav1dPicture::default();
            // SAFETY: the decoder is open; rav1d writes every field of the picture.
            let got = unsafe { c::dav1d_get_picture(self.0, Some(NonNull::from(&mut picture))) };
            match got.0 {
                0 => (*last, found) = (Some(Picture { inner: picture }), true),
                error if error == again() => return Ok(found),
                _ => return Err(damaged()),
            }
        }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the decoder was opened by `open` and is closed once; pictures outlive it by their own reference count.
        unsafe { c::dav1d_close(Some(NonNull::from(&mut self.0))) };
    }
}

/// Coded bytes in memory of rav1d.
struct Data(Dav1dData);

impl Data {
    fn of(coded: &[u8]) -> Result<Self, Fault> {
        let mut data = Dav1dData::default();
        // SAFETY: rav1d writes every field of the struct.
        let memory = unsafe { c::dav1d_data_create(Some(NonNull::from(&mut data)), coded.len()) };
        let Some(memory) = NonNull::new(memory) else {
            return Err(Fault::Unsupported("no memory for an AV1 image".into()));
        };
        // SAFETY: the memory is new and has as many bytes as `coded`.
        unsafe { memory.copy_from_nonoverlapping(NonNull::from(coded).cast(), coded.len()) };
        Ok(Self(data))
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        // SAFETY: what rav1d has not taken over is released once.
        unsafe { c::dav1d_data_unref(Some(NonNull::from(&mut self.0))) };
    }
}

/// The status by which rav1d asks for more bytes.
fn again() -> i32 {
    -rustix::io::Errno::AGAIN.raw_os_error()
}

fn damaged() -> Fault {
    Fault::Corrupt("the coded image cannot be decoded".into())
}
