//! The tree for those who only read, as a [`fuser::Filesystem`]: nothing in it is ever opened.
//! Does not decide anything; what would change the tree the kernel refuses by itself.
//!
//! `open`, `opendir` and `flush` are answered with ENOSYS once, and the kernel asks for none again: it reads an inode by its
//! number and keeps what it has read. So a file whose pages are there costs what one of any other filesystem does.

mod known;

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fuser::{
    Errno, FileHandle, Filesystem, FopenFlags, INodeNo, InitFlags, KernelConfig, LockOwner,
    Notifier, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty,
    ReplyEntry, ReplyOpen, ReplyStatfs, ReplyXattr, Request,
};

use crate::fuse::adapter::answer::{Answer, SizedXattr};
use crate::fuse::adapter::negotiate::{self, Agreed};
use crate::fuse::adapter::reader::known::{Changed, Known};
use crate::fuse::adapter::work::{Asked, Workshop};
use crate::fuse::adapter::{decode, transfer};
use crate::fuse::inval::Names;
use crate::fuse::vigil::Vigil;
use crate::tree::activity::Operation;
use crate::tree::node::Kind;
use crate::tree::show::attr::{Attr, Entry, Lifetime, Shown};
use crate::tree::view::rendering::Lookup;
use crate::tree::{Error, Ino, Result, Tree};
use words::slot::Name;

/// An answer is held up for this long at most while the kernel forgets names that have changed.
const PATIENCE: Duration = Duration::from_millis(50);

/// Answers the kernel's requests from a tree that only reads.
pub struct Reader {
    shop: Workshop,
    desk: Arc<Desk>,
    agreed: Agreed,
}

/// What the threads of a session share with the one that looks for changes.
pub struct Desk {
    known: Known,
    /// Set before the first request.
    names: OnceLock<Names>,
    opens: AtomicU64,
    reads: AtomicU64,
}

impl Desk {
    /// Keeps so many descriptors at most.
    pub fn new(descriptors: usize) -> Self {
        let (names, opens, reads) = (OnceLock::new(), AtomicU64::new(0), AtomicU64::new(0));
        Self { known: Known::new(descriptors), names, opens, reads }
    }

    /// Whom to tell of names.
    pub fn connect(&self, names: Names) {
        // A second session on one desk would be the first one's trouble.
        let _ = self.names.set(names);
    }

    /// Has the kernel ask again for everything that it holds: attributes, and what directories list. The pages of files stay.
    pub fn refresh(&self, tree: &Tree, kernel: &Notifier) {
        let mut held = self.known.all();
        // From the leaves up: whoever sees a directory as it is now sees no more of what was below it.
        held.sort_by_key(|(ino, kind)| (*kind == Kind::Directory, !tree.names_move(*ino)));
        for (ino, kind) in held {
            let from = if kind == Kind::Directory { 0 } else { -1 };
            if let Err(error) = kernel.inval_inode(INodeNo(ino.0), from, 0) {
                tracing::debug!(ino = ino.0, %error, "attributes were not forgotten");
            }
        }
    }

    /// How many files were asked to be opened, and how many parts of files to be read.
    pub fn counts(&self) -> (u64, u64) {
        (self.opens.load(Ordering::Relaxed), self.reads.load(Ordering::Relaxed))
    }

    /// Attributes are about to be answered. A directory that has changed may have other names in it, or another name: the
    /// kernel forgets those that it was given before. Where it has another name itself, or that takes too long, the path must
    /// be looked up again.
    fn settle(&self, tree: &Tree, attr: &Attr) -> Result<()> {
        let Some(Changed { names, home }) = self.known.looked_at(attr) else { return Ok(()) };
        let told = names.is_empty() || self.forget(attr.ino, names);
        if let Some((parent, name)) = home
            && tree.name_of(attr.ino)?.is_some_and(|own| own != name)
        {
            self.forget(parent, vec![name]);
            return Err(Error::Stale);
        }
        if told { Ok(()) } else { Err(Error::Stale) }
    }

    fn forget(&self, parent: Ino, stale: Vec<Name>) -> bool {
        self.names.get().is_none_or(|names| names.forget(parent, stale, PATIENCE))
    }

    /// An entry is about to be answered.
    fn note(&self, tree: &Tree, (parent, name): (Ino, &str), entry: &Entry) {
        self.known.answered(&entry.attr);
        if entry.name == Lifetime::None {
            return;
        }
        match Name::parse(name) {
            Ok(name) if tree.names_move(parent) => self.known.named(parent, name),
            Ok(name) => self.known.called(entry.attr.ino, parent, name),
            Err(_) => {}
        }
    }

    /// The answer to a lookup, found after so many changes. What was found while something changed the kernel may not keep.
    fn enter(
        &self,
        tree: &Tree,
        (parent, name): (Ino, &OsStr),
        entry: Entry,
        changes: u64,
    ) -> Result<Entry> {
        self.settle(tree, &entry.attr)?;
        let none = Entry { name: Lifetime::None, attributes: Lifetime::None, ..entry };
        let entry = if tree.changes() == changes { entry } else { none };
        self.note(tree, (parent, &name.to_string_lossy()), &entry);
        Ok(entry)
    }

    fn getattr(&self, tree: &Tree, request: &Request, ino: Ino) -> Result<Shown> {
        match tree.getattr(decode::caller(request), ino, None) {
            Ok(shown) => {
                self.settle(tree, &shown.attr)?;
                Ok(shown)
            }
            // It has lost its name, and whoever comes by that is led elsewhere: this is asked by who has it open.
            Err(Error::Stale) => {
                let attr = self.known.lost(ino).ok_or(Error::Stale)?;
                Ok(Shown { attr, attributes: Lifetime::None })
            }
            Err(error) => Err(error),
        }
    }

    fn file(&self, tree: &Tree, ino: Ino) -> Result<Arc<File>> {
        if let Some(file) = self.known.file(ino) {
            return Ok(file);
        }
        let stored = tree.file_of(ino)?;
        Ok(self.known.keep(ino, stored.file))
    }
}

impl Reader {
    pub fn new(tree: Arc<Tree>, desk: Arc<Desk>, vigil: Vigil) -> io::Result<Self> {
        Ok(Self { shop: Workshop::new(tree, vigil)?, desk, agreed: Agreed::nothing() })
    }
}

impl Filesystem for Reader {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // Each inode that the kernel holds is remembered: past the first page only what is looked at comes with its attributes.
        let sparing = [InitFlags::FUSE_READDIRPLUS_AUTO];
        self.agreed = negotiate::capabilities(config, &sparing);
        Ok(())
    }

    fn lookup(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let (who, parent, tree) = (decode::caller(request), decode::ino(parent), &self.shop.tree);
        let changes = tree.changes();
        match Asked::now(Operation::Lookup).attempt(tree, |tree| tree.lookup(who, parent, name)) {
            Ok(Lookup::Found(entry)) => {
                let enter = |tree: &Tree| self.desk.enter(tree, (parent, name), entry, changes);
                self.shop.here(Operation::Lookup, reply, enter);
            }
            Ok(Lookup::Render(rendering)) => {
                let (desk, name) = (Arc::clone(&self.desk), name.to_owned());
                self.shop.rendering(Operation::Render, reply, move |tree| {
                    let changes = tree.changes();
                    desk.enter(tree, (parent, &name), tree.render(&rendering)?, changes)
                });
            }
            Err(errno) => reply.refuse(errno),
        }
        self.shop.vigil.keep();
    }

    fn forget(&self, _request: &Request, ino: INodeNo, lookups: u64) {
        self.desk.known.forget(decode::ino(ino), lookups);
    }

    fn getattr(&self, request: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        let getattr = |tree: &Tree| self.desk.getattr(tree, request, decode::ino(ino));
        self.shop.here(Operation::Getattr, reply, getattr);
    }

    fn open(&self, _request: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        self.desk.opens.fetch_add(1, Ordering::Relaxed);
        if self.agreed.spares_open() {
            reply.error(Errno::ENOSYS);
        } else {
            reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
        }
    }

    #[rustfmt::skip] // One parameter a line would double the file.
    fn read(
        &self, _request: &Request, ino: INodeNo, _fh: FileHandle, offset: u64, size: u32,
        _flags: OpenFlags, _lock_owner: Option<LockOwner>, reply: ReplyData,
    ) {
        self.desk.reads.fetch_add(1, Ordering::Relaxed);
        transfer::answer(&self.shop, size, reply, |tree, buffer| {
            Tree::read_stored(&*self.desk.file(tree, decode::ino(ino))?, offset, buffer)
        });
    }

    #[rustfmt::skip] // One parameter a line would double the file.
    fn flush(
        &self, _request: &Request, _ino: INodeNo, _fh: FileHandle, _lock_owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        reply.error(Errno::ENOSYS);
    }

    fn opendir(&self, _request: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        Asked::now(Operation::Opendir).count(&self.shop.tree);
        self.desk.opens.fetch_add(1, Ordering::Relaxed);
        if self.agreed.spares_opendir() {
            reply.error(Errno::ENOSYS);
        } else {
            reply.opened(FileHandle(0), FopenFlags::empty());
        }
    }

    #[rustfmt::skip] // One parameter a line would double the file.
    fn readdir(
        &self, _request: &Request, ino: INodeNo, _fh: FileHandle, offset: u64,
        reply: ReplyDirectory,
    ) {
        transfer::list(&self.shop, ino, offset, reply);
    }

    #[rustfmt::skip] // One parameter a line would double the file.
    fn readdirplus(
        &self, request: &Request, ino: INodeNo, _fh: FileHandle, offset: u64,
        reply: ReplyDirectoryPlus,
    ) {
        let (tree, parent) = (&self.shop.tree, decode::ino(ino));
        // The kernel counts what it is sent, but for the dots.
        let asked = (decode::caller(request), ino);
        transfer::list_plus(&self.shop, asked, offset, reply, |name, entry| {
            if name != "." && name != ".." {
                self.desk.note(tree, (parent, name), entry);
            }
        });
    }

    #[rustfmt::skip] // One parameter a line would double the file.
    fn releasedir(
        &self, _request: &Request, _ino: INodeNo, _fh: FileHandle, _flags: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.shop.here(Operation::Releasedir, reply, |_| Ok(()));
    }

    fn statfs(&self, _request: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        self.shop.here(Operation::Statfs, reply, Tree::statfs);
    }

    #[rustfmt::skip] // One parameter a line would double the file.
    fn getxattr(
        &self, request: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr,
    ) {
        self.shop.here(Operation::Getxattr, SizedXattr { reply, size }, |tree| {
            tree.getxattr(decode::caller(request), decode::ino(ino), name)
        });
    }

    fn listxattr(&self, request: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        self.shop.here(Operation::Listxattr, SizedXattr { reply, size }, |tree| {
            tree.listxattr(decode::caller(request), decode::ino(ino))
        });
    }
}
