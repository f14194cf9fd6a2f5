//! The calls of libjpeg-turbo that decoding, encoding and turning share.

use turbojpeg::{Compressor, DecompressHeader, Decompressor, Error};

use crate::format::codec::Source;
use crate::job::Fault;

/// Pictures of more pixels get the standard Huffman tables. Optimised ones make a large photo 1 to 2 % shorter in double the
/// time; of a small picture the tables are a larger part.
const OPTIMISED_MAX: usize = 1 << 20;

/// A decompressor that has read the header.
pub fn open(source: &Source<'_>) -> Result<(Decompressor, DecompressHeader), Fault> {
    let mut decompressor = Decompressor::new().map_err(fault)?;
    decompressor.set_scan_limit(source.limits.max_scans).map_err(fault)?;
    let header = decompressor.read_header(source.bytes).map_err(fault)?;
    Ok((decompressor, header))
}

/// A compressor for a picture of these sides.
pub fn compressor(width: usize, height: usize, quality: u8) -> Result<Compressor, Error> {
    let mut compressor = Compressor::new()?;
    compressor.set_quality(quality.into())?;
    compressor.set_optimize(width.saturating_mul(height) <= OPTIMISED_MAX)?;
    Ok(compressor)
}

/// The fault in an error, which libjpeg-turbo describes in words only.
pub fn fault(error: Error) -> Fault {
    let words = match error {
        Error::TurboJpegError(words) => words,
        other => other.to_string(),
    };
    if words.contains("Premature end") || words.contains("ends prematurely") {
        return Fault::Truncated(words);
    }
    if words.contains("nsupported") || words.contains("not supported") {
        return Fault::Unsupported(words);
    }
    Fault::Corrupt(words)
}
