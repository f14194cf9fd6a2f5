//! The tree as a [`fuser::Filesystem`]: each request is decoded, handed to the tree, and its answer encoded.

mod answer;
mod decode;
pub(super) mod dispatch;
mod filesystem;
mod given_up;
mod negotiate;
mod transfer;

use std::ffi::OsStr;
use std::io;
use std::sync::Arc;

use fuser::{BackingId, Errno, FileHandle, FopenFlags, INodeNo, ReplyEntry, ReplyOpen};

use crate::fuse::adapter::answer::{Answer, handle};
use crate::fuse::adapter::dispatch::{Dispatcher, Timed, refuse};
use crate::fuse::adapter::negotiate::Agreed;
use crate::fuse::backing::Backings;
use crate::fuse::busy_poll::BusyPoll;
use crate::fuse::reader::Reader;
use crate::tree::activity::{Operation, Queue};
use crate::tree::open::handles::{Caching, Opened, Stored};
use crate::tree::request::{NameIn, OpenFlags};
use crate::tree::view::rendering::Lookup;
use crate::tree::view::url_links::Linked;
use crate::tree::{Caller, Error, Ino, Tree};

/// Answers the kernel's requests from the tree.
pub struct Adapter {
    dispatcher: Dispatcher,
    backings: Arc<Backings>,
    agreed: Agreed,
    /// The inodes that the kernel holds of a mount that is only read. A mount that writes keeps no such table.
    reader: Option<Arc<Reader>>,
}

impl Adapter {
    pub fn new(
        tree: Arc<Tree>,
        busy_poll: BusyPoll,
        backings: Arc<Backings>,
        reader: Option<Arc<Reader>>,
    ) -> io::Result<Self> {
        let dispatcher = Dispatcher::new(tree, busy_poll)?;
        Ok(Self { dispatcher, backings, agreed: Agreed::nothing(), reader })
    }

    fn look_up(&self, who: Caller, parent: Ino, name: &OsStr, reply: ReplyEntry) {
        let (operation, tree) = (Operation::Lookup, &self.dispatcher.tree);
        let found = Timed::start(operation).run_in_session(tree, |tree| {
            let changes = tree.kernel.changes();
            match (tree.lookup(who, parent, name)?, &self.reader) {
                (Lookup::Found(entry), Some(reader)) => {
                    Ok(Lookup::Found(reader.enter(tree, (parent, name), entry, changes)?))
                }
                (found, _) => Ok(found),
            }
        });
        match found {
            Some(Ok(Lookup::Found(entry))) => reply.accept(entry),
            Some(Ok(Lookup::Render(rendering))) => {
                let (reader, name) = (self.reader.clone(), name.to_owned());
                // A reader counts the lookups that it has answered: each is waited for.
                let who = Caller { tid: if reader.is_some() { 0 } else { who.tid }, ..who };
                let entry = move |tree: &Tree| {
                    let changes = tree.kernel.changes();
                    let entry = tree.view.variants.render(&rendering)?;
                    match reader {
                        Some(reader) => reader.enter(tree, (parent, &name), entry, changes),
                        None => Ok(entry),
                    }
                };
                self.dispatcher.pooled(Queue::Render, (Operation::Render, who), reply, entry);
            }
            Some(Err(errno)) => reply.refuse(errno),
            // Only views leave the session, and a tree that is only read has none.
            None => {
                let name = name.to_owned();
                let look_up = move |tree: &Tree| match tree.lookup(who, parent, &name)? {
                    Lookup::Found(entry) => Ok(entry),
                    Lookup::Render(rendering) => tree.view.variants.render(&rendering),
                };
                self.dispatcher.pooled(Queue::Long, (operation, who), reply, look_up);
            }
        }
    }

    fn open_file(&self, who: Caller, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        let (operation, spare_flush) = (Operation::Open, self.agreed.spare_flush);
        let open = move |tree: &Tree| tree.open(who, Ino(ino.0), flags);
        let (tree, backings) = (&self.dispatcher.tree, &self.backings);
        match Timed::start(operation).run_in_session(tree, open) {
            Some(Ok(opened)) => {
                let asked = (who, ino, flags);
                answer_open((tree, backings), spare_flush, (asked, &opened), reply);
            }
            Some(Err(errno)) => reply.error(errno),
            None => {
                let (tree, backings) = (Arc::clone(tree), Arc::clone(backings));
                let asked = (who, ino, flags);
                let reply = Opening { reply, asked, tree, backings, spare_flush };
                self.dispatcher.pooled(Queue::Long, (operation, who), reply, open);
            }
        }
    }

    /// Makes a symbolic link, or attaches the file behind the URL that it points to.
    fn link_to(&self, who: Caller, at: NameIn<'_>, target: &[u8], reply: ReplyEntry) {
        let make = |tree: &Tree| tree.symlink(who, at.parent, at.name, target);
        match Timed::start(Operation::Symlink).run_in_session(&self.dispatcher.tree, make) {
            Some(Ok(Linked::Made(entry))) => reply.accept(entry),
            Some(Ok(Linked::Fetch(download))) => {
                let given_up = Arc::clone(&download);
                let attach = move |tree: &Tree| tree.view.url_links.attach(&download);
                let abandon = move |tree: &Tree| tree.view.url_links.abandon(&given_up);
                let asked = (Operation::Fetch, who);
                self.dispatcher.sized(asked, reply, Tree::link_work, attach, abandon);
            }
            Some(Err(errno)) => reply.refuse(errno),
            // A thread of the download pool makes it and fetches.
            None => {
                let (parent, name, target) = (at.parent, at.name.to_owned(), target.to_vec());
                let make = move |tree: &Tree| tree.symlink(who, parent, &name, &target);
                let make_late = make.clone();
                let link = move |tree: &Tree| match make(tree)? {
                    Linked::Made(entry) => Ok(entry),
                    Linked::Fetch(download) => tree.view.url_links.attach(&download),
                };
                let abandon = move |tree: &Tree| match make_late(tree)? {
                    Linked::Made(entry) => Ok(entry),
                    Linked::Fetch(download) => tree.view.url_links.abandon(&download),
                };
                let asked = (Operation::Symlink, who);
                self.dispatcher.sized(asked, reply, Tree::link_work, link, abandon);
            }
        }
    }
}

/// A reply to an open in a pool.
struct Opening {
    reply: ReplyOpen,
    asked: (Caller, INodeNo, OpenFlags),
    tree: Arc<Tree>,
    backings: Arc<Backings>,
    /// Whether the kernel knows `FOPEN_NOFLUSH`.
    spare_flush: bool,
}

impl Answer<Opened> for Opening {
    fn accept(self, opened: Opened) {
        let Self { reply, asked, tree, backings, spare_flush } = self;
        answer_open((&tree, &backings), spare_flush, (asked, &opened), reply);
    }

    fn refuse(self, errno: Errno) {
        self.reply.error(errno);
    }
}

/// Answers an open: the kernel then reads the file by itself, through its page cache, or asks for every byte.
fn answer_open(
    (tree, backings): (&Tree, &Backings),
    spare_flush: bool,
    ((who, ino, flags), opened): ((Caller, INodeNo, OpenFlags), &Opened),
    reply: ReplyOpen,
) {
    match &opened.caching {
        Caching::Forever(stored) if backings.takes(stored.length) => {
            if let Some(backing) = backings.open(ino.0, || backing(stored, &reply)) {
                // With FOPEN_KEEP_CACHE beside passthrough every open would fail.
                let (fh, flags) = (FileHandle(opened.fh.0), FopenFlags::FOPEN_NOFLUSH);
                return reply.opened_passthrough(fh, flags, &backing);
            }
        }
        Caching::Never if !backings.open_direct(ino.0) => {
            tree.release(opened.fh);
            if flags.changes() {
                tree.explain_outside(who, Some(Ino(ino.0)), &Error::BeingRead);
            }
            return reply.refuse(refuse(Operation::Open, &Error::BeingRead));
        }
        _ => {}
    }
    reply.accept(handle(opened, spare_flush));
}

fn backing(stored: &Stored, reply: &ReplyOpen) -> Option<BackingId> {
    let opened = reply.open_backing(&*stored.file);
    opened.inspect_err(|error| tracing::debug!(%error, "a file is not passed through")).ok()
}
