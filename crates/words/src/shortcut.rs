//! Texts that carry a URL: a plain line, or the shortcut file of a browser or a desktop. A hostile text costs one pass over at
//! most 64 KiB.

use crate::locator::{Url, UrlError};

/// The longest text that is read.
pub const MAX_BYTES: usize = 64 << 10;

/// The URL in a text: its first line, or the URL of an `[InternetShortcut]` (Windows), a `.webloc` (macOS) or a `.desktop` file
/// with `Type=Link` (freedesktop.org).
pub fn read(text: &[u8]) -> Result<Url, UrlError> {
    if text.len() > MAX_BYTES {
        return Err(UrlError::TooLong(text.len()));
    }
    if text.starts_with(b"bplist") {
        return Err(UrlError::Binary);
    }
    // Other lines of a shortcut may have any encoding. A URL that is not UTF-8 gets a replacement character, which is refused.
    let text = String::from_utf8_lossy(text);
    let text = text.trim_start_matches('\u{feff}').trim();
    let url = match text.as_bytes().first() {
        None => return Err(UrlError::Missing),
        Some(b'[' | b'#' | b';') => ini(text),
        Some(b'<') => property_list(text),
        Some(_) => text.lines().next().map(str::to_owned),
    };
    Url::parse(&url.ok_or(UrlError::Missing)?)
}

fn ini(text: &str) -> Option<String> {
    let (mut section, mut shortcut, mut desktop, mut is_link) = ("", None, None, false);
    for line in text.lines().map(str::trim) {
        if let Some(title) = line.strip_prefix('[') {
            section = title.trim_end_matches(']');
            continue;
        }
        let Some((key, value)) = line.split_once('=') else { continue };
        let (key, value) = (key.trim(), value.trim());
        if section.eq_ignore_ascii_case("InternetShortcut") && key.eq_ignore_ascii_case("URL") {
            shortcut.get_or_insert(value);
        }
        match (section, key) {
            // KDE writes `URL[$e]` for values in which variables are expanded.
            ("Desktop Entry", "URL" | "URL[$e]") => {
                desktop.get_or_insert(value);
            }
            ("Desktop Entry", "Type") => is_link = value == "Link",
            _ => {}
        }
    }
    shortcut.or(desktop.filter(|_| is_link)).map(str::to_owned)
}

/// The string behind the key `URL`. Of entities only the five of XML and numbers are known, so that none can expand.
fn property_list(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("<key>URL</key>")?;
    let rest = rest.trim_start().strip_prefix("<string>")?;
    let (value, _) = rest.split_once("</string>")?;
    unescape(value)
}

fn unescape(value: &str) -> Option<String> {
    let mut plain = String::with_capacity(value.len());
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('&') {
        let (entity, after) = after.split_once(';')?;
        plain.push_str(before);
        plain.push(match entity {
            "amp" => '&',
            "lt" => '<',
            "gt" => '>',
            "quot" => '"',
            "apos" => '\'',
            number => {
                let number = number.strip_prefix('#')?;
                let code = match number.strip_prefix(['x', 'X']) {
                    Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                    None => number.parse().ok()?,
                };
                char::from_u32(code)?
            }
        });
        rest = after;
    }
    plain.push_str(rest);
    Some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<String, UrlError> {
        read(text.as_bytes()).map(|url| url.as_given().to_owned())
    }

    #[test]
    fn an_url_is_read_from_the_first_line() {
        assert_eq!(url("https://x/a.jpg\n"), Ok("https://x/a.jpg".into()));
        assert_eq!(url("\u{feff}\r\n  https://x/a b.jpg \r\nmore"), Ok("https://x/a b.jpg".into()));
        assert_eq!(url("\n \n"), Err(UrlError::Missing));
        assert_eq!(url("hello"), Err(UrlError::NoScheme));
    }

    #[test]
    fn an_url_is_read_from_a_windows_shortcut() {
        let text = b"[{000214A0-0000-0000-C000-000000000046}]\r\nProp3=19,11\r\nURL=http://wrong/\r\n\
            [InternetShortcut]\r\nIconFile=C:\\f\xfcr.ico\r\nurl = https://x/a?b=c=d\r\nURL=http://late/\r\n";
        assert_eq!(read(text).map(|url| url.to_string()), Ok("https://x/a?b=c=d".into()));
        assert_eq!(url("[InternetShortcut]\nIconIndex=0\n"), Err(UrlError::Missing));
    }

    #[test]
    fn an_url_is_read_from_a_webloc() {
        let text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
            \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n<dict>\n\t<key>URL</key>\n\
            \t<string>https://x/a?b=1&amp;c=&#x32;</string>\n</dict>\n</plist>\n";
        assert_eq!(url(text), Ok("https://x/a?b=1&c=2".into()));
        assert_eq!(read(b"bplist00\xd1\x01"), Err(UrlError::Binary));
    }

    #[test]
    fn an_url_is_read_from_a_desktop_entry_that_is_a_link() {
        let text =
            "# made by hand\n[Desktop Entry]\nEncoding=UTF-8\nName=A\nType=Link\nURL=https://x/a\n";
        assert_eq!(url(text), Ok("https://x/a".into()));
        assert_eq!(url(&text.replace("URL", "URL[$e]")), Ok("https://x/a".into()));
        assert_eq!(url(&text.replace("Type=Link", "Type=Application")), Err(UrlError::Missing));
    }

    #[test]
    fn hostile_texts_end_in_a_refusal() {
        for text in [
            "<plist><key>URL</key><string>&lol;</string></plist>",
            "<plist><key>URL</key><string>http://x",
            "<plist><key>URL</key><string>&#xd800;</string>",
            "<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><key>URL</key>&a;",
            "<",
            "[",
            "[InternetShortcut",
            "[InternetShortcut]\nURL",
        ] {
            assert_eq!(url(text), Err(UrlError::Missing), "{text}");
        }
        let smuggled = "<plist><key>URL</key><string>http://x/&#10;y</string></plist>";
        assert_eq!(url(smuggled), Err(UrlError::Character));
        assert_eq!(read(b"http://x/\xff"), Err(UrlError::Character));
        let inner = "[InternetShortcut]\nURL=file:///etc/passwd\n";
        assert_eq!(url(inner), Err(UrlError::Scheme("file".into())));
        let long = "a".repeat(MAX_BYTES + 1);
        assert_eq!(url(&long), Err(UrlError::TooLong(long.len())));
    }
}
