//! The survey: the findings of a walk through a container, which decodes no pixels, and the reads of such a walk.

use crate::exif::Orientation;
use crate::job::{Fault, Limits, at_most};
use words::dimensions::Dimensions;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// As the pixels lie in the file, before any EXIF orientation.
    pub size: Dimensions,
    /// 1 for a still image.
    pub frames: u32,
    /// A TIFF structure, without the prefix that a JPEG puts before it.
    pub exif: Option<Vec<u8>>,
    /// As the header says it, by which the rules are judged.
    pub orientation: Orientation,
    /// The ICC profile, where the container holds it uncompressed.
    pub profile: Option<Vec<u8>>,
    pub coding: Coding,
}

/// The coding of the pixels, as far as a decoder or an encoder needs to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    Plain,
    /// A JPEG in several scans of growing detail.
    Progressive,
}

/// Whether the ICC profile of a stripped file stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    Kept,
    /// It cannot be read, or is larger than metadata may be.
    Dropped,
}

impl Survey {
    /// A still image of which nothing but the size was found.
    pub fn of_size(size: Dimensions) -> Self {
        let orientation = Orientation::Upright;
        Self { size, frames: 1, exif: None, orientation, profile: None, coding: Coding::Plain }
    }

    /// The size as a viewer shows it that obeys the orientation.
    pub fn shown(&self) -> Dimensions {
        self.orientation.applied_to(self.size)
    }

    /// Passes a survey whose frames are not empty and within the limits.
    pub fn checked(self, limits: &Limits) -> Result<Self, Fault> {
        if self.size.width == 0 || self.size.height == 0 {
            return Err(Fault::Corrupt(format!("the image is {}", self.size)));
        }
        let pixels = self.size.pixels();
        at_most("pixels", pixels, limits.max_pixels)?;
        at_most("frames", self.frames.into(), limits.max_frames.into())?;
        let total = pixels.saturating_mul(self.frames.into());
        at_most("pixels of all frames", total, limits.max_total_pixels)?;
        Ok(self)
    }
}

pub fn truncated(what: &str) -> Fault {
    Fault::Truncated(format!("the file ends in {what}"))
}

pub fn corrupt(what: &str) -> Fault {
    Fault::Corrupt(what.into())
}

/// `length` bytes from `at`; `what` says what the bytes are a part of. Errors: `Truncated` beyond the end of the file.
pub fn slice<'a>(bytes: &'a [u8], at: usize, length: usize, what: &str) -> Result<&'a [u8], Fault> {
    let end = at.checked_add(length).ok_or_else(|| truncated(what))?;
    bytes.get(at..end).ok_or_else(|| truncated(what))
}

/// Like [`slice`], of a length known when the program is compiled.
pub fn array<const N: usize>(bytes: &[u8], at: usize, what: &str) -> Result<[u8; N], Fault> {
    let part = slice(bytes, at, N, what)?;
    part.try_into().map_err(|_| truncated(what))
}
