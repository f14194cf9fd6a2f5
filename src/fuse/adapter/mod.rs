//! The tree as a [`fuser::Filesystem`]: each request is decoded, handed to the tree, and its answer encoded.

mod answer;
mod decode;
pub(super) mod dispatch;
mod filesystem;
mod negotiate;
mod transfer;

use std::ffi::OsStr;
use std::io;
use std::sync::Arc;

use fuser::{BackingId, FileHandle, FopenFlags, INodeNo, ReplyEntry, ReplyOpen};

use crate::fuse::adapter::answer::{Answer, handle};
use crate::fuse::adapter::dispatch::{Dispatcher, Timed, refuse};
use crate::fuse::adapter::negotiate::Agreed;
use crate::fuse::backing::Backings;
use crate::fuse::busy_poll::BusyPoll;
use crate::fuse::reader::Reader;
use crate::tree::activity::Operation;
use crate::tree::open::handles::{Caching, Opened, Stored};
use crate::tree::request::NameIn;
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
        let found = Timed::start(Operation::Lookup).run(&self.dispatcher.tree, |tree| {
            let changes = tree.kernel.changes();
            match (tree.lookup(who, parent, name)?, &self.reader) {
                (Lookup::Found(entry), Some(reader)) => {
                    Ok(Lookup::Found(reader.enter(tree, (parent, name), entry, changes)?))
                }
                (found, _) => Ok(found),
            }
        });
        match found {
            Ok(Lookup::Found(entry)) => reply.accept(entry),
            Ok(Lookup::Render(rendering)) => {
                let (reader, name) = (self.reader.clone(), name.to_owned());
                self.dispatcher.render(Operation::Render, reply, move |tree| {
                    let changes = tree.kernel.changes();
                    let entry = tree.view.variants.render(&rendering)?;
                    match reader {
                        Some(reader) => reader.enter(tree, (parent, &name), entry, changes),
                        None => Ok(entry),
                    }
                });
            }
            Err(errno) => reply.refuse(errno),
        }
    }

    /// Makes a symbolic link, or attaches the file behind the URL that it points to.
    fn link_to(&self, who: Caller, at: NameIn<'_>, target: &[u8], reply: ReplyEntry) {
        let make = |tree: &Tree| tree.symlink(who, at.parent, at.name, target);
        match Timed::start(Operation::Symlink).run(&self.dispatcher.tree, make) {
            Ok(Linked::Made(entry)) => reply.accept(entry),
            Ok(Linked::Fetch(download)) => {
                let given_up = Arc::clone(&download);
                let attach = move |tree: &Tree| tree.view.url_links.attach(&download);
                let abandon = move |tree: &Tree| tree.view.url_links.abandon(&given_up);
                self.dispatcher.sized(Operation::Fetch, reply, Tree::link_work, attach, abandon);
            }
            Err(errno) => reply.refuse(errno),
        }
    }

    /// Answers an open: the kernel then reads the file by itself, through its page cache, or asks for every byte.
    fn opened(&self, ino: INodeNo, opened: &Opened, reply: ReplyOpen) {
        match &opened.caching {
            Caching::Forever(stored) if self.backings.takes(stored.length) => {
                if let Some(backing) = self.backings.open(ino.0, || backing(stored, &reply)) {
                    // With FOPEN_KEEP_CACHE beside passthrough every open would fail.
                    let (fh, flags) = (FileHandle(opened.fh.0), FopenFlags::FOPEN_NOFLUSH);
                    return reply.opened_passthrough(fh, flags, &backing);
                }
            }
            Caching::Never if !self.backings.open_direct(ino.0) => {
                self.dispatcher.tree.release(opened.fh);
                return reply.refuse(refuse(Operation::Open, &Error::BeingRead));
            }
            _ => {}
        }
        reply.accept(handle(opened, self.agreed.spare_flush));
    }
}

fn backing(stored: &Stored, reply: &ReplyOpen) -> Option<BackingId> {
    let opened = reply.open_backing(&*stored.file);
    opened.inspect_err(|error| tracing::debug!(%error, "a file is not passed through")).ok()
}
