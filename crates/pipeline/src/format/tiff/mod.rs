//! TIFF, which is read to become another format. One of several pages is refused: the others would be lost.

mod coding;
mod directory;
mod fax;
mod page_layout;
mod pixels;
pub mod raw;
mod tags;
mod unpack;

use self::directory::{Directory, Role, Tiff};
use self::page_layout::Layout;
use self::tags::{HEIGHT, ORIENTATION, WIDTH};
use super::codec::{Codec, Picture, Source};
use super::partial::{Found, Partial, Stop};
use super::survey::{Profile, Survey, corrupt, truncated};
use crate::exif::{self, Orientation};
use crate::job::{Fault, Limits, at_most};
use words::media_type::Format;

/// In both byte orders; with 64-bit offsets (`BigTIFF`), too.
const SIGNATURES: [&[u8]; 4] = [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"];

const COLOUR_PROFILE: u16 = 34675;

pub static CODEC: Codec = Codec {
    format: Format::Tiff,
    beginnings: &SIGNATURES,
    sniff: |bytes| SIGNATURES.iter().any(|signature| bytes.starts_with(signature)),
    header,
    walk,
    strip: |bytes, _| Ok(bytes.to_vec()),
    repaired: |_, _| None,
    place_exif: None,
    verify: |source| picture(source).map(|_| Profile::Kept),
    picture: |source, _| picture(source),
    frames: None,
    planar: None,
    encode: None,
};

/// Reads the size and the orientation of the picture, in whichever directory it lies.
fn header(source: &Partial<'_>, found: &mut Found) -> Result<(), Stop> {
    let tiff = Tiff::open(source, false)?;
    let directory = tiff.first_page()?;
    let side = |tag| {
        let side = tiff.number_of(&directory, tag)?.unwrap_or_default();
        u32::try_from(side).map_err(|_| Stop::Corrupt)
    };
    found.orientation = Some(orientation(&tiff, &directory)?);
    found.size(side(WIDTH)?, side(HEIGHT)?)
}

fn orientation(tiff: &Tiff<'_>, of: &Directory) -> Result<Orientation, Stop> {
    let tag = tiff.number_of(of, ORIENTATION)?.unwrap_or_default();
    Ok(Orientation::from_tag(u16::try_from(tag).unwrap_or_default()).unwrap_or_default())
}

fn walk(bytes: &[u8], limits: &Limits) -> Result<Survey, Fault> {
    let source = Partial { head: bytes, file: None };
    let tiff = Tiff::open(&source, true)?;
    let all = tiff.all()?;
    let pages = all.iter().filter(|directory| directory.role == Role::Page).count();
    if pages > 1 {
        let words = format!("TIFF of {pages} pages; all but one would be lost");
        return Err(Fault::Unsupported(words));
    }
    if all.iter().any(|directory| directory.role == Role::Mask) {
        let words = "TIFF whose transparency is a picture of its own is not read";
        return Err(Fault::Unsupported(words.into()));
    }
    let directory = tiff.first_page()?;
    let layout = Layout::read(&tiff, &directory, bytes.len(), limits)?;
    let profile = tiff.bytes(&directory, COLOUR_PROFILE, u64::MAX)?;
    let length = profile.as_ref().map_or(0, Vec::len) as u64;
    at_most("bytes of colour profile", length, limits.max_metadata)?;
    let orientation = orientation(&tiff, &directory)?;
    let exif = (orientation != Orientation::Upright).then(|| exif::minimal(orientation).to_vec());
    Ok(Survey { exif, profile, ..Survey::of_size(layout.size) })
}

fn picture(source: &Source<'_>) -> Result<Picture, Fault> {
    let bytes = Partial { head: source.bytes, file: None };
    let tiff = Tiff::open(&bytes, true)?;
    let layout = Layout::read(&tiff, &tiff.first_page()?, source.bytes.len(), source.limits)?;
    let raster = pixels::decode(source, &layout)?;
    Ok(Picture { raster, profile: source.survey.profile.clone() })
}

impl From<Stop> for Fault {
    /// The fault of a directory that was read in memory, where the whole file is.
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::NeedMore | Stop::Truncated => truncated("a directory"),
            Stop::Corrupt | Stop::NoSize => corrupt("a directory is damaged"),
            Stop::Fault(fault) => fault,
            Stop::Io(error) => Self::Input(error.raw_os_error().unwrap_or_default()),
        }
    }
}
