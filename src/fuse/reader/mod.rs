//! The tree as a read-only [`fuser::Filesystem`], in which no file is ever opened. The kernel itself refuses every change.
//!
//! `open`, `opendir` and `flush` are answered with ENOSYS once, and the kernel never sends them again: it reads an inode by its
//! number, and keeps the pages. A file in the page cache then costs what it costs on any other filesystem.

mod inodes;

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
use crate::fuse::adapter::dispatch::{Dispatcher, Timed};
use crate::fuse::adapter::negotiate::{self, Agreed};
use crate::fuse::adapter::{decode, transfer};
use crate::fuse::busy_poll::BusyPoll;
use crate::fuse::inval::Names;
use crate::fuse::reader::inodes::{Changed, Inodes};
use crate::tree::activity::Operation;
use crate::tree::node::Kind;
use crate::tree::ops::bytes;
use crate::tree::show::attr::{Attr, Entry, Lifetime};
use crate::tree::view::rendering::Lookup;
use crate::tree::{Error, Ino, Result, Tree};
use words::slot::Name;

/// The longest that an answer waits until the kernel has forgotten changed names.
const PATIENCE: Duration = Duration::from_millis(50);

/// Answers the kernel's requests from a tree that is only read.
pub struct Reader {
    dispatcher: Dispatcher,
    state: Arc<State>,
    agreed: Agreed,
}

/// The state that the session's threads share with the thread that looks for changes.
pub struct State {
    inodes: Inodes,
    /// Set before the first request.
    names: OnceLock<Names>,
    opens: AtomicU64,
    reads: AtomicU64,
}

impl State {
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

    /// The number of open and of read requests so far.
    pub fn counts(&self) -> (u64, u64) {
        (self.opens.load(Ordering::Relaxed), self.reads.load(Ordering::Relaxed))
    }

    /// Invalidates the names that the kernel may hold of a directory that has changed, before its new attributes are answered.
    /// Errors: [`Error::Stale`] if the directory itself has another name, or the kernel is slow; the path must then be looked
    /// up again.
    fn invalidate_changed(&self, tree: &Tree, attr: &Attr) -> Result<()> {
        let Some(Changed { names, home }) = self.inodes.looked_at(attr) else { return Ok(()) };
        let forgotten = names.is_empty() || self.forget(attr.ino, names);
        if let Some((parent, name)) = home
            && tree.name_of(attr.ino)?.is_some_and(|own| own != name)
        {
            self.forget(parent, vec![name]);
            return Err(Error::Stale);
        }
        if forgotten { Ok(()) } else { Err(Error::Stale) }
    }

    fn forget(&self, parent: Ino, stale: Vec<Name>) -> bool {
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

    /// The answer to a lookup that began when the tree had counted `changes`. The kernel may not cache an entry that was found
    /// while something changed.
    fn enter(
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

    fn getattr(&self, tree: &Tree, request: &Request, ino: Ino) -> Result<Entry> {
        match tree.getattr(decode::caller(request), ino, None) {
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

    fn file(&self, tree: &Tree, ino: Ino) -> Result<Arc<File>> {
        if let Some(file) = self.inodes.file(ino) {
            return Ok(file);
        }
        let stored = tree.file_of(ino)?;
        Ok(self.inodes.keep(ino, stored.file))
    }
}

impl Reader {
    pub fn new(tree: Arc<Tree>, state: Arc<State>, busy_poll: BusyPoll) -> io::Result<Self> {
        Ok(Self { dispatcher: Dispatcher::new(tree, busy_poll)?, state, agreed: Agreed::nothing() })
    }
}

impl Filesystem for Reader {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // Every inode that the kernel holds takes memory here, so entries past the first page come without attributes.
        let sparing = [InitFlags::FUSE_READDIRPLUS_AUTO];
        self.agreed = negotiate::capabilities(config, &sparing);
        Ok(())
    }

    fn lookup(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let (who, parent, tree) =
            (decode::caller(request), decode::ino(parent), &self.dispatcher.tree);
        let changes = tree.kernel.changes();
        match Timed::start(Operation::Lookup).run(tree, |tree| tree.lookup(who, parent, name)) {
            Ok(Lookup::Found(entry)) => {
                let enter = |tree: &Tree| self.state.enter(tree, (parent, name), entry, changes);
                self.dispatcher.inline(Operation::Lookup, reply, enter);
            }
            Ok(Lookup::Render(rendering)) => {
                let (state, name) = (Arc::clone(&self.state), name.to_owned());
                self.dispatcher.render(Operation::Render, reply, move |tree| {
                    let changes = tree.kernel.changes();
                    state.enter(
                        tree,
                        (parent, &name),
                        tree.view.variants.render(&rendering)?,
                        changes,
                    )
                });
            }
            Err(errno) => reply.refuse(errno),
        }
        self.dispatcher.busy_poll.wait();
    }

    fn forget(&self, _request: &Request, ino: INodeNo, lookups: u64) {
        self.state.inodes.forget(decode::ino(ino), lookups);
    }

    fn getattr(&self, request: &Request, ino: INodeNo, _fh: Option<FileHandle>, reply: ReplyAttr) {
        let getattr = |tree: &Tree| self.state.getattr(tree, request, decode::ino(ino));
        self.dispatcher.inline(Operation::Getattr, reply, getattr);
    }

    fn open(&self, _request: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        self.state.opens.fetch_add(1, Ordering::Relaxed);
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
        self.state.reads.fetch_add(1, Ordering::Relaxed);
        transfer::answer(&self.dispatcher, size, reply, |tree, buffer| {
            bytes::read_fully(&*self.state.file(tree, decode::ino(ino))?, offset, buffer)
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
        Timed::start(Operation::Opendir).count(&self.dispatcher.tree);
        self.state.opens.fetch_add(1, Ordering::Relaxed);
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
        transfer::list(&self.dispatcher, ino, offset, reply);
    }

    #[rustfmt::skip] // One parameter a line would double the file.
    fn readdirplus(
        &self, request: &Request, ino: INodeNo, _fh: FileHandle, offset: u64,
        reply: ReplyDirectoryPlus,
    ) {
        let (tree, parent) = (&self.dispatcher.tree, decode::ino(ino));
        // The kernel counts a lookup for every entry it is sent, except `.` and `..`.
        let asked = (decode::caller(request), ino);
        transfer::list_plus(&self.dispatcher, asked, offset, reply, |name, entry| {
            if name != "." && name != ".." {
                self.state.note(tree, (parent, name), entry);
            }
        });
    }

    #[rustfmt::skip] // One parameter a line would double the file.
    fn releasedir(
        &self, _request: &Request, _ino: INodeNo, _fh: FileHandle, _flags: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.dispatcher.inline(Operation::Releasedir, reply, |_| Ok(()));
    }

    fn statfs(&self, _request: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        self.dispatcher.inline(Operation::Statfs, reply, Tree::statfs);
    }

    #[rustfmt::skip] // One parameter a line would double the file.
    fn getxattr(
        &self, request: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr,
    ) {
        self.dispatcher.inline(Operation::Getxattr, SizedXattr { reply, size }, |tree| {
            tree.getxattr(decode::caller(request), decode::ino(ino), name)
        });
    }

    fn listxattr(&self, request: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        self.dispatcher.inline(Operation::Listxattr, SizedXattr { reply, size }, |tree| {
            tree.listxattr(decode::caller(request), decode::ino(ino))
        });
    }
}
