//! The boxes of a HEIF image (ISO/IEC 14496-12, 23008-12): items, their bytes, properties and references.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::format::survey::{corrupt, truncated};
use crate::job::{Fault, at_most};

pub type Kind = [u8; 4];

/// The most boxes, items, extents, properties and references in one file, of each.
const MAX_PARTS: usize = 4096;
/// Longer names of a handler or an item are stripped: they could carry a message.
const MAX_NAME: usize = 32;

/// A box, as ranges of the file's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boxed {
    pub kind: Kind,
    pub whole: Range<usize>,
    pub body: Range<usize>,
}

#[derive(Debug, Default, Clone)]
pub struct Item {
    pub kind: Kind,
    /// The ranges of its bytes, in order.
    pub extents: Vec<Range<usize>>,
    /// Its properties, as indices into [`Meta::properties`], and whether each is essential.
    pub properties: Vec<(usize, bool)>,
}

/// An item that the container does not describe.
static UNKNOWN: Item = Item { kind: [0; 4], extents: Vec::new(), properties: Vec::new() };

#[derive(Debug, Clone)]
pub struct Reference {
    pub kind: Kind,
    pub from: u32,
    pub to: Vec<u32>,
}

/// The contents of a `meta` box.
#[derive(Debug, Default)]
pub struct Meta {
    pub primary: u32,
    pub items: BTreeMap<u32, Item>,
    pub properties: Vec<Boxed>,
    pub references: Vec<Reference>,
    /// The body of the `idat` box, where items may keep small data.
    pub idat: Option<Range<usize>>,
    /// Whether the box holds anything beside these.
    pub has_more: bool,
}

/// The boxes in a range of the file, which they must fill.
pub fn boxes(bytes: &[u8], range: Range<usize>) -> Result<Vec<Boxed>, Fault> {
    let (found, end) = boxes_until(bytes, range)?;
    end.map(|()| found)
}

/// The boxes in a range of the file up to its end, or to bytes that are no box.
pub fn boxes_until(
    bytes: &[u8],
    range: Range<usize>,
) -> Result<(Vec<Boxed>, Result<(), Fault>), Fault> {
    let mut reader = Reader::new(bytes, range);
    let mut found = Vec::new();
    while !reader.rest().is_empty() {
        match reader.boxed() {
            Ok(part) => found.push(part),
            Err(fault) => return Ok((found, Err(fault))),
        }
        bounded(found.len())?;
    }
    Ok((found, Ok(())))
}

/// Reads the body of a `meta` box. The extents of its items must lie in a file of this length.
pub fn meta(bytes: &[u8], body: Range<usize>, length: usize) -> Result<Meta, Fault> {
    let mut reader = Reader::new(bytes, body);
    reader.version()?;
    let parts = boxes(bytes, reader.rest())?;
    let idat = parts.iter().rfind(|part| part.kind == *b"idat").map(|part| part.body.clone());
    let mut meta = Meta { idat, ..Meta::default() };
    for part in parts {
        let mut reader = Reader::new(bytes, part.body.clone());
        match &part.kind {
            b"hdlr" => meta.handler(&mut reader)?,
            b"pitm" => {
                let version = reader.version()?;
                meta.primary = reader.id(version > 0)?;
            }
            b"iloc" => meta.locations(&mut reader, length)?,
            b"iinf" => meta.infos(bytes, &mut reader)?,
            b"iref" => meta.references(bytes, &mut reader)?,
            b"iprp" => meta.item_properties(bytes, reader.rest())?,
            b"idat" => {}
            _ => meta.has_more = true,
        }
    }
    Ok(meta)
}

impl Meta {
    pub fn item(&self, number: u32) -> &Item {
        self.items.get(&number).unwrap_or(&UNKNOWN)
    }

    /// The items that an item refers to by references of this kind, in order.
    pub fn referred(&self, kind: Kind, from: u32) -> impl Iterator<Item = u32> + '_ {
        let of = move |it: &&Reference| it.kind == kind && it.from == from;
        self.references.iter().filter(of).flat_map(|it| it.to.iter().copied())
    }

    fn handler(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        reader.version()?;
        reader.take(4)?;
        if reader.take(4)? != b"pict" {
            return Err(corrupt("the file holds something else than pictures"));
        }
        reader.take(12)?;
        self.has_more |= reader.rest().len() > MAX_NAME;
        Ok(())
    }

    fn infos(&mut self, bytes: &[u8], reader: &mut Reader<'_>) -> Result<(), Fault> {
        let version = reader.version()?;
        reader.id(version > 0)?;
        for info in boxes(bytes, reader.rest())? {
            let mut reader = Reader::new(bytes, info.body);
            let version = reader.version()?;
            if info.kind != *b"infe" || !(2..=3).contains(&version) {
                return Err(corrupt("an item is described in an unknown way"));
            }
            let id = reader.id(version > 2)?;
            reader.take(2)?;
            self.items.entry(id).or_default().kind = reader.kind()?;
            self.has_more |= reader.rest().len() > MAX_NAME;
            bounded(self.items.len())?;
        }
        Ok(())
    }

    fn locations(&mut self, reader: &mut Reader<'_>, length: usize) -> Result<(), Fault> {
        let version = reader.version()?;
        let [sizes, more] = [reader.byte()?, reader.byte()?];
        let (offset_size, length_size) = (sizes >> 4, sizes & 15);
        let (base_size, index_size) = (more >> 4, if version > 0 { more & 15 } else { 0 });
        let mut count = self.items.values().map(|item| item.extents.len()).sum();
        for _ in 0..reader.id(version > 1)? {
            let item = reader.id(version > 1)?;
            let method = if version > 0 { reader.number(2)? & 15 } else { 0 };
            if reader.number(2)? != 0 || method > 1 {
                let words = "AVIF whose items lie elsewhere is not read";
                return Err(Fault::Unsupported(words.into()));
            }
            let base = reader.number(base_size)?;
            for _ in 0..reader.number(2)? {
                let all = match (method, &self.idat) {
                    (0, _) => 0..length,
                    (_, Some(idat)) => idat.clone(),
                    (_, None) => return Err(corrupt("an item lies in a box that is not there")),
                };
                reader.number(index_size)?;
                let offset = reader.number(offset_size)?.checked_add(base);
                let extent = offset.zip(Some(reader.number(length_size)?));
                let extent = extent.and_then(|(offset, length)| inside(&all, offset, length));
                let extent = extent.ok_or_else(|| match method {
                    0 => truncated("an item"),
                    _ => corrupt("an item lies outside of the box that holds it"),
                })?;
                self.items.entry(item).or_default().extents.push(extent);
                count += 1;
                bounded(count)?;
            }
        }
        Ok(())
    }

    fn references(&mut self, bytes: &[u8], reader: &mut Reader<'_>) -> Result<(), Fault> {
        let wide = reader.version()? > 0;
        for found in boxes(bytes, reader.rest())? {
            let mut reader = Reader::new(bytes, found.body);
            let from = reader.id(wide)?;
            let count = reader.number(2)?;
            let to: Result<Vec<_>, _> = (0..count).map(|_| reader.id(wide)).collect();
            self.references.push(Reference { kind: found.kind, from, to: to? });
        }
        bounded(self.references.iter().map(|it| it.to.len()).sum())
    }

    fn item_properties(&mut self, bytes: &[u8], range: Range<usize>) -> Result<(), Fault> {
        for part in boxes(bytes, range)? {
            match &part.kind {
                b"ipco" => self.properties = boxes(bytes, part.body)?,
                b"ipma" => self.associations(&mut Reader::new(bytes, part.body))?,
                _ => self.has_more = true,
            }
        }
        Ok(())
    }

    fn associations(&mut self, reader: &mut Reader<'_>) -> Result<(), Fault> {
        let flags = reader.number(4)?;
        let (wide, size) = (flags >> 24 > 0, if flags & 1 == 1 { 2 } else { 1 });
        let essential_bit = 1_u64 << (8 * u32::from(size) - 1);
        for _ in 0..reader.number(4)? {
            let item = reader.id(wide)?;
            for _ in 0..reader.byte()? {
                let told = reader.number(size)?;
                let place = usize::try_from(told & (essential_bit - 1)).unwrap_or(usize::MAX);
                // Indices count from 1; 0 stands for no property.
                if let Some(place) = place.checked_sub(1) {
                    let essential = told & essential_bit != 0;
                    let item = self.items.entry(item).or_default();
                    item.properties.push((place, essential));
                    bounded(item.properties.len())?;
                }
            }
            bounded(self.items.len())?;
        }
        Ok(())
    }
}

/// The part of a range that begins at an offset in it. A length of 0 means up to the end.
fn inside(all: &Range<usize>, offset: u64, length: u64) -> Option<Range<usize>> {
    let start = all.start.checked_add(usize::try_from(offset).ok()?)?;
    let end = match usize::try_from(length).ok()? {
        0 => all.end,
        length => start.checked_add(length)?,
    };
    (start <= end && end <= all.end).then_some(start..end)
}

fn bounded(count: usize) -> Result<(), Fault> {
    at_most("parts of an AVIF", count as u64, MAX_PARTS as u64)
}

/// Reads big-endian numbers up to the end of a box.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    end: usize,
}

impl<'a> Reader<'a> {
    /// Reads a range of the bytes, as far as these reach.
    pub fn new(bytes: &'a [u8], range: Range<usize>) -> Self {
        let end = range.end.min(bytes.len());
        Self { bytes, at: range.start.min(end), end }
    }

    pub fn rest(&self) -> Range<usize> {
        self.at..self.end
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.end);
        let end = end.ok_or_else(|| truncated("a box of the container"))?;
        let taken = self.bytes.get(self.at..end).ok_or_else(|| truncated("a box"))?;
        self.at = end;
        Ok(taken)
    }

    /// A number of `size` bytes, at most eight. A number of no bytes is 0.
    pub fn number(&mut self, size: u8) -> Result<u64, Fault> {
        let bytes = self.take(usize::from(size.min(8)))?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    pub fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.take(1)?.first().copied().unwrap_or_default())
    }

    /// A number of two bytes, or of four if it is `wide`.
    pub fn id(&mut self, wide: bool) -> Result<u32, Fault> {
        Ok(u32::try_from(self.number(if wide { 4 } else { 2 })?).unwrap_or(u32::MAX))
    }

    /// The version of a box. Steps over its flags, too.
    pub fn version(&mut self) -> Result<u8, Fault> {
        Ok(self.take(4)?.first().copied().unwrap_or_default())
    }

    fn kind(&mut self) -> Result<Kind, Fault> {
        self.take(4)?.try_into().map_err(|_| truncated("a box"))
    }

    /// The kind of the next box, and its size; `None` for one that reaches to the end.
    pub fn head(&mut self) -> Result<(Kind, Option<u64>), Fault> {
        let (size, kind) = (self.number(4)?, self.kind()?);
        Ok(match size {
            0 => (kind, None),
            1 => (kind, Some(self.number(8)?)),
            size => (kind, Some(size)),
        })
    }

    fn boxed(&mut self) -> Result<Boxed, Fault> {
        let start = self.at;
        let (kind, size) = self.head()?;
        let size = size.unwrap_or((self.end - start) as u64);
        let end = usize::try_from(size).ok().and_then(|size| start.checked_add(size));
        let end = end.ok_or_else(|| truncated("a box"))?;
        if end < self.at {
            return Err(corrupt("a box is smaller than its header"));
        }
        if end > self.end {
            return Err(truncated("a box"));
        }
        let body = self.at..end;
        self.at = end;
        Ok(Boxed { kind, whole: start..end, body })
    }
}
