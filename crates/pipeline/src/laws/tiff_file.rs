//! TIFF files that tests assemble: pages of tags and chunks, in either byte order and width.

use crate::raster::Raster;
use words::dimensions::Dimensions;

/// One directory of a file: its tags, and its chunks.
#[derive(Clone)]
pub struct Page {
    /// Tag, type (2 ASCII, 3 SHORT, 4 LONG, 5 RATIONAL, 7 bytes) and numbers.
    pub tags: Vec<(u16, u16, Vec<u32>)>,
    pub chunks: Vec<Vec<u8>>,
    pub children: Vec<Page>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Order {
    Little,
    Big,
    /// Little, with 64-bit offsets.
    Wide,
}

impl Page {
    /// A picture in one strip.
    pub fn new(
        size: Dimensions,
        bits: u32,
        samples: u32,
        photometric: u32,
        strip: Vec<u8>,
    ) -> Self {
        let tags = vec![
            (256, 4, vec![size.width]),
            (257, 4, vec![size.height]),
            (258, 3, vec![bits; usize::try_from(samples).unwrap()]),
            (262, 3, vec![photometric]),
            (277, 3, vec![samples]),
        ];
        Self { tags, chunks: vec![strip], children: Vec::new() }
    }

    pub fn of(raster: &Raster) -> Self {
        let samples = u32::try_from(raster.channels().count()).unwrap();
        let photometric = if samples < 3 { 1 } else { 2 };
        Self::new(raster.size(), 8, samples, photometric, raster.pixels().to_vec())
    }

    pub fn with(mut self, tag: u16, numbers: &[u32]) -> Self {
        self.tags.retain(|(other, ..)| *other != tag);
        self.tags.push((tag, 3, numbers.to_vec()));
        self
    }

    /// With another type: 4 is LONG, 5 RATIONAL, 7 bytes.
    pub fn typed(mut self, tag: u16, kind: u16, numbers: &[u32]) -> Self {
        self.tags.retain(|(other, ..)| *other != tag);
        self.tags.push((tag, kind, numbers.to_vec()));
        self
    }

    pub fn packed(mut self, compression: u32, pack: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        self.chunks = self.chunks.iter().map(|chunk| pack(chunk)).collect();
        self.with(259, &[compression])
    }

    /// In chunks of so many pixels: tiles if they are narrower than the picture, with zeros behind its edges.
    pub fn cut(mut self, raster: &Raster, chunk: Dimensions, is_planar: bool) -> Self {
        let (count, sides) = (raster.channels().count(), raster.size());
        let tiled = chunk.width < sides.width;
        let planes: Vec<Vec<usize>> = if is_planar {
            (0..count).map(|one| vec![one]).collect()
        } else {
            vec![(0..count).collect()]
        };
        self.chunks.clear();
        for plane in planes {
            for top in (0..sides.height).step_by(chunk.height as usize) {
                for left in (0..sides.width).step_by(chunk.width as usize) {
                    let bottom = if tiled {
                        top + chunk.height
                    } else {
                        sides.height.min(top + chunk.height)
                    };
                    let rows =
                        (top..bottom).flat_map(|y| (left..left + chunk.width).map(move |x| (x, y)));
                    let pixel = |(x, y): (u32, u32)| {
                        let at = ((y * sides.width + x) as usize) * count;
                        let inside = x < sides.width && y < sides.height;
                        plane
                            .iter()
                            .map(move |one| if inside { raster.pixels()[at + one] } else { 0 })
                    };
                    self.chunks.push(rows.flat_map(pixel).collect());
                }
            }
        }
        let page = if is_planar { self.with(284, &[2]) } else { self };
        if tiled {
            page.with(322, &[chunk.width]).with(323, &[chunk.height])
        } else {
            page.with(278, &[chunk.height])
        }
    }

    pub fn file(&self) -> Vec<u8> {
        file(std::slice::from_ref(self), Order::Little)
    }
}

/// A file of these pages: the header, then for each its chunks, its children and its directory.
pub fn file(pages: &[Page], order: Order) -> Vec<u8> {
    let mut out = match order {
        Order::Little => b"II*\0\0\0\0\0".to_vec(),
        Order::Big => b"MM\0*\0\0\0\0".to_vec(),
        Order::Wide => b"II+\0\x08\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
    };
    let mut link = if order == Order::Wide { 8 } else { 4 };
    for page in pages {
        let (at, next) = write(page, order, &mut out);
        patch(&mut out, link, at, order);
        link = next;
    }
    out
}

pub fn number(value: usize, bytes: usize, order: Order) -> Vec<u8> {
    let all = (value as u64).to_be_bytes();
    let mut part = all[8 - bytes..].to_vec();
    if order != Order::Big {
        part.reverse();
    }
    part
}

fn patch(out: &mut [u8], at: usize, value: usize, order: Order) {
    let word = if order == Order::Wide { 8 } else { 4 };
    out[at..at + word].copy_from_slice(&number(value, word, order));
}

/// Appends a page. Returns the offset of its directory, and that of the link to the next one.
fn write(page: &Page, order: Order, out: &mut Vec<u8>) -> (usize, usize) {
    let word = if order == Order::Wide { 8 } else { 4 };
    let mut tags = page.tags.clone();
    let tiled = tags.iter().any(|(tag, ..)| *tag == 322);
    let short = |number: usize| u32::try_from(number).unwrap();
    let mut offsets = Vec::new();
    for chunk in &page.chunks {
        offsets.push(short(out.len()));
        out.extend(chunk);
    }
    if !offsets.is_empty() {
        let lengths = page.chunks.iter().map(|chunk| short(chunk.len())).collect();
        tags.push((if tiled { 324 } else { 273 }, 4, offsets));
        tags.push((if tiled { 325 } else { 279 }, 4, lengths));
    }
    let children: Vec<u32> =
        page.children.iter().map(|child| short(write(child, order, out).0)).collect();
    if !children.is_empty() {
        tags.push((330, 4, children));
    }
    tags.sort_unstable_by_key(|(tag, ..)| *tag);
    let mut table = number(tags.len(), if order == Order::Wide { 8 } else { 2 }, order);
    for (tag, kind, numbers) in tags {
        let each = match kind {
            3 => 2,
            2 | 7 => 1,
            _ => 4,
        };
        let mut bytes: Vec<u8> =
            numbers.iter().flat_map(|value| number(*value as usize, each, order)).collect();
        let count = if kind == 5 { numbers.len() / 2 } else { numbers.len() };
        table.extend([number(tag.into(), 2, order), number(kind.into(), 2, order)].concat());
        table.extend(number(count, word, order));
        if bytes.len() > word {
            table.extend(number(out.len(), word, order));
            out.extend(bytes);
        } else {
            bytes.resize(word, 0);
            table.extend(bytes);
        }
    }
    let at = out.len();
    out.extend(&table);
    let link = out.len();
    out.extend(vec![0; word]);
    (at, link)
}
