//! The response of a server: a body to be read piece by piece, a redirect to be followed, or an error.

use std::io::{self, Read};
use std::ops::ControlFlow;

use ureq::BodyReader;
use ureq::http::{self, HeaderMap, HeaderName, header};

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

/// A response that is no error.
pub(super) enum Response {
    Body(Body),
    Redirect(Url),
}

/// A body that was not read yet.
pub(super) struct Body {
    reader: BodyReader<'static>,
    expected: Option<u64>,
    limit: ByteCount,
    content_type: Option<String>,
}

impl Response {
    pub(super) fn of(
        response: http::Response<ureq::Body>,
        url: &Url,
        limit: ByteCount,
    ) -> Result<Self, Error> {
        let (parts, body) = response.into_parts();
        match parts.status.as_u16() {
            200 => {}
            301 | 302 | 303 | 307 | 308 => {
                return redirect(&parts.headers, url).map(Self::Redirect);
            }
            status => return Err(Error::Status { host: url.host(), status }),
        }
        if let Some(encoding) = foreign_encoding(&parts.headers) {
            return Err(Error::Encoding { host: url.host(), encoding });
        }
        let expected = body.content_length();
        if let Some(length) = expected.filter(|length| *length > limit.0) {
            return Err(Error::TooLarge { length, limit });
        }
        let content_type = text(&parts.headers, &header::CONTENT_TYPE);
        Ok(Self::Body(Body { reader: body.into_reader(), expected, limit, content_type }))
    }
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

fn redirect(headers: &HeaderMap, url: &Url) -> Result<Url, Error> {
    let location = text(headers, &header::LOCATION).unwrap_or_default();
    let next =
        url.follow(&location).map_err(|source| Error::Redirect { host: url.host(), source })?;
    if url.is_https() && !next.is_https() {
        return Err(Error::Downgrade { host: url.host() });
    }
    Ok(next)
}

/// An encoding that the server used although it was asked not to. Decoding it could expand a small body without bounds.
fn foreign_encoding(headers: &HeaderMap) -> Option<String> {
    let plain = |name: &HeaderName, usual: &str| {
        let value = text(headers, name)?.trim().to_ascii_lowercase();
        (value != "identity" && value != usual && !value.is_empty()).then_some(value)
    };
    plain(&header::CONTENT_ENCODING, "identity")
        .or_else(|| plain(&header::TRANSFER_ENCODING, "chunked"))
}

/// The values of a header, joined by commas.
fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let values: Vec<_> = headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .collect();
    (!values.is_empty()).then(|| values.join(", "))
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
