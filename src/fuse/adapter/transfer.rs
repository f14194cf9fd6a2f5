//! Copies file bytes and directory entries from the tree into the kernel's buffers.

use std::cell::RefCell;

use fuser::{Generation, INodeNo, ReplyData, ReplyDirectory, ReplyDirectoryPlus};

use crate::fuse::adapter::answer::{Answer, file_attr, file_type, shorter};
use crate::fuse::adapter::dispatch::{Dispatcher, Timed};
use crate::tree::activity::Operation;
use crate::tree::show::attr::Entry;
use crate::tree::show::listing::{Listed, Page};
use crate::tree::{Caller, Ino, Result, Tree};

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

/// Answers with the entries that follow offset `after`, as many as the kernel's buffer holds.
pub fn list(dispatcher: &Dispatcher, ino: INodeNo, after: u64, mut reply: ReplyDirectory) {
    let filled = Timed::start(Operation::Readdir).run(&dispatcher.tree, |tree| {
        fill(tree, ino, after, |entry, _| {
            let kind = file_type(entry.kind);
            reply.add(INodeNo(entry.ino.0), entry.next, kind, &*entry.name)
        })
    });
    reply.answer(filled);
    dispatcher.busy_poll.wait();
}

/// Answers with entries and their attributes, as a lookup of each would. Calls `note` for each entry that is sent.
pub fn list_plus(
    dispatcher: &Dispatcher,
    (who, ino): (Caller, INodeNo),
    after: u64,
    mut reply: ReplyDirectoryPlus,
    note: impl Fn(&str, &Entry),
) {
    let filled = Timed::start(Operation::Readdirplus).run(&dispatcher.tree, |tree| {
        fill(tree, ino, after, |listed, page| {
            let entry = tree.entry_listed(who, listed, page);
            let (ttl, attr) = (shorter(&entry), file_attr(&entry.attr));
            let generation = Generation(entry.generation);
            let full = reply.add(attr.ino, listed.next, &*listed.name, &ttl, &attr, generation);
            if !full {
                note(&listed.name, &entry);
            }
            full
        })
    });
    reply.answer(filled);
    dispatcher.busy_poll.wait();
}

/// Adds entries until `add` returns that the buffer is full.
fn fill(
    tree: &Tree,
    ino: INodeNo,
    mut after: u64,
    mut add: impl FnMut(&Listed, &Page) -> bool,
) -> Result<()> {
    loop {
        let page = tree.readdir(Ino(ino.0), after)?;
        for entry in page.entries() {
            if add(entry, &page) {
                return Ok(());
            }
            after = entry.next;
        }
        if page.is_last {
            return Ok(());
        }
    }
}
