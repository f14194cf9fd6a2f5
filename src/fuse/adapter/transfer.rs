//! Copies file bytes and directory entries from the tree into the kernel's buffers.

use std::cell::RefCell;
use std::sync::Arc;

use fuser::{Errno, Generation, INodeNo, ReplyData, ReplyDirectory, ReplyDirectoryPlus};

use crate::fuse::adapter::answer::{Answer, file_attr, file_type, shorter};
use crate::fuse::adapter::dispatch::{Dispatcher, Timed};
use crate::fuse::reader::Reader;
use crate::tree::activity::{Operation, Queue};
use crate::tree::show::attr::Entry;
use crate::tree::show::listing::{Listed, Page};
use crate::tree::{Caller, Error, Ino, Result, Tree};

/// The most entries that a thread of a pool collects for one request. The kernel asks again for what follows.
const COLLECTED: usize = 1024;

thread_local! {
    /// The thread's read buffer, kept for its next read. The kernel asks for 1 MiB at most.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Answers with the bytes that `read` puts into a buffer of `size` bytes.
pub fn read(
    dispatcher: &Dispatcher,
    size: u32,
    reply: ReplyData,
    read: impl FnOnce(&Tree, &mut [u8]) -> Result<usize>,
) {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    BUFFER.with_borrow_mut(|buffer| {
        if buffer.len() < size {
            buffer.resize(size, 0);
        }
        let fill = |tree: &Tree| read(tree, &mut buffer[..size]);
        match Timed::start(Operation::Read).run(&dispatcher.tree, fill) {
            Ok(length) => reply.data(&buffer[..length]),
            Err(errno) => reply.error(errno),
        }
    });
    dispatcher.busy_poll.wait();
}

/// A listing: who asks for it, of which directory, and after which place.
#[derive(Clone, Copy)]
pub struct Asked {
    pub who: Caller,
    pub ino: Ino,
    pub after: u64,
}

/// Answers with the entries that follow a place, as many as the kernel's buffer holds.
pub fn list(dispatcher: &Dispatcher, asked: Asked, mut reply: ReplyDirectory) {
    let (operation, tree) = (Operation::Readdir, &dispatcher.tree);
    let add = |_: &Tree, entry: &Listed, _: &Page| Ok(add(&mut reply, entry));
    match Timed::start(operation).run_in_session(tree, |tree| fill(tree, asked, add)) {
        Some(filled) => reply.answer(filled),
        None => dispatcher.pooled(Queue::Long, (operation, asked.who), reply, move |tree| {
            let mut found = Vec::new();
            let collect = |_: &Tree, entry: &Listed, _: &Page| {
                found.push(entry.clone());
                Ok(found.len() == COLLECTED)
            };
            fill(tree, asked, collect).map(|()| found)
        }),
    }
    dispatcher.busy_poll.wait();
}

fn add(reply: &mut ReplyDirectory, entry: &Listed) -> bool {
    reply.add(INodeNo(entry.ino.0), entry.next, file_type(entry.kind), &*entry.name)
}

impl Answer<Vec<Listed>> for ReplyDirectory {
    fn accept(mut self, found: Vec<Listed>) {
        // Stops at the first entry for which there is no room.
        let _ = found.iter().any(|entry| add(&mut self, entry));
        self.ok();
    }

    fn refuse(self, errno: Errno) {
        self.error(errno);
    }
}

/// A reply with entries and their attributes, as a lookup of each would answer.
pub struct Plus {
    pub reply: ReplyDirectoryPlus,
    pub tree: Arc<Tree>,
    pub directory: Ino,
    /// Is told of each entry that is sent.
    pub reader: Option<Arc<Reader>>,
}

/// Answers with entries and their attributes.
pub fn list_plus(dispatcher: &Dispatcher, asked: Asked, mut plus: Plus) {
    let (operation, tree) = (Operation::Readdirplus, &dispatcher.tree);
    let add = |tree: &Tree, listed: &Listed, page: &Page| {
        Ok(plus.add(listed, &tree.entry_listed(asked.who, listed, page)?))
    };
    match Timed::start(operation).run_in_session(tree, |tree| fill(tree, asked, add)) {
        Some(filled) => plus.reply.answer(filled),
        None => dispatcher.pooled(Queue::Long, (operation, asked.who), plus, move |tree| {
            let mut found = Vec::new();
            let collect = |tree: &Tree, listed: &Listed, page: &Page| {
                found.push((listed.clone(), tree.entry_listed(asked.who, listed, page)?));
                Ok(found.len() == COLLECTED)
            };
            fill(tree, asked, collect).map(|()| found)
        }),
    }
    dispatcher.busy_poll.wait();
}

impl Plus {
    fn add(&mut self, listed: &Listed, entry: &Entry) -> bool {
        let (ttl, attr) = (shorter(entry), file_attr(&entry.attr));
        let (next, generation) = (listed.next, Generation(entry.generation));
        let full = self.reply.add(attr.ino, next, &*listed.name, &ttl, &attr, generation);
        if let Some(reader) = self.reader.as_ref().filter(|_| !full) {
            reader.listed(&self.tree, (self.directory, &listed.name), entry);
        }
        full
    }
}

impl Answer<Vec<(Listed, Entry)>> for Plus {
    fn accept(mut self, found: Vec<(Listed, Entry)>) {
        // Stops at the first entry for which there is no room.
        let _ = found.iter().any(|(listed, entry)| self.add(listed, entry));
        self.reply.ok();
    }

    fn refuse(self, errno: Errno) {
        self.reply.error(errno);
    }
}

/// Adds entries until `add` returns that there is no more room. What must run elsewhere ends a listing that has begun.
fn fill(
    tree: &Tree,
    asked: Asked,
    mut add: impl FnMut(&Tree, &Listed, &Page) -> Result<bool>,
) -> Result<()> {
    let mut after = asked.after;
    let is_begun = |after, error| match error {
        Error::Elsewhere(_) if after != asked.after => Ok(true),
        error => Err(error),
    };
    loop {
        let page = match tree.readdir(asked.ino, after) {
            Ok(page) => page,
            Err(error) => return is_begun(after, error).map(drop),
        };
        for entry in page.entries() {
            if add(tree, entry, &page).or_else(|error| is_begun(after, error))? {
                return Ok(());
            }
            after = entry.next;
        }
        if page.is_last {
            return Ok(());
        }
    }
}
