//! Which items of an AVIF make the picture, and what is done to their pixels before it is shown.

use std::ops::Range;

use crate::exif::Orientation;
use crate::format::heif::isobmff::{self, Boxed, Item, Kind, Meta, Reader};
use crate::format::survey::{corrupt, truncated};
use crate::job::{Fault, at_most};
use crate::step::crop::Rect;
use words::dimensions::Dimensions;

const MAX_TILES: usize = 1024;

/// Properties that say how the picture looks. A stripped file keeps these; one that marks another as essential is not read.
pub const KNOWN: [Kind; 14] = [
    *b"av1C", *b"ispe", *b"pixi", *b"colr", *b"auxC", *b"clap", *b"irot", *b"imir", *b"pasp",
    *b"clli", *b"mdcv", *b"a1op", *b"lsel", *b"a1lx",
];

/// The coded pictures of a file and how they make the one that is shown.
#[derive(Debug, Clone)]
pub struct Plan {
    /// As shown.
    pub size: Dimensions,
    /// The part of the coded picture that is shown, before the turn.
    pub part: Rect,
    pub turn: Orientation,
    pub picture: Tiled,
    pub alpha: Option<Tiled>,
    /// Whether colours were multiplied by alpha.
    pub premultiplied: bool,
    /// The colours as the container describes them, which overrules the bitstream.
    pub colours: Option<Colours>,
    pub profile: Option<Range<usize>>,
}

/// A picture that is one coded picture or a grid of them.
#[derive(Debug, Clone)]
pub struct Tiled {
    pub size: Dimensions,
    pub tile: Dimensions,
    pub columns: u32,
    /// The ranges of each tile, row by row of the grid.
    pub tiles: Vec<Vec<Range<usize>>>,
}

/// Code points of ITU-T H.273, and whether samples use their full range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colours {
    pub primaries: u16,
    pub transfer: u16,
    pub matrix: u16,
    pub full_range: bool,
}

impl Colours {
    pub const UNSPECIFIED: Self = Self { primaries: 2, transfer: 2, matrix: 2, full_range: false };
}

/// Plans the decoding of a file. Every range in the plan lies in the file.
pub fn plan(bytes: &[u8]) -> Result<Plan, Fault> {
    let top = top(bytes)?;
    if top.iter().any(|part| part.kind == *b"moov") {
        return Err(animated());
    }
    plan_of(bytes, &meta(bytes, &top)?)
}

pub fn animated() -> Fault {
    Fault::Unsupported("animated AVIF is not read".into())
}

/// The top-level boxes. What follows the `meta` box and is no box counts as bytes behind the image, as for other decoders.
pub fn top(bytes: &[u8]) -> Result<Vec<Boxed>, Fault> {
    let (found, end) = isobmff::boxes_until(bytes, 0..bytes.len())?;
    if found.iter().any(|part| part.kind == *b"meta") {
        return Ok(found);
    }
    end.map(|()| found)
}

/// The `meta` box among the top-level boxes, with the bytes of its items located.
pub fn meta(bytes: &[u8], top: &[Boxed]) -> Result<Meta, Fault> {
    let found = top.iter().find(|part| part.kind == *b"meta");
    let body = found.ok_or_else(|| truncated("the container"))?.body.clone();
    isobmff::meta(bytes, body, bytes.len())
}

/// Plans the decoding of a file whose `meta` box was read.
pub fn plan_of(bytes: &[u8], meta: &Meta) -> Result<Plan, Fault> {
    let primary = meta.primary;
    let picture = tiled(bytes, meta, primary)?;
    let alpha = match alpha(bytes, meta, primary) {
        Some(alpha) => Some(tiled(bytes, meta, alpha)?),
        None => alpha_of_tiles(bytes, meta, &picture)?,
    };
    if alpha.as_ref().is_some_and(|alpha| alpha.size != picture.size) {
        return Err(Fault::Unsupported("alpha of another size than the picture's".into()));
    }
    let (part, turn) = (part(bytes, meta, picture.size)?, turn(bytes, meta)?);
    let (colours, profile) = colours(bytes, meta)?;
    Ok(Plan {
        size: turn.applied_to(part.size),
        part,
        turn,
        premultiplied: alpha.is_some() && meta.referred(*b"prem", primary).next().is_some(),
        picture,
        alpha,
        colours,
        profile,
    })
}

/// The item that holds the alpha of this one.
pub fn alpha(bytes: &[u8], meta: &Meta, item: u32) -> Option<u32> {
    let auxiliary = meta.references.iter().filter(|it| it.kind == *b"auxl");
    let mut of_item = auxiliary.filter(|it| it.to.contains(&item)).map(|it| it.from);
    of_item.find(|item| {
        let body = property(meta, *item, *b"auxC").and_then(|part| bytes.get(part.body.clone()));
        let name = body.and_then(|body| body.get(4..)?.split(|byte| *byte == 0).next());
        name == Some(b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha")
    })
}

/// The alpha of a grid whose tiles have an alpha each. Errors: `Unsupported` if some have none.
fn alpha_of_tiles(bytes: &[u8], meta: &Meta, picture: &Tiled) -> Result<Option<Tiled>, Fault> {
    if &meta.item(meta.primary).kind != b"grid" {
        return Ok(None);
    }
    let tiles = meta.referred(*b"dimg", meta.primary);
    let all: Vec<_> = tiles.filter_map(|tile| alpha(bytes, meta, tile)).collect();
    if all.is_empty() {
        return Ok(None);
    }
    if all.len() != picture.tiles.len() {
        return Err(Fault::Unsupported("alpha in a part of the tiles is not read".into()));
    }
    let tiles = all.iter().map(|item| tile(bytes, meta, *item, picture.tile));
    Ok(Some(Tiled { tiles: tiles.collect::<Result<_, _>>()?, ..picture.clone() }))
}

fn property(meta: &Meta, item: u32, kind: Kind) -> Option<&Boxed> {
    let all = properties(meta, item);
    all.map(|(part, _)| part).find(|part| part.kind == kind)
}

fn properties(meta: &Meta, item: u32) -> impl Iterator<Item = (&Boxed, bool)> {
    let places = meta.item(item).properties.iter();
    places.filter_map(|(place, needed)| Some((meta.properties.get(*place)?, *needed)))
}

/// The size of an item, by its `ispe` property.
pub fn extent(bytes: &[u8], meta: &Meta, item: u32) -> Result<Dimensions, Fault> {
    let part = property(meta, item, *b"ispe").ok_or_else(|| corrupt("an image has no size"))?;
    let mut reader = Reader::new(bytes, part.body.clone());
    reader.version()?;
    let size = Dimensions::new(reader.id(true)?, reader.id(true)?);
    if size.pixels() == 0 {
        return Err(corrupt("an image has no pixels"));
    }
    Ok(size)
}

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
    let Item { kind, extents, .. } = meta.item(item);
    if kind != b"av01" || extents.iter().all(Range::is_empty) {
        return Err(corrupt("an image has no bytes"));
    }
    Ok(extents.clone())
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
        tiles.push(self::tile(bytes, meta, part, tile)?);
    }
    Ok(Tiled { size, tile, columns, tiles })
}

/// The bytes of one tile of a grid, all of which have this size.
fn tile(
    bytes: &[u8],
    meta: &Meta,
    item: u32,
    size: Dimensions,
) -> Result<Vec<Range<usize>>, Fault> {
    understood(meta, item)?;
    if property(meta, item, *b"clap").is_some() {
        return Err(Fault::Unsupported("AVIF whose tiles are cropped is not read".into()));
    }
    if extent(bytes, meta, item)? != size {
        return Err(corrupt("the tiles of a grid differ in size"));
    }
    coded(meta, item)
}

/// The bytes of an item, which may lie in several ranges, in one piece.
pub fn gathered(bytes: &[u8], extents: &[Range<usize>]) -> Vec<u8> {
    extents.iter().filter_map(|range| bytes.get(range.clone())).flatten().copied().collect()
}

/// Passes an item without unknown essential properties: ignoring one would show the picture wrongly (23008-12, 9.3).
fn understood(meta: &Meta, item: u32) -> Result<(), Fault> {
    let unknown =
        properties(meta, item).find(|(part, needed)| *needed && !KNOWN.contains(&part.kind));
    let Some((part, _)) = unknown else { return Ok(()) };
    let name = part.kind.escape_ascii();
    Err(Fault::Unsupported(format!("AVIF with the property {name} is not read")))
}

/// The part of the primary item, of this size, that its property `clap` leaves (14496-12, 12.1.4): a size, and the offset of its
/// centre from the centre of the picture, all of them fractions. It comes before the turn (23000-22, 7.3.6.7).
pub fn part(bytes: &[u8], meta: &Meta, size: Dimensions) -> Result<Rect, Fault> {
    let Some(part) = property(meta, meta.primary, *b"clap") else { return Ok(Rect::all(size)) };
    let mut reader = Reader::new(bytes, part.body.clone());
    let mut fraction = || -> Result<f64, Fault> {
        let (above, below) = (reader.id(true)?.cast_signed(), reader.id(true)?);
        Ok(f64::from(above) / f64::from(below))
    };
    let (width, height, right, down) = (fraction()?, fraction()?, fraction()?, fraction()?);
    let span = |whole: u32, length: f64, offset: f64| {
        let start = ((f64::from(whole) - length) / 2.0 + offset).round();
        let fits = length >= 1.0 && start >= 0.0 && start + length.floor() <= f64::from(whole);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Between 0 and a side.
        let span = fits.then_some((start as u32, length as u32));
        span.ok_or_else(|| corrupt("the picture is cropped to something outside of it"))
    };
    let (left, width) = span(size.width, width, right)?;
    let (top, height) = span(size.height, height, down)?;
    Ok(Rect { left, top, size: Dimensions::new(width, height) })
}

/// The turn by the properties `irot`, quarter turns anticlockwise, and `imir`, a mirror. They apply in their order.
pub fn turn(bytes: &[u8], meta: &Meta) -> Result<Orientation, Fault> {
    let (mut quarters, mut mirror) = (0, None);
    for (part, _) in properties(meta, meta.primary) {
        let mut reader = Reader::new(bytes, part.body.clone());
        match &part.kind {
            // A turn after the mirror equals the opposite turn before it.
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

/// The code points, and the range of an ICC profile, in the `colr` properties of the primary item.
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
