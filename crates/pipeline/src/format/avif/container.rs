//! The container of an AVIF: its header, its survey, and stripping. A turn that the container asks for belongs to the picture,
//! so sizes are as shown.

use std::collections::HashSet;
use std::ops::Range;

use super::plan::{self, KNOWN};
use crate::format::heif::isobmff::{self, Boxed, Kind, Meta, Reader};
use crate::format::partial::{Found, Partial, Stop};
use crate::format::survey::{Survey, corrupt};
use crate::job::{Fault, Limits, at_most};
use words::dimensions::Dimensions;

/// References between the items that make the picture.
const REFERENCES: [Kind; 3] = [*b"dimg", *b"auxl", *b"prem"];

/// A longer `ftyp` box is written anew: brands could carry a message.
const MAX_BRANDS: usize = 128;

/// Encoders write the box that holds the size near the beginning; a file that has it deeper has no known size.
pub fn header(source: &Partial<'_>, found: &mut Found) -> Result<(), Stop> {
    match shown_size(source.head) {
        Ok(Some(size)) => found.size(size.width, size.height),
        Ok(None) if source.file.is_none() => Err(Stop::NeedMore),
        Ok(None) | Err(Fault::Truncated(_)) => Err(Stop::Truncated),
        Err(_) => Err(Stop::Corrupt),
    }
}

/// `None` if the beginning does not hold the whole `meta` box.
pub fn shown_size(head: &[u8]) -> Result<Option<Dimensions>, Fault> {
    let mut at = 0;
    loop {
        // The box may end behind what is here.
        let mut reader = Reader::new(head, at..head.len());
        let Ok((kind, size)) = reader.head() else { return Ok(None) };
        let size = size.filter(|size| *size >= 8).ok_or_else(|| corrupt("a box has no end"))?;
        let end = usize::try_from(size).ok().and_then(|size| at.checked_add(size));
        let Some(end) = end.filter(|end| *end <= head.len()) else { return Ok(None) };
        if kind == *b"meta" {
            let meta = isobmff::meta(head, reader.rest().start..end, usize::MAX)?;
            let stored = plan::extent(head, &meta, meta.primary)?;
            return Ok(Some(plan::turn(head, &meta)?.applied_to(stored)));
        }
        at = end;
    }
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
    let top = isobmff::boxes(bytes, 0..bytes.len())?;
    let meta = plan::meta(bytes, &top)?;
    plan::plan_of(bytes, &meta)?;
    let kept = kept(bytes, &meta);
    if is_stripped(&top, &meta, &kept) {
        return Ok(bytes.to_vec());
    }
    Ok(written(bytes, &meta, &kept))
}

/// The items to keep: the primary one, its alpha, and the tiles of both.
fn kept(bytes: &[u8], meta: &Meta) -> Vec<u32> {
    let mut kept = Vec::new();
    for item in std::iter::once(meta.primary).chain(plan::alpha(bytes, meta)) {
        for item in std::iter::once(item).chain(meta.referred(*b"dimg", item)) {
            if !kept.contains(&item) {
                kept.push(item);
            }
        }
    }
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
