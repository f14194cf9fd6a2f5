//! The container of an AVIF: its header, its survey, and stripping. A turn that the container asks for belongs to the picture,
//! so sizes are as shown.

use std::collections::HashSet;
use std::ops::Range;

use super::plan::{self, KNOWN};
use crate::format::heif::isobmff::{self, Boxed, Kind, Meta};
use crate::format::partial::{Found, PARTS_MAX, Partial, Stop};
use crate::format::survey::{Survey, corrupt};
use crate::job::{Fault, Limits, at_most};
use words::dimensions::Dimensions;

/// References between the items that make the picture.
const REFERENCES: [Kind; 3] = [*b"dimg", *b"auxl", *b"prem"];

/// A longer `ftyp` box is written anew: brands could carry a message.
const MAX_BRANDS: usize = 128;

/// The longest `meta` box whose size is read; a longer one counts as damaged.
const MAX_META: u64 = 4 << 20;

/// Reads the size in the `meta` box, wherever that lies.
pub fn header(source: &Partial<'_>, found: &mut Found) -> Result<(), Stop> {
    let mut at = 0;
    let mut boxes = 0;
    loop {
        if source.length()? == Some(at) || boxes == PARTS_MAX {
            return Err(Stop::Fault(corrupt("there is no image in the file")));
        }
        let head: [u8; 8] = source.bytes(at)?;
        let told = head.first_chunk().map_or(0, |size| u32::from_be_bytes(*size));
        let (body, size) = match told {
            1 => (at + 16, Some(u64::from_be_bytes(source.bytes(at + 8)?))),
            0 => (at + 8, None),
            size => (at + 8, Some(size.into())),
        };
        let end = match size {
            Some(size) => at.checked_add(size).ok_or(Stop::Corrupt)?,
            // The last box, which ends with the file.
            None => source.length()?.ok_or(Stop::NeedMore)?,
        };
        let length = end.checked_sub(body).ok_or(Stop::Corrupt)?;
        match &head[4..] {
            b"moov" => return Err(Stop::Fault(plan::animated())),
            b"meta" if length <= MAX_META => {
                let meta = source.read(body, length)?;
                let size = shown_size(&meta).map_err(Stop::Fault)?;
                return found.size(size.width, size.height);
            }
            b"meta" => return Err(Stop::Corrupt),
            _ => at = end,
        }
        boxes += 1;
    }
}

/// The size of the picture as shown, by the body of a `meta` box.
fn shown_size(body: &[u8]) -> Result<Dimensions, Fault> {
    let meta = isobmff::meta(body, 0..body.len(), usize::MAX)?;
    let part = plan::part(body, &meta, plan::extent(body, &meta, meta.primary)?)?;
    Ok(plan::turn(body, &meta)?.applied_to(part.size))
}

pub fn survey(bytes: &[u8], limits: &Limits) -> Result<Survey, Fault> {
    let plan = plan::plan(bytes)?;
    let length = plan.profile.as_ref().map_or(0, ExactSizeIterator::len) as u64;
    at_most("bytes of colour profile", length, limits.max_metadata)?;
    for tiled in std::iter::once(&plan.picture).chain(&plan.alpha) {
        at_most("pixels", tiled.size.pixels(), limits.max_pixels)?;
        let all = tiled.tile.pixels().saturating_mul(tiled.tiles.len() as u64);
        at_most("pixels of tiles", all, limits.max_pixels.saturating_mul(2))?;
    }
    let profile = plan.profile.and_then(|range| bytes.get(range)).map(<[u8]>::to_vec);
    Ok(Survey { profile, ..Survey::of_size(plan.size) })
}

/// Writes the picture, bit for bit, into a container without EXIF, XMP, unknown boxes and unused bytes. A file that is stripped
/// already is returned as it is.
pub fn strip(bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let top = plan::top(bytes)?;
    let meta = plan::meta(bytes, &top)?;
    plan::plan_of(bytes, &meta)?;
    let kept = kept(bytes, &meta);
    if top.last().is_some_and(|last| last.whole.end == bytes.len())
        && is_stripped(&top, &meta, &kept)
    {
        return Ok(bytes.to_vec());
    }
    Ok(written(bytes, &meta, &kept))
}

/// The items to keep: the primary one, its alpha, the tiles of both, and the alpha of each tile.
fn kept(bytes: &[u8], meta: &Meta) -> Vec<u32> {
    let mut kept = Vec::new();
    for item in std::iter::once(meta.primary).chain(plan::alpha(bytes, meta, meta.primary)) {
        kept.push(item);
        for tile in meta.referred(*b"dimg", item) {
            kept.push(tile);
            kept.extend(plan::alpha(bytes, meta, tile));
        }
    }
    let mut seen = HashSet::new();
    kept.retain(|item| seen.insert(*item));
    kept
}

/// Whether the file holds only what [`written`] would write.
fn is_stripped(top: &[Boxed], meta: &Meta, kept: &[u32]) -> bool {
    let [brands, head, data] = top else { return false };
    let kinds = [&brands.kind, &head.kind, &data.kind];
    let used: HashSet<_> =
        meta.items.values().flat_map(|item| &item.properties).map(|(place, _)| *place).collect();
    kinds == [b"ftyp", b"meta", b"mdat"]
        && brands.whole.len() <= MAX_BRANDS
        && !meta.has_more
        && meta.items.keys().all(|item| kept.contains(item))
        && meta.properties.iter().all(|part| KNOWN.contains(&part.kind))
        && (0..meta.properties.len()).all(|place| used.contains(&place))
        && meta.references.iter().all(|it| REFERENCES.contains(&it.kind))
        && is_filled(meta, &data.body)
}

/// Whether the bytes of the items fill `mdat`, and `idat` if there is one, without a gap.
fn is_filled(meta: &Meta, data: &Range<usize>) -> bool {
    let mut extents: Vec<_> = meta.items.values().flat_map(|item| &item.extents).collect();
    extents.sort_unstable_by_key(|range| (range.start, range.end));
    [Some(data), meta.idat.as_ref()].into_iter().flatten().all(|place| {
        let mut at = place.start;
        for range in extents.iter().filter(|it| place.start <= it.start && it.start < place.end) {
            if range.start > at {
                return false;
            }
            at = at.max(range.end);
        }
        at == place.end
    })
}

fn written(bytes: &[u8], meta: &Meta, kept: &[u32]) -> Vec<u8> {
    let brands = boxed(*b"ftyp", b"avif\0\0\0\0avifmif1miaf");
    let payload = |item: &u32| plan::gathered(bytes, &meta.item(*item).extents);
    let payloads: Vec<_> = kept.iter().map(payload).collect();
    // The length of the head does not depend on the offset of the data that it names.
    let before = brands.len() + head(bytes, meta, kept, &payloads, 0).len() + 8;
    let head = head(bytes, meta, kept, &payloads, before);
    [brands, head, boxed(*b"mdat", &payloads.concat())].concat()
}

/// The `meta` box for data that begins at the offset `data`.
fn head(bytes: &[u8], meta: &Meta, kept: &[u32], payloads: &[Vec<u8>], data: usize) -> Vec<u8> {
    let handler = [&[0; 8][..], b"pict", &[0; 13]].concat();
    let mut places = [vec![0, 0, 0, 0, 0x44, 0], short(kept.len())].concat();
    let mut infos = [vec![0; 4], short(kept.len())].concat();
    let mut at = data;
    for ((number, item), payload) in (1..).zip(kept).zip(payloads) {
        places.extend([short(number), short(0), short(1), long(at), long(payload.len())].concat());
        at += payload.len();
        let kind = &meta.item(*item).kind;
        let info = [&[2, 0, 0, 0][..], &short(number), &[0, 0], kind, &[0]].concat();
        infos.extend(boxed(*b"infe", &info));
    }
    let parts = [
        boxed(*b"hdlr", &handler),
        boxed(*b"pitm", &[vec![0; 4], short(1)].concat()),
        boxed(*b"iloc", &places),
        boxed(*b"iinf", &infos),
        references(meta, kept),
        properties(bytes, meta, kept),
    ];
    boxed(*b"meta", &[vec![0; 4], parts.concat()].concat())
}

/// The `iref` box of references between kept items, by their new numbers; nothing if there are none.
fn references(meta: &Meta, kept: &[u32]) -> Vec<u8> {
    let number = |item: &u32| kept.iter().position(|it| it == item).map(|place| short(place + 1));
    let mut all = Vec::new();
    for found in meta.references.iter().filter(|it| REFERENCES.contains(&it.kind)) {
        let to: Option<Vec<_>> = found.to.iter().map(number).collect();
        if let (Some(from), Some(to)) = (number(&found.from), to) {
            all.extend(boxed(found.kind, &[from, short(to.len()), to.concat()].concat()));
        }
    }
    if all.is_empty() { all } else { boxed(*b"iref", &[vec![0; 4], all].concat()) }
}

/// The `iprp` box: the properties of kept items, each once.
fn properties(bytes: &[u8], meta: &Meta, kept: &[u32]) -> Vec<u8> {
    let mut used: Vec<usize> = Vec::new();
    let mut links = [vec![0, 0, 0, 1], long(kept.len())].concat();
    for (number, item) in (1..).zip(kept) {
        let known =
            |place: usize| meta.properties.get(place).is_some_and(|it| KNOWN.contains(&it.kind));
        let all = meta.item(*item).properties.iter();
        let own: Vec<_> = all.filter(|(place, _)| known(*place)).take(255).collect();
        links.extend(short(number));
        links.extend(u8::try_from(own.len()));
        for (place, essential) in own {
            let index = used.iter().position(|it| it == place).unwrap_or_else(|| {
                used.push(*place);
                used.len() - 1
            });
            links.extend(short(index + 1 + if *essential { 0x8000 } else { 0 }));
        }
    }
    let parts =
        used.iter().filter_map(|place| bytes.get(meta.properties.get(*place)?.whole.clone()));
    let parts = parts.flatten().copied().collect::<Vec<_>>();
    boxed(*b"iprp", &[boxed(*b"ipco", &parts), boxed(*b"ipma", &links)].concat())
}

fn boxed(kind: Kind, body: &[u8]) -> Vec<u8> {
    [&long(body.len() + 8)[..], &kind, body].concat()
}

/// Counts and indices are far below what two bytes hold: a container has at most 4,096 parts.
fn short(number: usize) -> Vec<u8> {
    u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes().to_vec()
}

/// Lengths and offsets fit: an input has at most 512 MiB.
fn long(number: usize) -> Vec<u8> {
    u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes().to_vec()
}
