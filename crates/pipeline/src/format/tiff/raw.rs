//! Camera RAW in the clothes of a TIFF: the first picture is a thumbnail, and the sensor's data lies in a directory of its own
//! (DNG 1.7; the other makers' formats as `LibRaw` and `ExifTool` tell them apart).

use super::directory::{Directory, Role, Tiff};
use crate::format::partial::{Partial, Stop};

const COMPRESSION: u16 = 259;
const PHOTOMETRIC: u16 = 262;
const MAKE: u16 = 271;
const DNG_VERSION: u16 = 50706;

/// Pixels behind a colour filter, and pixels in linear light as a sensor has them.
const SENSOR: [u64; 2] = [32803, 34892];

/// Compressions that only cameras use: Sony, Samsung, Nikon, Kodak, Pentax.
const CAMERA: [u64; 8] = [32767, 32769, 32770, 32772, 34713, 65000, 65100, 65535];

const MAKE_MAX: u64 = 256;

/// A picture of this kind (`PhotometricInterpretation`) or a lower one is no sensor's data.
const ORDINARY: u64 = 10;

/// The beginning of a maker's name in capitals, and the type of its files.
const MAKERS: [(&str, &str); 13] = [
    ("NIKON", "image/x-nikon-nef"),
    ("SONY", "image/x-sony-arw"),
    ("PENTAX", "image/x-pentax-pef"),
    ("RICOH", "image/x-pentax-pef"),
    ("HASSELBLAD", "image/x-hasselblad-3fr"),
    ("PHASE ONE", "image/x-phaseone-iiq"),
    ("LEAF", "image/x-leaf-mos"),
    ("SAMSUNG", "image/x-samsung-srw"),
    ("SEIKO EPSON", "image/x-epson-erf"),
    ("EPSON", "image/x-epson-erf"),
    ("KODAK", "image/x-kodak-dcr"),
    ("EASTMAN KODAK", "image/x-kodak-dcr"),
    ("MAMIYA", "image/x-mamiya-mef"),
];

/// The type of camera RAW whose maker is not known.
const ANY: &str = "image/x-dcraw";

/// The type of a file that begins like a TIFF and is camera RAW; `None` for a TIFF, a damaged one too.
pub fn kind(source: &Partial<'_>) -> Result<Option<&'static str>, Stop> {
    if source.head.get(8..10) == Some(b"CR") && source.head.starts_with(b"II*\0") {
        return Ok(Some("image/x-canon-cr2"));
    }
    if matches!(source.head.get(8..12), Some(b"IIII" | b"MMMM")) {
        return Ok(Some("image/x-phaseone-iiq"));
    }
    match by_directories(source) {
        Err(Stop::Truncated | Stop::Corrupt) => Ok(None),
        found => found,
    }
}

fn by_directories(source: &Partial<'_>) -> Result<Option<&'static str>, Stop> {
    let tiff = Tiff::open(source, false)?;
    let first = tiff.first()?;
    if first.has(DNG_VERSION) {
        return Ok(Some("image/x-adobe-dng"));
    }
    let maker = maker(&tiff, &first)?;
    let mut others = tiff.children(&first)?;
    if first.role == Role::Reduced {
        others.extend(tiff.next(&first)?);
    }
    let mut pictures = 0;
    for directory in std::iter::once(&first).chain(&others) {
        let photometric = tiff.number_of(directory, PHOTOMETRIC)?;
        let compression = tiff.number_of(directory, COMPRESSION)?;
        if photometric.is_some_and(|it| SENSOR.contains(&it))
            || compression.is_some_and(|it| CAMERA.contains(&it))
        {
            return Ok(Some(maker.unwrap_or(ANY)));
        }
        let ordinary = photometric.is_some_and(|it| it <= ORDINARY);
        pictures += u32::from(ordinary && directory.role == Role::Page);
    }
    // A thumbnail without its picture, from a maker of cameras: the data lies where only the maker's programs find it.
    Ok(maker.filter(|_| first.role == Role::Reduced && pictures == 0))
}

fn maker(tiff: &Tiff<'_>, first: &Directory) -> Result<Option<&'static str>, Stop> {
    let name = tiff.bytes(first, MAKE, MAKE_MAX)?.unwrap_or_default().to_ascii_uppercase();
    let row = MAKERS.iter().find(|(maker, _)| name.starts_with(maker.as_bytes()));
    Ok(row.map(|(_, kind)| *kind))
}
