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
    ("image/heic", &["heic", "heif", "hif"]),
    ("image/avci", &["avci"]),
    ("image/jxl", &["jxl"]),
    ("image/jp2", &["jp2"]),
    ("image/jpx", &["jpx", "jpf"]),
    ("image/x-jp2-codestream", &["j2c", "j2k", "jpc"]),
    ("image/x-icon", &["ico"]),
    ("image/x-exr", &["exr"]),
    ("image/x-qoi", &["qoi"]),
    ("image/vnd.adobe.photoshop", &["psd", "psb"]),
    ("application/pdf", &["pdf"]),
    ("application/zip", &["zip"]),
    ("application/gzip", &["gz", "tgz"]),
    ("application/x-tar", &["tar"]),
    ("application/x-7z-compressed", &["7z"]),
    ("application/vnd.rar", &["rar"]),
    ("application/x-bzip2", &["bz2"]),
    ("application/x-xz", &["xz"]),
    ("application/zstd", &["zst"]),
    ("application/vnd.microsoft.portable-executable", &["exe", "dll"]),
    ("application/wasm", &["wasm"]),
    ("application/postscript", &["ps", "eps"]),
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
    ("application/vnd.oasis.opendocument.presentation", &["odp"]),
    ("application/vnd.oasis.opendocument.graphics", &["odg"]),
    ("application/epub+zip", &["epub"]),
    ("application/vnd.sqlite3", &["sqlite", "sqlite3"]),
    ("audio/mpeg", &["mp3"]),
    ("audio/ogg", &["ogg", "oga", "opus"]),
    ("audio/flac", &["flac"]),
    ("audio/wav", &["wav"]),
    ("audio/mp4", &["m4a"]),
    ("audio/aac", &["aac"]),
    ("audio/aiff", &["aiff", "aif"]),
    ("audio/midi", &["mid", "midi"]),
    ("video/mp4", &["mp4", "m4v"]),
    ("video/ogg", &["ogv"]),
    ("video/3gpp", &["3gp"]),
    ("video/mpeg", &["mpg", "mpeg"]),
    ("video/x-flv", &["flv"]),
    ("video/x-ms-asf", &["wmv", "asf", "wma"]),
    ("video/webm", &["webm"]),
    ("video/x-matroska", &["mkv"]),
    ("video/quicktime", &["mov"]),
    ("video/x-msvideo", &["avi"]),
    ("text/plain", &["txt", "text", "log"]),
    ("text/html", &["html", "htm"]),
    ("text/css", &["css"]),
    ("text/csv", &["csv"]),
    ("text/markdown", &["md"]),
    ("font/ttf", &["ttf"]),
    ("font/otf", &["otf"]),
    ("font/woff", &["woff"]),
    ("font/woff2", &["woff2"]),
];

/// Media types of camera RAW: the data of a sensor, which a program has to develop. The names are those of the shared MIME-info
/// database where it has one.
const CAMERA_RAW: &[(&str, &[&str])] = &[
    ("image/x-adobe-dng", &["dng"]),
    ("image/x-canon-cr2", &["cr2"]),
    ("image/x-canon-cr3", &["cr3"]),
    ("image/x-canon-crw", &["crw"]),
    ("image/x-nikon-nef", &["nef"]),
    ("image/x-nikon-nrw", &["nrw"]),
    ("image/x-sony-arw", &["arw"]),
    ("image/x-sony-sr2", &["sr2"]),
    ("image/x-sony-srf", &["srf"]),
    ("image/x-olympus-orf", &["orf"]),
    ("image/x-panasonic-rw", &["raw"]),
    ("image/x-panasonic-rw2", &["rw2"]),
    ("image/x-pentax-pef", &["pef"]),
    ("image/x-fuji-raf", &["raf"]),
    ("image/x-hasselblad-3fr", &["3fr"]),
    ("image/x-phaseone-iiq", &["iiq"]),
    ("image/x-leaf-mos", &["mos"]),
    ("image/x-samsung-srw", &["srw"]),
    ("image/x-epson-erf", &["erf"]),
    ("image/x-kodak-dcr", &["dcr"]),
    ("image/x-kodak-kdc", &["kdc"]),
    ("image/x-mamiya-mef", &["mef"]),
    ("image/x-minolta-mrw", &["mrw"]),
    ("image/x-sigma-x3f", &["x3f"]),
    // Of a maker that is not known.
    ("image/x-dcraw", &[]),
];

fn rows() -> impl Iterator<Item = &'static (&'static str, &'static [&'static str])> {
    EXTENSIONS.iter().chain(CAMERA_RAW)
}

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
        let row = rows().find(|(_, names)| names.contains(&lower.as_str()));
        row.map(|(name, _)| Self::from_static(name))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn is_image(&self) -> bool {
        self.0.starts_with("image/")
    }

    pub fn is_camera_raw(&self) -> bool {
        CAMERA_RAW.iter().any(|(name, _)| *name == self.0)
    }

    /// All types of camera RAW.
    pub fn camera_raw() -> impl Iterator<Item = &'static str> {
        CAMERA_RAW.iter().map(|(name, _)| *name)
    }

    /// The hint for a person who has an image that is not read. `None` for a type that is read, or is no image.
    pub fn way_out(&self) -> Option<&'static str> {
        match self.as_str() {
            _ if self.is_camera_raw() => Some(
                "develop it and export it as JPEG; a field with type = \"file\" keeps camera RAW as it is",
            ),
            "image/heic" | "image/avci" => Some(
                "export it as JPEG; an iPhone sends JPEG with Settings > Camera > Formats > Most Compatible",
            ),
            "image/jxl" => {
                Some("export it as JPEG or PNG; djxl restores the JPEG of which it was made")
            }
            _ if self.is_image() && self.format().is_none() => Some("export it as JPEG or PNG"),
            _ => None,
        }
    }

    /// The extension that the tree lists for this type, without a dot.
    pub fn extension(&self) -> Option<&'static str> {
        let row = rows().find(|(name, _)| *name == self.0);
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
    fn an_image_that_is_not_read_has_a_way_out() {
        let out = |name| MediaType::from_static(name).way_out();
        assert!(out("image/heic").is_some_and(|words| words.contains("Most Compatible")));
        assert!(out("image/x-nikon-nef").is_some_and(|words| words.contains("camera RAW")));
        assert!(out("image/jxl").is_some_and(|words| words.contains("djxl")));
        assert_eq!(out("image/jp2"), Some("export it as JPEG or PNG"));
        assert_eq!((out("image/png"), out("text/plain")), (None, None));
    }

    #[test]
    fn no_extension_stands_for_two_types() {
        let mut all: Vec<_> = rows().flat_map(|(_, names)| names.iter()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
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
