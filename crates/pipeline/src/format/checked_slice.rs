//! Reading numbers and slices of untrusted bytes: what lies beyond their end is `Truncated`.

use crate::job::Fault;

pub fn truncated(what: &str) -> Fault {
    Fault::Truncated(format!("the file ends in {what}"))
}

pub fn corrupt(what: &str) -> Fault {
    Fault::Corrupt(what.into())
}

/// `length` bytes from `at`; `what` says what the bytes are a part of.
pub fn slice<'a>(bytes: &'a [u8], at: usize, length: usize, what: &str) -> Result<&'a [u8], Fault> {
    let end = at.checked_add(length).ok_or_else(|| truncated(what))?;
    bytes.get(at..end).ok_or_else(|| truncated(what))
}

/// Like [`slice`], of a length known when the program is compiled.
pub fn array<const N: usize>(bytes: &[u8], at: usize, what: &str) -> Result<[u8; N], Fault> {
    let part = slice(bytes, at, N, what)?;
    part.try_into().map_err(|_| truncated(what))
}
