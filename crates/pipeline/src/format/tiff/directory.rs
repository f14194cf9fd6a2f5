//! The directories of a TIFF (TIFF 6.0, section 2, and `BigTIFF`): tags and their numbers, in either byte order.

use std::ops::ControlFlow;

use crate::format::partial::{PARTS_MAX, Partial, Stop};

/// Directories that a directory may name as its children; further ones are not looked at.
const CHILDREN_MAX: usize = 64;

/// Directories among which the picture is looked for. The daemon looks, too, so they are few.
const THUMBNAILS_MAX: u32 = 64;

/// Entries of a directory; one with more counts as damaged.
const ENTRIES_MAX: u64 = 1024;

const NEW_SUBFILE_TYPE: u16 = 254;
const SUBFILE_TYPE: u16 = 255;
const SUB_DIRECTORIES: u16 = 330;

/// Bits of `NewSubfileType`.
const REDUCED: u64 = 1;
const MASK: u64 = 4;

/// The one type of numbers that come in pairs.
const RATIONAL: u16 = 5;

pub struct Tiff<'s> {
    source: &'s Partial<'s>,
    /// Whether the bytes in memory are the whole file.
    whole: bool,
    pub little: bool,
    big: bool,
}

#[derive(Debug, Clone)]
pub struct Directory {
    entries: Vec<Entry>,
    /// The offset of the next directory; `None` where the file ends before it.
    next: Option<u64>,
    pub role: Role,
}

/// The use of the pixels of a directory (`NewSubfileType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A picture of its own: a page.
    Page,
    /// A smaller copy of another picture: a thumbnail or a level of a pyramid.
    Reduced,
    /// The transparency of another picture.
    Mask,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    tag: u16,
    kind: u16,
    count: u64,
    /// Where its numbers lie.
    at: u64,
}

impl<'s> Tiff<'s> {
    pub fn open(source: &'s Partial<'s>, whole: bool) -> Result<Self, Stop> {
        let [mark, _, second, third] = source.bytes(0)?;
        // 43, the version of a BigTIFF, in either byte order.
        let big = second == b'+' || third == b'+';
        Ok(Self { source, whole, little: mark == b'I', big })
    }

    pub fn first(&self) -> Result<Directory, Stop> {
        let at = if self.big { self.number(8, 8)? } else { self.number(4, 4)? };
        self.directory(at)
    }

    /// The directory of the picture: the first page, which may stand behind its thumbnail.
    pub fn first_page(&self) -> Result<Directory, Stop> {
        let mut page = None;
        self.each(THUMBNAILS_MAX, &mut |directory| {
            page = Some(directory).filter(|directory| directory.role == Role::Page);
            if page.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        page.map_or_else(|| self.first(), Ok)
    }

    /// All directories: each of the chain, followed by its children. Errors: `Corrupt` for a chain that is endless.
    pub fn all(&self) -> Result<Vec<Directory>, Stop> {
        let mut found = Vec::new();
        self.each(PARTS_MAX, &mut |directory| {
            found.push(directory);
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// Visits directories until told to stop. Errors: `Corrupt` above this number of them.
    fn each(
        &self,
        most: u32,
        visit: &mut dyn FnMut(Directory) -> ControlFlow<()>,
    ) -> Result<(), Stop> {
        let mut left = most;
        let mut next = Some(self.first()?);
        while let Some(directory) = next {
            let places = self.numbers(&directory, SUB_DIRECTORIES, CHILDREN_MAX)?;
            let following = directory.next;
            left = left.checked_sub(1).ok_or(Stop::Corrupt)?;
            if visit(directory).is_break() {
                return Ok(());
            }
            for at in places.into_iter().filter(|at| *at > 0) {
                left = left.checked_sub(1).ok_or(Stop::Corrupt)?;
                if visit(self.directory(at)?).is_break() {
                    return Ok(());
                }
            }
            next = self.at(following)?;
        }
        Ok(())
    }

    /// The directory behind this one in the chain.
    pub fn next(&self, directory: &Directory) -> Result<Option<Directory>, Stop> {
        self.at(directory.next)
    }

    fn at(&self, place: Option<u64>) -> Result<Option<Directory>, Stop> {
        place.filter(|at| *at > 0).map(|at| self.directory(at)).transpose()
    }

    pub fn children(&self, directory: &Directory) -> Result<Vec<Directory>, Stop> {
        let places = self.numbers(directory, SUB_DIRECTORIES, CHILDREN_MAX)?;
        places.into_iter().filter(|at| *at > 0).map(|at| self.directory(at)).collect()
    }

    fn directory(&self, at: u64) -> Result<Directory, Stop> {
        let (head, size, word) = if self.big { (8, 20, 8) } else { (2, 12, 4) };
        let count = self.number(at, head)?;
        if count > ENTRIES_MAX {
            return Err(Stop::Corrupt);
        }
        let start = at.checked_add(head).ok_or(Stop::Corrupt)?;
        let end = start.checked_add(count * size).ok_or(Stop::Corrupt)?;
        let table = self.read(start, count * size)?;
        let rows = table.chunks_exact(usize::try_from(size).map_err(|_| Stop::Corrupt)?);
        let entries = (0..).zip(rows).map(|(row, bytes)| self.entry(start + row * size, bytes));
        let entries = entries.collect::<Result<_, _>>()?;
        let next = match self.number(end, word) {
            Ok(next) => Some(next),
            Err(Stop::Truncated) => None,
            Err(stop) => return Err(stop),
        };
        let mut directory = Directory { entries, next, role: Role::Page };
        directory.role = self.role(&directory)?;
        Ok(directory)
    }

    fn entry(&self, at: u64, bytes: &[u8]) -> Result<Entry, Stop> {
        let (head, word) = if self.big { (12, 8) } else { (8, 4) };
        let part = |range| self.value(bytes.get(range).unwrap_or_default());
        let short = |number| u16::try_from(number).unwrap_or_default();
        let (tag, kind, count) = (short(part(0..2)), short(part(2..4)), part(4..head));
        let inline = count.checked_mul(size_of(kind)).is_some_and(|length| length <= word);
        let place = u64::try_from(head).map_err(|_| Stop::Corrupt)?;
        let at = if inline { at + place } else { part(head..bytes.len()) };
        Ok(Entry { tag, kind, count, at })
    }

    fn role(&self, directory: &Directory) -> Result<Role, Stop> {
        let bits = self.numbers(directory, NEW_SUBFILE_TYPE, 1)?.first().copied();
        let old = self.numbers(directory, SUBFILE_TYPE, 1)?.first().copied();
        Ok(match (bits, old) {
            (Some(bits), _) if bits & MASK != 0 => Role::Mask,
            (Some(bits), _) if bits & REDUCED != 0 => Role::Reduced,
            (None, Some(2)) => Role::Reduced,
            _ => Role::Page,
        })
    }

    /// The numbers of a tag, as far as there are at most so many; rational ones as pairs. None if the tag is missing.
    pub fn numbers(&self, of: &Directory, tag: u16, most: usize) -> Result<Vec<u64>, Stop> {
        let Some(entry) = of.find(tag) else { return Ok(Vec::new()) };
        let size = if entry.kind == RATIONAL { 4 } else { size_of(entry.kind) };
        let each = size_of(entry.kind).checked_div(size).ok_or(Stop::Corrupt)?;
        let count = entry.count.saturating_mul(each);
        let count = count.min(u64::try_from(most).unwrap_or(u64::MAX));
        let bytes = self.read(entry.at, count.checked_mul(size).ok_or(Stop::Corrupt)?)?;
        let size = usize::try_from(size).map_err(|_| Stop::Corrupt)?;
        Ok(bytes.chunks_exact(size).map(|number| self.value(number)).collect())
    }

    /// The first number of a tag.
    pub fn number_of(&self, of: &Directory, tag: u16) -> Result<Option<u64>, Stop> {
        Ok(self.numbers(of, tag, 1)?.first().copied())
    }

    /// The bytes of a tag. None if the tag is missing. Errors: `Corrupt` above `most`.
    pub fn bytes(&self, of: &Directory, tag: u16, most: u64) -> Result<Option<Vec<u8>>, Stop> {
        let Some(entry) = of.find(tag) else { return Ok(None) };
        let length = entry.count.saturating_mul(size_of(entry.kind));
        if length > most {
            return Err(Stop::Corrupt);
        }
        self.read(entry.at, length).map(Some)
    }

    fn number(&self, at: u64, size: u64) -> Result<u64, Stop> {
        Ok(self.value(&self.read(at, size)?))
    }

    fn value(&self, bytes: &[u8]) -> u64 {
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        if self.little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) }
    }

    fn read(&self, at: u64, length: u64) -> Result<Vec<u8>, Stop> {
        self.source.read(at, length).map_err(|stop| match stop {
            Stop::NeedMore if self.whole => Stop::Truncated,
            stop => stop,
        })
    }
}

impl Directory {
    pub fn has(&self, tag: u16) -> bool {
        self.find(tag).is_some()
    }

    /// The first entry of a tag: entries are sorted in most files, but not in all.
    fn find(&self, tag: u16) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tag == tag)
    }
}

/// Bytes of a number of this type; 0 for an unknown type.
fn size_of(kind: u16) -> u64 {
    match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        RATIONAL | 10 | 12 | 16 | 17 | 18 => 8,
        _ => 0,
    }
}
