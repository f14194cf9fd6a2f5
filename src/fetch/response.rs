//! The response of a server: a body to be read, a redirect to be followed, or an error.

use ureq::http::{self, HeaderMap, HeaderName, header};

use crate::fetch::body::Body;
use crate::fetch::error::Error;
use words::byte_count::ByteCount;
use words::locator::Url;

/// A response that is no error.
pub(super) enum Response {
    Body(Body),
    Redirect(Url),
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
