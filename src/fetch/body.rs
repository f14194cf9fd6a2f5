//! The body of a response, read piece by piece.

use std::io::{self, Read};
use std::ops::ControlFlow;

use ureq::BodyReader;

use crate::fetch::error::Error;
use words::byte_count::ByteCount;
use words::locator::Url;

const CHUNK: usize = 64 << 10;

/// A part of a body. Pieces come in order.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'b> {
    pub offset: u64,
    pub bytes: &'b [u8],
    /// The length of the whole body, if the server announced it.
    pub expected: Option<u64>,
}

/// A file that was downloaded completely.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    pub length: u64,
    /// The URL that the last redirect led to.
    pub url: Url,
    /// The type that the server claims.
    pub content_type: Option<String>,
}

/// A body that was not read yet.
pub(super) struct Body {
    pub(super) reader: BodyReader<'static>,
    pub(super) expected: Option<u64>,
    pub(super) limit: ByteCount,
    pub(super) content_type: Option<String>,
}

impl Body {
    pub(super) fn read(
        mut self,
        url: Url,
        take: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> Result<Fetched, Error> {
        let (expected, limit) = (self.expected, self.limit);
        let mut buffer = vec![0; CHUNK];
        let mut length = 0;
        loop {
            let count = match self.reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(broken(&url, length, expected, error)),
            };
            let piece = Piece { offset: length, bytes: &buffer[..count], expected };
            length += count as u64;
            if length > limit.0 {
                return Err(Error::TooLarge { length, limit });
            }
            if take(piece).is_break() {
                return Err(Error::Stopped);
            }
        }
        if expected.is_some_and(|expected| expected != length) {
            return Err(Error::Truncated { host: url.host(), received: length, expected });
        }
        Ok(Fetched { length, url, content_type: self.content_type })
    }
}

/// The error of a connection that broke while the body was read.
fn broken(url: &Url, received: u64, expected: Option<u64>, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted => {
            Error::Truncated { host: url.host(), received, expected }
        }
        _ => Error::of(url, ureq::Error::from(error)),
    }
}
