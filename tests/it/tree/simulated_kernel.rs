//! A simulated kernel: it looks paths up component by component, and after an `open` that fails with `ESTALE` it looks the path up
//! again, twice, and opens once more. It has no cache, which would hide answers of the tree.

use std::ffi::OsStr;

use mediafs::tree::node::Kind;
use mediafs::tree::open::handles::Opened;
use mediafs::tree::request::{Mode, NameIn, OpenFlags, RenameMode, SetAttr};
use mediafs::tree::show::attr::{Attr, Entry};
use mediafs::tree::view::rendering::Lookup;
use mediafs::tree::{Caller, Error, Fh, Ino, Tree};
use words::refusal::Rule;

const ROOT: Ino = Ino(1);

/// The errors of programs, as far as the laws distinguish them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    NotFound,
    Exists,
    NotEmpty,
    Busy,
    CrossDevice,
    NotPermitted,
    Denied,
    Invalid,
    Rule(Rule),
    Other(String),
}

/// An open file: the handle, and the inode that the kernel sends with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descriptor {
    pub fh: Fh,
    pub ino: Ino,
}

pub type Answer<T> = Result<T, Refusal>;

/// A name in a row, or in a collection of it, as in `list/a`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    pub row: &'static str,
    pub name: &'static str,
}

impl At {
    /// The last component.
    pub fn last(self) -> &'static str {
        self.name.split_once('/').map_or(self.name, |(_, item)| item)
    }
}

/// The flags of an open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Read,
    /// `O_RDWR`
    Update,
    /// `O_RDWR | O_CREAT`
    Append,
    /// `O_RDWR | O_CREAT | O_TRUNC`
    Replace,
    /// `O_RDWR | O_CREAT | O_EXCL`
    New,
}

impl How {
    pub fn writes(self) -> bool {
        self != Self::Read
    }

    pub fn creates(self) -> bool {
        matches!(self, Self::Append | Self::Replace | Self::New)
    }

    pub fn flags(self) -> OpenFlags {
        OpenFlags {
            mode: if self.writes() { Mode::ReadWrite } else { Mode::Read },
            truncate: self == Self::Replace,
            exclusive: self == Self::New,
        }
    }
}

/// The process of this number. Processes 0 and 1 have the same user, each other process its own.
pub fn process(number: u32) -> Caller {
    let uid = if number >= 2 { 2000 + number } else { 1000 };
    Caller { uid, gid: uid, tid: 101 + number }
}

#[derive(Clone, Copy)]
pub struct Kernel<'a>(pub &'a Tree);

impl Kernel<'_> {
    pub fn stat(self, who: Caller, at: At) -> Answer<Attr> {
        Ok(self.find(who, at)?.attr)
    }

    fn find(self, who: Caller, at: At) -> Answer<Entry> {
        self.lookup(who, self.parent(who, at)?, at.last())
    }

    /// The directory of a name.
    pub fn parent(self, who: Caller, at: At) -> Answer<Ino> {
        let row = self.row(who, at.row)?;
        match at.name.split_once('/') {
            Some((collection, _)) => Ok(self.lookup(who, row, collection)?.attr.ino),
            None => Ok(row),
        }
    }

    pub fn lookup(self, who: Caller, parent: Ino, name: &str) -> Answer<Entry> {
        Ok(self.look(who, parent, name)?)
    }

    fn look(self, who: Caller, parent: Ino, name: &str) -> mediafs::tree::Result<Entry> {
        match self.0.lookup(who, parent, OsStr::new(name))? {
            Lookup::Found(entry) => Ok(entry),
            Lookup::Render(rendering) => self.0.view.variants.render(&rendering),
        }
    }

    /// The inode at a path from the root.
    pub fn walk(self, who: Caller, path: &[&str]) -> Answer<Ino> {
        path.iter().try_fold(ROOT, |parent, name| Ok(self.lookup(who, parent, name)?.attr.ino))
    }

    fn table(self, who: Caller) -> Answer<Ino> {
        self.walk(who, &["models", "user"])
    }

    pub fn row(self, who: Caller, row: &str) -> Answer<Ino> {
        Ok(self.lookup(who, self.table(who)?, row)?.attr.ino)
    }

    pub fn open(self, who: Caller, at: At, how: How) -> Answer<Descriptor> {
        match self.open_once(who, at, how) {
            Err(Error::Stale) => {
                // The kernel revalidates the path before it opens again.
                let _ = self.find(who, at);
                Ok(self.open_once(who, at, how)?)
            }
            other => Ok(other?),
        }
    }

    fn open_once(self, who: Caller, at: At, how: How) -> mediafs::tree::Result<Descriptor> {
        let collection = at.name.split_once('/').map(|(collection, _)| collection);
        let path = ["models", "user", at.row].into_iter().chain(collection);
        let mut parent = ROOT;
        for name in path {
            parent = self.look(who, parent, name)?.attr.ino;
        }
        match self.look(who, parent, at.last()) {
            Ok(_) if how == How::New => Err(Error::Exists),
            Ok(entry) => {
                let ino = entry.attr.ino;
                let Opened { fh, .. } = self.0.open(who, ino, how.flags())?;
                Ok(Descriptor { fh, ino })
            }
            Err(Error::NotFound) if how.creates() => {
                let name = OsStr::new(at.last());
                let (entry, opened) = self.0.create(who, parent, name, 0o644, how.flags())?;
                Ok(Descriptor { fh: opened.fh, ino: entry.attr.ino })
            }
            Err(error) => Err(error),
        }
    }

    pub fn write(self, fd: Descriptor, offset: u64, data: &[u8]) -> Answer<()> {
        let written = self.0.write(process(0), fd.fh, offset, data)?;
        assert_eq!(written, data.len(), "a write takes all bytes or is refused");
        Ok(())
    }

    pub fn read(self, fd: Descriptor) -> Answer<Vec<u8>> {
        let mut buffer = vec![0; 4096];
        let length = self.0.read(fd.fh, 0, &mut buffer)?;
        buffer.truncate(length);
        Ok(buffer)
    }

    pub fn truncate(self, who: Caller, fd: Descriptor, length: u64) -> Answer<()> {
        let change = SetAttr { size: Some(length), ..SetAttr::default() };
        self.0.setattr(who, fd.ino, Some(fd.fh), change)?;
        Ok(())
    }

    /// `truncate` by path.
    pub fn truncate_path(self, who: Caller, at: At, length: u64) -> Answer<()> {
        let change = SetAttr { size: Some(length), ..SetAttr::default() };
        self.0.setattr(who, self.find(who, at)?.attr.ino, None, change)?;
        Ok(())
    }

    /// `close` of a duplicate, or of an inherited descriptor.
    pub fn flush(self, who: Caller, fd: Descriptor) -> Answer<()> {
        Ok(self.0.flush(who, fd.fh)?)
    }

    /// The last `close`.
    pub fn close(self, who: Caller, fd: Descriptor) -> Answer<()> {
        let verdict = self.flush(who, fd);
        self.0.release(fd.fh);
        verdict
    }

    /// Writes a whole file, as `cp` does.
    pub fn send(self, who: Caller, at: At, bytes: &[u8]) -> Answer<()> {
        let fd = self.open(who, at, How::Replace)?;
        let written = self.write(fd, 0, bytes);
        self.close(who, fd).and(written)
    }

    /// Opens a file anew and writes these bytes, which the tree must take. Leaves it open.
    pub fn begin(self, who: Caller, at: At, bytes: &[u8]) -> Descriptor {
        let fd = self.open(who, at, How::Replace).expect("opened");
        self.write(fd, 0, bytes).expect("written");
        fd
    }

    /// The bytes that a process of another user reads.
    pub fn seen(self, at: At) -> Answer<Vec<u8>> {
        self.cat(process(9), at)
    }

    /// Reads a whole file by its path.
    pub fn cat(self, who: Caller, at: At) -> Answer<Vec<u8>> {
        let fd = self.open(who, at, How::Read)?;
        let bytes = self.read(fd);
        self.close(who, fd)?;
        bytes
    }

    pub fn unlink(self, who: Caller, at: At) -> Answer<()> {
        self.find(who, at)?;
        Ok(self.0.unlink(who, self.parent(who, at)?, OsStr::new(at.last()))?)
    }

    pub fn rename(self, who: Caller, from: At, to: At, mode: RenameMode) -> Answer<()> {
        let source = self.find(who, from)?.attr.ino;
        // A rename of one name of an inode to another reaches no filesystem (rename(2)).
        let target = self.find(who, to);
        if target.is_ok_and(|entry| entry.attr.ino == source) {
            return Ok(());
        }
        let (parent, new_parent) = (self.parent(who, from)?, self.parent(who, to)?);
        let (name, new_name) = (OsStr::new(from.last()), OsStr::new(to.last()));
        Ok(self.0.rename(
            who,
            NameIn { parent, name },
            NameIn { parent: new_parent, name: new_name },
            mode,
        )?)
    }

    /// `mv` within the tree.
    pub fn mv(self, who: Caller, from: At, to: At) -> Answer<()> {
        self.rename(who, from, to, RenameMode::Replace)
    }

    pub fn link(self, who: Caller, from: At, to: At) -> Answer<()> {
        let source = self.find(who, from)?.attr.ino;
        let parent = self.parent(who, to)?;
        if self.find(who, to).is_ok() {
            return Err(Refusal::Exists);
        }
        self.0.link(who, source, parent, OsStr::new(to.last()))?;
        Ok(())
    }

    pub fn mkdir(self, who: Caller, row: &str) -> Answer<()> {
        if self.row(who, row).is_ok() {
            return Err(Refusal::Exists);
        }
        self.0.mkdir(who, self.table(who)?, OsStr::new(row), 0o755)?;
        Ok(())
    }

    pub fn rmdir(self, who: Caller, row: &str) -> Answer<()> {
        self.row(who, row)?;
        Ok(self.0.rmdir(who, self.table(who)?, OsStr::new(row))?)
    }

    /// `rmdir` of a collection.
    pub fn rmdir_in(self, who: Caller, row: &str, name: &str) -> Answer<()> {
        let row = self.row(who, row)?;
        self.lookup(who, row, name)?;
        Ok(self.0.rmdir(who, row, OsStr::new(name))?)
    }

    pub fn rename_row(self, who: Caller, from: &str, to: &str) -> Answer<()> {
        self.row(who, from)?;
        let table = self.table(who)?;
        let (from, to) = (
            NameIn { parent: table, name: OsStr::new(from) },
            NameIn { parent: table, name: OsStr::new(to) },
        );
        Ok(self.0.rename(who, from, to, RenameMode::Replace)?)
    }

    /// The files that a row lists, sorted.
    pub fn list(self, who: Caller, row: &str) -> Answer<Vec<String>> {
        let mut names = self.names(self.row(who, row)?)?;
        names.sort();
        Ok(names)
    }

    /// The names that a collection lists, in its order.
    pub fn list_in(self, who: Caller, row: &str, name: &str) -> Answer<Vec<String>> {
        let row = self.row(who, row)?;
        self.names(self.lookup(who, row, name)?.attr.ino)
    }

    fn names(self, directory: Ino) -> Answer<Vec<String>> {
        let listed = self.0.readdir(directory, 0)?;
        let files = listed.entries().iter().filter(|entry| entry.kind == Kind::File);
        Ok(files.map(|entry| entry.name.to_string()).collect())
    }

    /// `fstat`, which sends no handle.
    pub fn fstat(self, who: Caller, fd: Descriptor) -> Answer<Attr> {
        Ok(self.0.getattr(who, fd.ino, None)?.attr)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => Self::NotFound,
            Error::Exists => Self::Exists,
            Error::NotEmpty => Self::NotEmpty,
            Error::Busy => Self::Busy,
            Error::CrossDevice => Self::CrossDevice,
            Error::NotPermitted => Self::NotPermitted,
            Error::Denied => Self::Denied,
            Error::Invalid(_) => Self::Invalid,
            Error::Refused(refusal) => Self::Rule(refusal.rule()),
            other => Self::Other(format!("{other:?}")),
        }
    }
}
