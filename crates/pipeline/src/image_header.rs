//! The header of an image: its format and its size as shown, read without decoding. The image behind a good header may still be
//! damaged.

use std::fs::File;
use std::io;

use crate::format;
use crate::format::partial::{Found, Partial, Rest, Stop};
use crate::identify::identify;
use words::dimensions::Dimensions;
use words::media_type::{Format, MediaType};

/// The length of the longest signature of an image.
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
    /// The signature of an image, but no size.
    Broken(Flaw),
}

/// Whether width and height are final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sides {
    Final,
    /// Bytes still to come may hold an orientation that exchanges them.
    MaySwap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    Truncated,
    Corrupt,
}

/// Reads the header of a file of which these bytes have arrived.
pub fn of_prefix(prefix: &[u8], end: End) -> Header {
    let rest = match end {
        End::Open => Rest::Later,
        End::Whole => Rest::Nothing,
    };
    // Bytes in memory have no I/O that could fail.
    read(&Partial { head: prefix, rest }).unwrap_or(Header::Broken(Flaw::Truncated))
}

/// Reads the header of a whole file whose beginning is in memory already, with as few reads as the format needs.
pub fn of_file(head: &[u8], file: &File) -> io::Result<Header> {
    read(&Partial { head, rest: Rest::File(file) })
}

/// Whether more bytes may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Open,
    Whole,
}

fn read(source: &Partial<'_>) -> io::Result<Header> {
    let media_type = identify(source.head);
    let Some(format) = media_type.format() else { return Ok(not_an_image(source, media_type)) };
    let mut found = Found::default();
    let walked = (format::codec(format).header)(source, &mut found);
    Ok(match (walked, found.shown()) {
        (Err(Stop::Io(error)), _) => return Err(error),
        (Err(Stop::NeedMore), None) => Header::NeedMore,
        (Err(Stop::NeedMore), Some(dimensions)) => {
            let sides = if found.orientation.is_some() { Sides::Final } else { Sides::MaySwap };
            Header::Image { format, dimensions, sides }
        }
        (_, Some(dimensions)) if dimensions.pixels() > 0 => {
            Header::Image { format, dimensions, sides: Sides::Final }
        }
        (Err(Stop::Truncated), None) => Header::Broken(Flaw::Truncated),
        (_, _) => Header::Broken(Flaw::Corrupt),
    })
}

/// The header of a file that no format recognises. The longest signature has 18 bytes, the second header of a bitmap included.
/// Fewer bytes leave open whether the file is an image, if one can begin like them.
fn not_an_image(source: &Partial<'_>, media_type: MediaType) -> Header {
    let more = matches!(source.rest, Rest::Later) && source.head.len() < SIGNATURE_MAX;
    let undecided = more && format::may_begin_an_image(source.head);
    if undecided { Header::NeedMore } else { Header::NotAnImage(media_type) }
}

#[cfg(test)]
mod tests;
