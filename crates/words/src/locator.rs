//! A URL of the web: http or https, without credentials, encoded as servers expect it.

use std::fmt;

use crate::slot::Name;

/// The longest URL that is accepted, in bytes as it was given.
pub const MAX_BYTES: usize = 8 << 10;

/// An absolute URL.
///
/// - its scheme is http or https
/// - it has a host, and no user, password or fragment
/// - characters that a URL may not contain, such as spaces and letters beyond ASCII, are encoded
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Url {
    given: String,
    parsed: ::url::Url,
}

impl Url {
    /// Accepts the text of a browser's address line, with a scheme (WHATWG URL standard).
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let given = text.trim();
        check_text(given)?;
        admit(given, ::url::Url::parse(given))
    }

    /// The target of a redirect: an absolute or a relative reference (RFC 9110, 10.2.2).
    pub fn follow(&self, location: &str) -> Result<Self, UrlError> {
        let location = location.trim();
        check_text(location)?;
        let target = admit(location, self.parsed.join(location))?;
        Ok(Self { given: target.parsed.to_string(), ..target })
    }

    /// Whether a text begins like a URL of the web.
    pub fn is_meant(text: &[u8]) -> bool {
        let begins = |scheme: &[u8]| {
            text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        };
        begins(b"http://") || begins(b"https://")
    }

    /// The text as it was given, without blanks around it.
    pub fn as_given(&self) -> &str {
        &self.given
    }

    /// The encoded URL, as it is sent to the server.
    pub fn as_str(&self) -> &str {
        self.parsed.as_str()
    }

    pub fn is_https(&self) -> bool {
        self.parsed.scheme() == "https"
    }

    /// The host, with its port if that is not the default of the scheme: `example.org:8080`.
    pub fn host(&self) -> String {
        let host = self.parsed.host_str().unwrap_or_default();
        match self.parsed.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// The last segment of the path, decoded. `None` if it is not valid as the name of a file.
    pub fn file_name(&self) -> Option<Name> {
        let segment = self.parsed.path_segments()?.rfind(|segment| !segment.is_empty())?;
        Name::parse_bytes(&decoded(segment)).ok()
    }
}

/// A host as it is written in a parsed URL: in lower case, in ASCII, numbers as addresses.
pub fn host(text: &str) -> Option<String> {
    ::url::Host::parse(text).ok().map(|host| host.to_string())
}

/// Checks a text before it is parsed: the parser would drop control characters silently and return another URL.
fn check_text(text: &str) -> Result<(), UrlError> {
    if text.is_empty() {
        return Err(UrlError::Missing);
    }
    if text.len() > MAX_BYTES {
        return Err(UrlError::TooLong(text.len()));
    }
    if text.contains(|c: char| c.is_control() || c == char::REPLACEMENT_CHARACTER) {
        return Err(UrlError::Character);
    }
    Ok(())
}

fn admit(given: &str, parsed: Result<::url::Url, ::url::ParseError>) -> Result<Url, UrlError> {
    let mut parsed = parsed.map_err(|error| match error {
        ::url::ParseError::RelativeUrlWithoutBase => UrlError::NoScheme,
        other => UrlError::Malformed(other.to_string()),
    })?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(UrlError::Scheme(parsed.scheme().to_owned()));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err(UrlError::Credentials);
    }
    parsed.set_fragment(None);
    Ok(Url { given: given.to_owned(), parsed })
}

/// Percent-decodes a segment. A `%` without two hexadecimal digits stays as it is.
fn decoded(segment: &str) -> Vec<u8> {
    let bytes = segment.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let escape = bytes.get(at + 1..at + 3).filter(|_| byte == b'%');
        let value = escape
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(value.unwrap_or(byte));
        at += if value.is_some() { 3 } else { 1 };
    }
    decoded
}

impl fmt::Display for Url {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// The reason for which a text is not accepted as a URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    #[error("no URL is in the text")]
    Missing,
    #[error("the URL has {0} bytes")]
    TooLong(usize),
    #[error("the URL has a control character or is not UTF-8")]
    Character,
    #[error("the URL does not begin with http:// or https://")]
    NoScheme,
    #[error("the URL cannot be read ({0})")]
    Malformed(String),
    #[error("the URL begins with {0}:")]
    Scheme(String),
    #[error("the URL carries a user name or a password")]
    Credentials,
    #[error("it is a binary property list")]
    Binary,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, UrlError> {
        Url::parse(text).map(|url| url.as_str().to_owned())
    }

    #[test]
    fn an_url_with_a_space_is_encoded() {
        assert_eq!(
            read(" https://example.org/a b.jpg?x=1 2#part\n"),
            Ok("https://example.org/a%20b.jpg?x=1%202".into())
        );
        assert_eq!(
            read("HTTP://Example.org/f\u{fc}r%20.jpg"),
            Ok("http://example.org/f%C3%BCr%20.jpg".into())
        );
        assert_eq!(
            read("https://m\u{fc}ller.example/"),
            Ok("https://xn--mller-kva.example/".into())
        );
    }

    #[test]
    fn every_way_to_write_an_address_is_read_as_that_address() {
        for text in ["http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://0177.0.0.1/"]
        {
            assert_eq!(read(text), Ok("http://127.0.0.1/".into()), "{text}");
        }
        assert_eq!(read("http://[::FFFF:127.0.0.1]/"), Ok("http://[::ffff:7f00:1]/".into()));
    }

    #[test]
    fn what_is_no_url_of_the_web_is_refused_by_name() {
        assert_eq!(read(""), Err(UrlError::Missing));
        assert_eq!(read("example.org/a.jpg"), Err(UrlError::NoScheme));
        assert_eq!(read("//example.org/a.jpg"), Err(UrlError::NoScheme));
        assert_eq!(read("file:///etc/passwd"), Err(UrlError::Scheme("file".into())));
        assert_eq!(read("ftp://example.org/a"), Err(UrlError::Scheme("ftp".into())));
        assert_eq!(read("data:text/plain,x"), Err(UrlError::Scheme("data".into())));
        assert_eq!(read("http://user@example.org/"), Err(UrlError::Credentials));
        assert_eq!(read("http://:secret@example.org/"), Err(UrlError::Credentials));
        assert_eq!(read("http://exa\tmple.org/"), Err(UrlError::Character));
        assert_eq!(read("http://example.org/\r\nX: y"), Err(UrlError::Character));
        assert!(matches!(read("http:///"), Err(UrlError::Malformed(_))));
        assert!(matches!(read("http://a:99999/"), Err(UrlError::Malformed(_))));
        let long = format!("http://example.org/{}", "a".repeat(10_000));
        assert_eq!(read(&long), Err(UrlError::TooLong(long.len())));
    }

    #[test]
    fn a_redirect_is_followed_from_where_it_was_met() {
        let base = Url::parse("https://example.org/a/b?c").expect("an URL");
        let follow = |location: &str| base.follow(location).map(|url| url.as_str().to_owned());
        assert_eq!(follow("/x y"), Ok("https://example.org/x%20y".into()));
        assert_eq!(follow("d"), Ok("https://example.org/a/d".into()));
        assert_eq!(follow("//cdn.example/z"), Ok("https://cdn.example/z".into()));
        assert_eq!(follow("file:///etc/passwd"), Err(UrlError::Scheme("file".into())));
        assert_eq!(follow("http://u:p@example.org/"), Err(UrlError::Credentials));
    }

    #[test]
    fn the_last_segment_names_the_file_where_it_can() {
        let name =
            |text: &str| Url::parse(text).expect("an URL").file_name().map(|name| name.to_string());
        assert_eq!(name("http://x/a/b%20c.jpg?d"), Some("b c.jpg".into()));
        assert_eq!(name("http://x/a/"), Some("a".into()));
        assert_eq!(name("http://x/100%.jpg"), Some("100%.jpg".into()));
        assert_eq!(name("http://x/"), None);
        assert_eq!(name("http://x/a%2fb"), None);
        assert_eq!(name("http://x/%ff"), None);
        assert_eq!(name(&format!("http://x/{}", "a".repeat(300))), None);
    }

    #[test]
    fn an_url_is_meant_by_its_scheme() {
        assert!(Url::is_meant(b"https://x") && Url::is_meant(b"HTTP://x"));
        assert!(!Url::is_meant(b"httpx://x") && !Url::is_meant(b"../http://x"));
        assert!(!Url::is_meant(b"file:///etc/passwd") && !Url::is_meant(b"http:/x"));
    }
}
