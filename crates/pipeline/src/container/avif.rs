//! AVIF: which items make the picture, and what is done to their pixels before it is shown.
//! Does not decode any. A turn that the container asks for is a part of the picture, so sizes are as it is shown.

mod boxes;
mod lean;

use std::ops::Range;

use self::boxes::{Boxed, Kind, Meta, Reader};
use super::{Coding, Survey, at_most, corrupt, truncated};
use crate::exif::Orientation;
use crate::job::{Fault, Limits};
use words::dimensions::Dimensions;

pub use lean::rebuild;

/// Pictures that one is put together from.
const MAX_TILES: usize = 1024;

/// What is to be decoded, and how it makes the picture.
#[derive(Debug, Clone)]
pub struct Plan {
    /// As shown.
    pub size: Dimensions,
    /// What is done to the decoded pixels.
    pub turn: Orientation,
    pub picture: Tiled,
    pub alpha: Option<Tiled>,
    /// Whether alpha is multiplied in.
    pub premultiplied: bool,
    /// What the container says of the colours, above what the bitstream says.
    pub colours: Option<Colours>,
    /// Where an ICC profile lies.
    pub profile: Option<Range<usize>>,
}

/// A picture of one or more tiles, row by row.
#[derive(Debug, Clone)]
pub struct Tiled {
    pub size: Dimensions,
    pub tile: Dimensions,
    pub columns: u32,
    /// Where the bytes of each lie.
    pub tiles: Vec<Vec<Range<usize>>>,
}

/// Code points of ITU-T H.273.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colours {
    pub primaries: u16,
    pub transfer: u16,
    pub matrix: u16,
    pub full_range: bool,
}

/// The size as shown, from the beginning of a file; none where that does not reach to the end of what tells it.
pub fn shown_size(head: &[u8]) -> Result<Option<Dimensions>, Fault> {
    let mut at = 0;
    loop {
        // The box may end behind what is here.
        let mut reader = Reader::new(head, at..head.len());
        let (Ok(size), Ok(kind)) = (reader.number(4), reader.take(4)) else { return Ok(None) };
        let size = match size {
            1 => match reader.number(8) {
                Ok(size) => size,
                Err(_) => return Ok(None),
            },
            size => size,
        };
        let end = usize::try_from(size).ok().and_then(|size| at.checked_add(size));
        let Some(end) = end.filter(|end| size >= 8 && *end <= head.len()) else {
            return if size < 8 { Err(corrupt("a box has no end")) } else { Ok(None) };
        };
        if kind == b"meta" {
            let body = reader.rest().start..end;
            let meta = boxes::meta(head, &Boxed { kind: *b"meta", whole: at..end, body })?;
            let stored = extent(head, &meta, meta.primary)?;
            return Ok(Some(shown(stored, turn(head, &meta)?)));
        }
        at = end;
    }
}

pub fn survey(bytes: &[u8], limits: &Limits) -> Result<Survey, Fault> {
    let plan = plan(bytes)?;
    let length = plan.profile.as_ref().map_or(0, ExactSizeIterator::len) as u64;
    at_most("bytes of colour profile", length, limits.max_metadata)?;
    for tiled in std::iter::once(&plan.picture).chain(&plan.alpha) {
        at_most("pixels", tiled.size.pixels(), limits.max_pixels)?;
        let all = tiled.tile.pixels().saturating_mul(tiled.tiles.len() as u64);
        at_most("pixels of tiles", all, limits.max_pixels.saturating_mul(2))?;
    }
    let profile = plan.profile.and_then(|range| bytes.get(range)).map(<[u8]>::to_vec);
    Ok(Survey { size: plan.size, frames: 1, exif: None, profile, coding: Coding::Plain })
}

/// Finds out what makes the picture. Everything that it names lies in the file.
pub fn plan(bytes: &[u8]) -> Result<Plan, Fault> {
    let top = boxes::boxes(bytes, 0..bytes.len())?;
    if top.iter().any(|part| part.kind == *b"moov") {
        return Err(Fault::Unsupported("animated AVIF is not read".into()));
    }
    plan_of(bytes, &meta(bytes, &top)?)
}

fn meta(bytes: &[u8], top: &[Boxed]) -> Result<Meta, Fault> {
    let found = top.iter().find(|part| part.kind == *b"meta");
    let mut meta = boxes::meta(bytes, found.ok_or_else(|| truncated("the container"))?)?;
    meta.locate(bytes.len())?;
    Ok(meta)
}

fn plan_of(bytes: &[u8], meta: &Meta) -> Result<Plan, Fault> {
    let primary = meta.primary;
    let picture = tiled(bytes, meta, primary)?;
    let alpha = alpha(bytes, meta).map(|alpha| tiled(bytes, meta, alpha)).transpose()?;
    if alpha.as_ref().is_some_and(|alpha| alpha.size != picture.size) {
        return Err(Fault::Unsupported("alpha of another size than the picture's".into()));
    }
    let turn = turn(bytes, meta)?;
    let (colours, profile) = colours(bytes, meta)?;
    Ok(Plan {
        size: shown(picture.size, turn),
        turn,
        premultiplied: alpha.is_some() && meta.referred(*b"prem", primary).next().is_some(),
        picture,
        alpha,
        colours,
        profile,
    })
}

fn shown(stored: Dimensions, turn: Orientation) -> Dimensions {
    if turn.swaps_sides() { stored.swapped() } else { stored }
}

/// The item with the alpha of the primary one.
fn alpha(bytes: &[u8], meta: &Meta) -> Option<u32> {
    let auxiliary = meta.references.iter().filter(|it| it.kind == *b"auxl");
    let mut of_primary = auxiliary.filter(|it| it.to.contains(&meta.primary)).map(|it| it.from);
    of_primary.find(|item| {
        property(meta, *item, *b"auxC").is_some_and(|part| {
            let name =
                bytes.get(part.body.clone()).unwrap_or_default().get(4..).unwrap_or_default();
            let name = name.split(|byte| *byte == 0).next();
            name == Some(b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha")
        })
    })
}

fn property(meta: &Meta, item: u32, kind: Kind) -> Option<&Boxed> {
    let all = properties(meta, item);
    all.map(|(part, _)| part).find(|part| part.kind == kind)
}

fn properties(meta: &Meta, item: u32) -> impl Iterator<Item = (&Boxed, bool)> {
    let places = meta.items.get(&item).map(|item| item.properties.as_slice()).unwrap_or_default();
    places.iter().filter_map(|(place, needed)| Some((meta.properties.get(*place)?, *needed)))
}

/// What `ispe` says of an item.
fn extent(bytes: &[u8], meta: &Meta, item: u32) -> Result<Dimensions, Fault> {
    let part = property(meta, item, *b"ispe").ok_or_else(|| corrupt("an image has no size"))?;
    let mut reader = Reader::new(bytes, part.body.clone());
    reader.version()?;
    let size = Dimensions::new(reader.id(true)?, reader.id(true)?);
    if size.pixels() == 0 {
        return Err(corrupt("an image has no pixels"));
    }
    Ok(size)
}

/// One coded picture, or a grid of them.
fn tiled(bytes: &[u8], meta: &Meta, item: u32) -> Result<Tiled, Fault> {
    let found = meta.items.get(&item).ok_or_else(|| corrupt("there is no image in the file"))?;
    understood(meta, item)?;
    let size = extent(bytes, meta, item)?;
    match &found.kind {
        b"av01" => Ok(Tiled { size, tile: size, columns: 1, tiles: vec![coded(meta, item)?] }),
        b"grid" => grid(bytes, meta, item, &gathered(bytes, &found.extents)),
        _ => Err(Fault::Unsupported("an image of this kind is not read from AVIF".into())),
    }
}

fn coded(meta: &Meta, item: u32) -> Result<Vec<Range<usize>>, Fault> {
    let found = meta.items.get(&item).filter(|it| it.kind == *b"av01");
    let extents = found.map(|it| it.extents.clone()).unwrap_or_default();
    if extents.iter().all(Range::is_empty) {
        return Err(corrupt("an image has no bytes"));
    }
    Ok(extents)
}

fn grid(bytes: &[u8], meta: &Meta, item: u32, told: &[u8]) -> Result<Tiled, Fault> {
    let mut reader = Reader::new(told, 0..told.len());
    reader.byte()?;
    let wide = reader.byte()? & 1 == 1;
    let (rows, columns) = (u32::from(reader.byte()?) + 1, u32::from(reader.byte()?) + 1);
    let size = Dimensions::new(reader.id(wide)?, reader.id(wide)?);
    let parts: Vec<_> = meta.referred(*b"dimg", item).collect();
    at_most("tiles", parts.len() as u64, MAX_TILES as u64)?;
    let first = parts.first().ok_or_else(|| corrupt("a grid has no tiles"))?;
    let tile = extent(bytes, meta, *first)?;
    let covers = |length: u32, count: u32, whole: u32| {
        let (length, count, whole) = (u64::from(length), u64::from(count), u64::from(whole));
        length * count >= whole && length * (count - 1) < whole
    };
    let fits = covers(tile.width, columns, size.width) && covers(tile.height, rows, size.height);
    if parts.len() as u64 != u64::from(rows) * u64::from(columns) || !fits {
        return Err(corrupt("the tiles of a grid do not make its picture"));
    }
    let mut tiles = Vec::with_capacity(parts.len());
    for part in parts {
        understood(meta, part)?;
        if extent(bytes, meta, part)? != tile {
            return Err(corrupt("the tiles of a grid differ in size"));
        }
        tiles.push(coded(meta, part)?);
    }
    Ok(Tiled { size, tile, columns, tiles })
}

/// The bytes of an item in one piece.
fn gathered(bytes: &[u8], extents: &[Range<usize>]) -> Vec<u8> {
    extents.iter().filter_map(|range| bytes.get(range.clone())).flatten().copied().collect()
}

/// What is marked as essential must be understood, or the picture is shown wrongly (23008-12, 9.3).
fn understood(meta: &Meta, item: u32) -> Result<(), Fault> {
    let unknown = properties(meta, item).find(|(part, needed)| {
        *needed && !lean::KEPT.contains(&part.kind) || part.kind == *b"clap"
    });
    match unknown {
        Some((part, _)) => {
            let name = part.kind.escape_ascii();
            Err(Fault::Unsupported(format!("AVIF with the property {name} is not read")))
        }
        None => Ok(()),
    }
}

/// `irot` counts quarter turns against the clock, `imir` mirrors; they apply in the order in which they are named.
fn turn(bytes: &[u8], meta: &Meta) -> Result<Orientation, Fault> {
    let (mut quarters, mut mirror) = (0, None);
    for (part, _) in properties(meta, meta.primary) {
        let mut reader = Reader::new(bytes, part.body.clone());
        match &part.kind {
            // Turned after it was mirrored is turned the other way and mirrored then.
            b"irot" if mirror.is_some() => quarters = (quarters + 4 - (reader.byte()? & 3)) % 4,
            b"irot" => quarters = (quarters + (reader.byte()? & 3)) % 4,
            b"imir" if mirror.is_none() => mirror = Some(reader.byte()? & 1),
            b"imir" => return Err(corrupt("the picture is mirrored twice")),
            _ => {}
        }
    }
    Ok(match (quarters, mirror) {
        (0, None) => Orientation::Upright,
        (1, None) => Orientation::Rotated270,
        (2, None) => Orientation::Rotated180,
        (_, None) => Orientation::Rotated90,
        (0, Some(0)) | (2, Some(1)) => Orientation::FlippedVertically,
        (0 | 2, Some(_)) => Orientation::FlippedHorizontally,
        (1, Some(0)) | (3, Some(1)) => Orientation::Transposed,
        (_, Some(_)) => Orientation::Transversed,
    })
}

fn colours(bytes: &[u8], meta: &Meta) -> Result<(Option<Colours>, Option<Range<usize>>), Fault> {
    let (mut colours, mut profile) = (None, None);
    for (part, _) in properties(meta, meta.primary).filter(|(part, _)| part.kind == *b"colr") {
        let mut reader = Reader::new(bytes, part.body.clone());
        match reader.take(4)? {
            b"nclx" => {
                let mut code = || reader.number(2).map(|code| u16::try_from(code).unwrap_or(2));
                let (primaries, transfer, matrix) = (code()?, code()?, code()?);
                let full_range = reader.byte()? & 0x80 != 0;
                colours = Some(Colours { primaries, transfer, matrix, full_range });
            }
            b"prof" | b"rICC" => profile = Some(reader.rest()),
            _ => {}
        }
    }
    Ok((colours, profile))
}
