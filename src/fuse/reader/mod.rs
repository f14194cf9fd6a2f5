//! The reader: the state of a mount that is only read, on which no file is ever opened. The kernel itself refuses every change.
//!
//! `open`, `opendir` and `flush` are answered with ENOSYS once, and the kernel never sends them again: it reads an inode by its
//! number, and keeps the pages. A file in the page cache then costs what it costs on any other filesystem.

mod inodes;

use std::ffi::OsStr;
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fuser::{INodeNo, Notifier};

use crate::fuse::inval::Names;
use crate::fuse::reader::inodes::{Changed, Inodes};
use crate::tree::node::Kind;
use crate::tree::ops::bytes;
use crate::tree::show::attr::{Attr, Entry, Lifetime};
use crate::tree::{Caller, Error, Ino, Result, Tree};
use words::slot::Name;

/// The longest that an answer waits until the kernel has forgotten changed names.
const PATIENCE: Duration = Duration::from_millis(50);

/// The state that the session's threads share with the thread that looks for changes.
pub struct Reader {
    inodes: Inodes,
    /// Set before the first request.
    names: OnceLock<Names>,
    opens: AtomicU64,
    reads: AtomicU64,
}

impl Reader {
    /// `descriptors`: how many files are kept open at most.
    pub fn new(descriptors: usize) -> Self {
        let (names, opens, reads) = (OnceLock::new(), AtomicU64::new(0), AtomicU64::new(0));
        Self { inodes: Inodes::new(descriptors), names, opens, reads }
    }

    /// Sets how names are invalidated.
    pub fn connect(&self, names: Names) {
        // Set once, before the first request.
        let _ = self.names.set(names);
    }

    /// Invalidates all attributes and listings that the kernel holds. The pages of files stay.
    pub fn refresh(&self, tree: &Tree, kernel: &Notifier) {
        let mut held = self.inodes.all();
        // From the leaves up, so that a program which sees a directory's new state sees no old state below it.
        held.sort_by_key(|(ino, kind)| (*kind == Kind::Directory, !tree.names_move(*ino)));
        for (ino, kind) in held {
            let from = if kind == Kind::Directory { 0 } else { -1 };
            if let Err(error) = kernel.inval_inode(INodeNo(ino.0), from, 0) {
                tracing::debug!(ino = ino.0, %error, "attributes were not forgotten");
            }
        }
    }

    pub fn count_open(&self) {
        self.opens.fetch_add(1, Ordering::Relaxed);
    }

    /// The number of open and of read requests so far.
    pub fn counts(&self) -> (u64, u64) {
        (self.opens.load(Ordering::Relaxed), self.reads.load(Ordering::Relaxed))
    }

    /// Takes away lookups that the kernel has forgotten.
    pub fn forget(&self, ino: Ino, lookups: u64) {
        self.inodes.forget(ino, lookups);
    }

    /// The answer to a lookup that began when the tree had counted `changes`. The kernel may not cache an entry that was found
    /// while something changed.
    pub fn enter(
        &self,
        tree: &Tree,
        (parent, name): (Ino, &OsStr),
        entry: Entry,
        changes: u64,
    ) -> Result<Entry> {
        self.invalidate_changed(tree, &entry.attr)?;
        let none = Entry { name: Lifetime::None, attributes: Lifetime::None, ..entry };
        let entry = if tree.kernel.changes() == changes { entry } else { none };
        self.note(tree, (parent, &name.to_string_lossy()), &entry);
        Ok(entry)
    }

    /// Remembers an entry of a listing with attributes. The kernel counts a lookup for each, except `.` and `..`.
    pub fn listed(&self, tree: &Tree, (parent, name): (Ino, &str), entry: &Entry) {
        if name != "." && name != ".." {
            self.note(tree, (parent, name), entry);
        }
    }

    pub fn getattr(&self, tree: &Tree, who: Caller, ino: Ino) -> Result<Entry> {
        match tree.getattr(who, ino, None) {
            Ok(shown) => {
                self.invalidate_changed(tree, &shown.attr)?;
                Ok(shown)
            }
            // The file has lost its name. The question comes from a program that has it open, because no path leads here.
            Err(Error::Stale) => {
                let attr = self.inodes.lost(ino).ok_or(Error::Stale)?;
                Ok(Entry::fleeting(attr))
            }
            Err(error) => Err(error),
        }
    }

    pub fn read(&self, tree: &Tree, ino: Ino, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        bytes::read_fully(&*self.file(tree, ino)?, offset, buffer)
    }

    fn file(&self, tree: &Tree, ino: Ino) -> Result<Arc<File>> {
        match self.inodes.file(ino) {
            Some(file) => Ok(file),
            None => Ok(self.inodes.keep(ino, tree.file_of(ino)?.file)),
        }
    }

    /// Invalidates the names that the kernel may hold of a directory that has changed, before its new attributes are answered.
    /// Errors: [`Error::Stale`] if the directory itself has another name, or the kernel is slow; the path must then be looked
    /// up again.
    fn invalidate_changed(&self, tree: &Tree, attr: &Attr) -> Result<()> {
        let Some(Changed { names, home }) = self.inodes.looked_at(attr) else { return Ok(()) };
        let forgotten = names.is_empty() || self.forget_names(attr.ino, names);
        if let Some((parent, name)) = home
            && tree.name_of(attr.ino)?.is_some_and(|own| own != name)
        {
            self.forget_names(parent, vec![name]);
            return Err(Error::Stale);
        }
        if forgotten { Ok(()) } else { Err(Error::Stale) }
    }

    fn forget_names(&self, parent: Ino, stale: Vec<Name>) -> bool {
        self.names.get().is_none_or(|names| names.forget(parent, stale, PATIENCE))
    }

    /// Remembers an entry that is about to be answered.
    fn note(&self, tree: &Tree, (parent, name): (Ino, &str), entry: &Entry) {
        self.inodes.answered(&entry.attr);
        if entry.name == Lifetime::None {
            return;
        }
        match Name::parse(name) {
            Ok(name) if tree.names_move(parent) => self.inodes.named(parent, name),
            Ok(name) => self.inodes.called(entry.attr.ino, parent, name),
            Err(_) => {}
        }
    }
}
