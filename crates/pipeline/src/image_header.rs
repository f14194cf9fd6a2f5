//! The header of an image: its format and its size as shown, read without decoding. Its pixels may still be damaged.

use std::fs::File;
use std::io;

use crate::format;
use crate::format::partial::{Found, Partial, Stop};
use crate::identify;
use crate::job::Fault;
use words::dimensions::Dimensions;
use words::media_type::{Format, MediaType};

/// The length of the longest signature of an image, that of a bitmap with its second header.
const SIGNATURE_MAX: usize = 18;

/// The findings in the beginning of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Header {
    /// The bytes so far are too few to tell.
    NeedMore,
    Image {
        format: Format,
        /// As shown: the EXIF orientation, if it was found, is applied.
        dimensions: Dimensions,
        sides: Sides,
    },
    /// No image, or one of a format that is not read.
    NotAnImage(MediaType),
    /// The signature of an image, but no size that can be read.
    Broken(Flaw),
}

impl Header {
    /// The dimensions as shown, of an image with a good header.
    pub fn dimensions(&self) -> Option<Dimensions> {
        match self {
            Self::Image { dimensions, .. } => Some(*dimensions),
            _ => None,
        }
    }
}

/// Whether width and height are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sides {
    Final,
    /// Bytes still to come may hold an orientation that exchanges them.
    MaySwap,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    Truncated,
    Corrupt,
    /// A side is zero, or no part of the file says how long the sides are.
    NoSize,
    /// A finding that a decoder would make, too.
    Fault(Fault),
}

/// Reads the header of a file of which these bytes have arrived. More may follow.
pub fn of_prefix(prefix: &[u8]) -> Header {
    // Bytes in memory have no I/O that could fail.
    read(&Partial { head: prefix, file: None }).unwrap_or(Header::NeedMore)
}

/// Reads the header of a whole file whose beginning is in memory already, with as few reads as the format needs.
pub fn of_file(head: &[u8], file: &File) -> io::Result<Header> {
    read(&Partial { head, file: Some(file) })
}

fn read(source: &Partial<'_>) -> io::Result<Header> {
    let media_type = match identify::of(source) {
        Ok(media_type) => media_type,
        Err(Stop::Io(error)) => return Err(error),
        Err(_) => return Ok(Header::NeedMore),
    };
    let Some(format) = media_type.format() else {
        // Fewer bytes than the longest signature may still become an image that begins like them.
        let more = source.file.is_none() && source.head.len() < SIGNATURE_MAX;
        let undecided = more && format::may_begin_an_image(source.head);
        return Ok(if undecided { Header::NeedMore } else { Header::NotAnImage(media_type) });
    };
    let mut found = Found::default();
    let walked = (format::codec(format).header)(source, &mut found);
    Ok(match (walked, found.shown()) {
        (Err(Stop::Io(error)), _) => return Err(error),
        (Err(Stop::NeedMore), Some(dimensions)) if found.orientation.is_none() => {
            Header::Image { format, dimensions, sides: Sides::MaySwap }
        }
        (_, Some(dimensions)) => Header::Image { format, dimensions, sides: Sides::Final },
        (Err(Stop::NeedMore), None) => Header::NeedMore,
        (Err(Stop::Truncated), None) => Header::Broken(Flaw::Truncated),
        (Err(Stop::Corrupt), None) => Header::Broken(Flaw::Corrupt),
        (Err(Stop::Fault(fault)), None) => Header::Broken(Flaw::Fault(fault)),
        (Err(Stop::NoSize) | Ok(()), None) => Header::Broken(Flaw::NoSize),
    })
}

#[cfg(test)]
mod tests;
