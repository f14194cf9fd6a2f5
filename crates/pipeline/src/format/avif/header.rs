//! The size in the `meta` box of an AVIF, as it is shown after the turn that the container asks for.

use super::plan::{extent, shown, turn};
use crate::format::checked_slice::corrupt;
use crate::format::heif::isobmff::{self, Boxed, Reader};
use crate::format::partial::{Found, Partial, Rest, Stop};
use crate::job::Fault;
use words::dimensions::Dimensions;

/// Encoders write the box that holds the size near the beginning; a file that has it deeper has no known size.
pub fn read(source: &Partial<'_>, found: &mut Found) -> Result<(), Stop> {
    match shown_size(source.head) {
        Ok(Some(size)) => found.size(size.width, size.height),
        Ok(None) if matches!(source.rest, Rest::Later) => Err(Stop::NeedMore),
        Ok(None) | Err(Fault::Truncated(_)) => Err(Stop::Truncated),
        Err(_) => Err(Stop::Corrupt),
    }
}

/// `None` if the beginning does not hold the whole `meta` box.
pub fn shown_size(head: &[u8]) -> Result<Option<Dimensions>, Fault> {
    let mut at = 0;
    loop {
        // The box may end behind what is here.
        let mut reader = Reader::new(head, at..head.len());
        let (Ok(size), Ok(kind)) = (reader.number(4), reader.take(4)) else { return Ok(None) };
        let size = match size {
            1 => match reader.number(8) {
                Ok(size) => size,
                Err(_) => return Ok(None),
            },
            size => size,
        };
        let end = usize::try_from(size).ok().and_then(|size| at.checked_add(size));
        let Some(end) = end.filter(|end| size >= 8 && *end <= head.len()) else {
            return if size < 8 { Err(corrupt("a box has no end")) } else { Ok(None) };
        };
        if kind == b"meta" {
            let body = reader.rest().start..end;
            let meta = isobmff::meta(head, &Boxed { kind: *b"meta", whole: at..end, body })?;
            let stored = extent(head, &meta, meta.primary)?;
            return Ok(Some(shown(stored, turn(head, &meta)?)));
        }
        at = end;
    }
}
