//! The bytes of one strip or tile of a TIFF, without its compression and differences.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::read::ZlibDecoder;
use ruzstd::decoding::StreamingDecoder;
use turbojpeg::{Colorspace, Decompressor, Image, PixelFormat};
use weezl::{BitOrder, LzwStatus, decode};

use super::coding::{Colour, Packing, SharedJpeg};
use super::fax;
use super::page_layout::Layout;
use crate::format::jpeg::decoder::fault;
use crate::format::survey::{corrupt, truncated};
use crate::job::{Fault, Limits};
use crate::raster::{dimensions, index};
use words::dimensions::Dimensions;

/// Unpacks the chunk of this size whose coded bytes these are: rows of whole bytes.
pub fn unpacked<'a>(
    layout: &Layout,
    coded: &'a [u8],
    size: Dimensions,
    limits: &Limits,
) -> Result<Cow<'a, [u8]>, Fault> {
    if let Packing::Jpeg(shared) = &layout.storage.packing {
        return jpeg(layout, shared, coded, size, limits).map(Cow::Owned);
    }
    let coded: Cow<'a, [u8]> = if layout.storage.is_reversed {
        Cow::Owned(coded.iter().map(|byte| byte.reverse_bits()).collect())
    } else {
        Cow::Borrowed(coded)
    };
    let length = length(layout, size);
    let mut bytes = match &layout.storage.packing {
        Packing::Plain => plain(coded, length)?,
        Packing::PackBits => Cow::Owned(pack_bits(&coded, length)?),
        Packing::Lzw => Cow::Owned(lzw(&coded, length)?),
        Packing::Deflate => Cow::Owned(filled(ZlibDecoder::new(&*coded), length)?),
        Packing::Zstandard => {
            let decoder = StreamingDecoder::new(&*coded);
            let decoder = decoder.map_err(|error| corrupt(&error.to_string()))?;
            Cow::Owned(filled(decoder, length)?)
        }
        fax => Cow::Owned(fax::decode(&coded, size, fax)?),
    };
    if layout.storage.is_predicted {
        add_up(layout, bytes.to_mut(), pitch(layout, size.width));
    }
    Ok(bytes)
}

/// Bytes a row, which the last sample may not fill.
pub fn pitch(layout: &Layout, width: u32) -> usize {
    (index(width) * layout.samples_together() * index(layout.bits)).div_ceil(8)
}

/// The bytes of a chunk. Pixels that share colour differences are stored in blocks.
fn length(layout: &Layout, size: Dimensions) -> usize {
    match &layout.colour {
        Colour::YCbCr(coded) if layout.is_subsampled() => {
            let (across, down) = coded.shared;
            let blocks = size.width.div_ceil(across) * size.height.div_ceil(down);
            index(blocks) * index(across * down + 2)
        }
        _ => pitch(layout, size.width) * index(size.height),
    }
}

fn plain(coded: Cow<'_, [u8]>, length: usize) -> Result<Cow<'_, [u8]>, Fault> {
    if coded.len() < length {
        return Err(truncated("the pixels"));
    }
    Ok(match coded {
        Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[..length]),
        Cow::Owned(mut bytes) => {
            bytes.truncate(length);
            Cow::Owned(bytes)
        }
    })
}

fn pack_bits(mut coded: &[u8], length: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        let (&head, rest) = coded.split_first().ok_or_else(|| truncated("the pixels"))?;
        coded = rest;
        match head {
            0..=127 => {
                let literal = coded.get(..usize::from(head) + 1);
                let literal = literal.ok_or_else(|| truncated("the pixels"))?;
                bytes.extend_from_slice(literal);
                coded = &coded[literal.len()..];
            }
            128 => {}
            129..=255 => {
                let (&value, rest) = coded.split_first().ok_or_else(|| truncated("the pixels"))?;
                bytes.resize(bytes.len() + 257 - usize::from(head), value);
                coded = rest;
            }
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

fn lzw(mut coded: &[u8], length: usize) -> Result<Vec<u8>, Fault> {
    // Before TIFF 5.0 the bits of a code counted from the lowest one, and codes grew a code later.
    let mut decoder = match coded {
        [0, second, ..] if second & 1 == 1 => decode::Decoder::new(BitOrder::Lsb, 8),
        _ => decode::Decoder::with_tiff_size_switch(BitOrder::Msb, 8),
    };
    let mut bytes = vec![0; length];
    let mut done = 0;
    while done < length {
        let result = decoder.decode_bytes(coded, &mut bytes[done..]);
        done += result.consumed_out;
        coded = coded.get(result.consumed_in..).unwrap_or_default();
        match result.status {
            Ok(LzwStatus::Ok) => {}
            Ok(LzwStatus::NoProgress | LzwStatus::Done) if done < length => {
                return Err(truncated("the pixels"));
            }
            Ok(_) => break,
            Err(error) => return Err(corrupt(&error.to_string())),
        }
    }
    Ok(bytes)
}

fn filled(mut reader: impl Read, length: usize) -> Result<Vec<u8>, Fault> {
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => truncated("the pixels"),
        _ => corrupt(&error.to_string()),
    })?;
    Ok(bytes)
}

/// Adds to each sample the one of the pixel left of it.
fn add_up(layout: &Layout, bytes: &mut [u8], pitch: usize) {
    let size = index(layout.bits / 8);
    let step = layout.samples_together() * size;
    for row in bytes.chunks_exact_mut(pitch) {
        for at in (step..row.len()).step_by(size) {
            let number = |bytes: &[u8]| {
                let add = |number: u32, byte: &u8| number << 8 | u32::from(*byte);
                let little = layout.little;
                if little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) }
            };
            let (left, own) = (&row[at - step..at - step + size], &row[at..at + size]);
            let sum = number(left).wrapping_add(number(own));
            let sum = if layout.little { sum.to_le_bytes() } else { sum.to_be_bytes() };
            let sum = if layout.little { &sum[..size] } else { &sum[4 - size..] };
            row[at..at + size].copy_from_slice(sum);
        }
    }
}

/// Decodes a JPEG without its own tables (TIFF Technical Note 2).
fn jpeg(
    layout: &Layout,
    shared: &SharedJpeg,
    coded: &[u8],
    size: Dimensions,
    limits: &Limits,
) -> Result<Vec<u8>, Fault> {
    let whole = whole_jpeg(shared, coded);
    let mut decompressor = Decompressor::new().map_err(fault)?;
    decompressor.set_scan_limit(limits.max_scans).map_err(fault)?;
    let header = decompressor.read_header(&whole).map_err(fault)?;
    let found = dimensions((header.width, header.height));
    let format = match header.colorspace {
        Colorspace::Gray => PixelFormat::GRAY,
        Colorspace::CMYK | Colorspace::YCCK => PixelFormat::CMYK,
        _ => PixelFormat::RGB,
    };
    // The last strip may be coded as high as all others.
    let fits = found.width == size.width
        && (size.height..=layout.chunk.height).contains(&found.height)
        && format.size() == layout.samples_together();
    if !fits {
        return Err(corrupt("a JPEG in the TIFF has another size than its tile"));
    }
    let (width, height, pitch) = (header.width, header.height, header.width * format.size());
    let mut pixels = vec![0; pitch * height];
    let image = Image { pixels: pixels.as_mut_slice(), width, pitch, height, format };
    decompressor.decompress(&whole, image).map_err(fault)?;
    Ok(pixels)
}

/// A JPEG with its tables, and with the marker of Adobe that tells libjpeg how the colours of the TIFF are coded.
fn whole_jpeg(shared: &SharedJpeg, coded: &[u8]) -> Vec<u8> {
    const START: [u8; 2] = [0xFF, 0xD8];
    let transform = u8::from(shared.is_ycbcr);
    let marker = [&b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0"[..], &[transform]].concat();
    let tables = shared.tables.strip_prefix(&START).unwrap_or(&shared.tables);
    let tables = tables.strip_suffix(&[0xFF, 0xD9]).unwrap_or(tables);
    [&START[..], &marker, tables, coded.strip_prefix(&START).unwrap_or(coded)].concat()
}
