//! Media types (MIME), the image formats among them, and the file extensions of each.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::slot::Name;

/// A media type without parameters, in lower case: `image/jpeg`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MediaType(Cow<'static, str>);

/// An image format that the pipeline can read or write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Jpeg,
    Png,
    Gif,
    Webp,
    Avif,
    Bmp,
    Tiff,
}

/// Media types with their extensions; the first extension of a type is the one that the tree lists.
const EXTENSIONS: &[(&str, &[&str])] = &[
    ("image/jpeg", &["jpg", "jpeg", "jpe", "jfif"]),
    ("image/png", &["png", "apng"]),
    ("image/gif", &["gif"]),
    ("image/webp", &["webp"]),
    ("image/avif", &["avif"]),
    ("image/bmp", &["bmp", "dib"]),
    ("image/tiff", &["tiff", "tif"]),
    ("image/svg+xml", &["svg", "svgz"]),
    ("image/heic", &["heic", "heif"]),
    ("image/jxl", &["jxl"]),
    ("image/x-icon", &["ico"]),
    ("image/vnd.adobe.photoshop", &["psd"]),
    ("application/pdf", &["pdf"]),
    ("application/zip", &["zip"]),
    ("application/gzip", &["gz", "tgz"]),
    ("application/x-tar", &["tar"]),
    ("application/x-7z-compressed", &["7z"]),
    ("application/vnd.rar", &["rar"]),
    ("application/json", &["json"]),
    ("application/xml", &["xml"]),
    ("application/rtf", &["rtf"]),
    ("application/msword", &["doc"]),
    ("application/vnd.ms-excel", &["xls"]),
    ("application/vnd.ms-powerpoint", &["ppt"]),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", &["docx"]),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", &["xlsx"]),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", &["pptx"]),
    ("application/vnd.oasis.opendocument.text", &["odt"]),
    ("application/vnd.oasis.opendocument.spreadsheet", &["ods"]),
    ("application/epub+zip", &["epub"]),
    ("application/vnd.sqlite3", &["sqlite", "sqlite3"]),
    ("audio/mpeg", &["mp3"]),
    ("audio/ogg", &["ogg", "oga", "opus"]),
    ("audio/flac", &["flac"]),
    ("audio/wav", &["wav"]),
    ("audio/mp4", &["m4a"]),
    ("video/mp4", &["mp4", "m4v"]),
    ("video/webm", &["webm"]),
    ("video/x-matroska", &["mkv"]),
    ("video/quicktime", &["mov"]),
    ("video/x-msvideo", &["avi"]),
    ("text/plain", &["txt", "text", "log"]),
    ("text/html", &["html", "htm"]),
    ("text/css", &["css"]),
    ("text/csv", &["csv"]),
    ("text/markdown", &["md"]),
];

/// A name split from an extension that stands for a media type. `v1.2` has none.
pub fn split(name: &Name) -> (&str, Option<&str>) {
    match name.split_extension() {
        (stem, Some(extension)) if MediaType::of_extension(extension).is_some() => {
            (stem, Some(extension))
        }
        _ => (name.as_str(), None),
    }
}

impl MediaType {
    pub const OCTET_STREAM: Self = Self(Cow::Borrowed("application/octet-stream"));
    pub const TEXT: Self = Self(Cow::Borrowed("text/plain"));

    /// Accepts `type/subtype` in the characters of RFC 6838, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        let token = |part: &str| {
            let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
            !part.is_empty() && part.len() <= 127 && part.bytes().all(allowed)
        };
        let (top, sub) = text.split_once('/')?;
        (token(top) && token(sub)).then(|| Self(text.to_ascii_lowercase().into()))
    }

    pub const fn from_static(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// The type that an extension stands for, in any case: `JPG` is `image/jpeg`. `None` if it is unknown.
    pub fn of_extension(extension: &str) -> Option<Self> {
        let lower = extension.to_ascii_lowercase();
        let row = EXTENSIONS.iter().find(|(_, names)| names.contains(&lower.as_str()));
        row.map(|(name, _)| Self::from_static(name))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_image(&self) -> bool {
        self.0.starts_with("image/")
    }

    /// The extension that the tree lists for this type, without a dot.
    pub fn extension(&self) -> Option<&'static str> {
        let row = EXTENSIONS.iter().find(|(name, _)| *name == self.0);
        row.and_then(|(_, names)| names.first().copied())
    }

    pub fn format(&self) -> Option<Format> {
        let name = self.0.strip_prefix("image/")?;
        Format::ALL.into_iter().find(|format| format.name() == name)
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl Format {
    pub const ALL: [Self; 7] =
        [Self::Jpeg, Self::Png, Self::Gif, Self::Webp, Self::Avif, Self::Bmp, Self::Tiff];

    pub fn media_type(self) -> MediaType {
        MediaType(format!("image/{}", self.name()).into())
    }

    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            other => other.name(),
        }
    }

    /// The name of the format in the configuration, as in `format = "jpeg"`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Gif => "gif",
            Self::Webp => "webp",
            Self::Avif => "avif",
            Self::Bmp => "bmp",
            Self::Tiff => "tiff",
        }
    }

    /// Whether the pipeline can encode it.
    pub fn is_writable(self) -> bool {
        !matches!(self, Self::Bmp | Self::Tiff)
    }
}

/// A pattern of media types: one type (`image/png`) or all of a kind (`image/*`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypePattern {
    Exact(MediaType),
    /// The top-level type, without the slash: `image`.
    Any(String),
}

impl TypePattern {
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix("/*") {
            Some(top) => {
                let valid = MediaType::parse(&format!("{top}/x")).is_some();
                valid.then(|| Self::Any(top.to_ascii_lowercase()))
            }
            None => MediaType::parse(text).map(Self::Exact),
        }
    }

    pub fn matches(&self, found: &MediaType) -> bool {
        match self {
            Self::Exact(wanted) => wanted == found,
            Self::Any(top) => found.as_str().split('/').next() == Some(top),
        }
    }
}

impl fmt::Display for TypePattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(wanted) => wanted.fmt(out),
            Self::Any(top) => write!(out, "{top}/*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extension_names_a_type_in_any_case() {
        assert_eq!(MediaType::of_extension("JPG"), Some(Format::Jpeg.media_type()));
        assert_eq!(MediaType::of_extension("part"), None);
    }

    #[test]
    fn every_format_lists_the_extension_that_its_media_type_lists() {
        for format in Format::ALL {
            assert_eq!(format.media_type().extension(), Some(format.extension()));
            assert_eq!(format.media_type().format(), Some(format));
        }
    }

    #[test]
    fn a_pattern_matches_its_type_or_all_of_its_kind() {
        let png = Format::Png.media_type();
        assert!(TypePattern::parse("image/*").is_some_and(|pattern| pattern.matches(&png)));
        assert!(TypePattern::parse("image/png").is_some_and(|pattern| pattern.matches(&png)));
        assert!(!TypePattern::parse("imag/*").is_some_and(|pattern| pattern.matches(&png)));
        assert_eq!(TypePattern::parse("png"), None);
    }
}
