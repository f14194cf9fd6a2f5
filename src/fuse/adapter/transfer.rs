//! Bytes and directory entries on their way from the tree into the kernel's buffers.
//! Does not know where they come from.

use std::cell::RefCell;

use fuser::{Generation, INodeNo, ReplyData, ReplyDirectory, ReplyDirectoryPlus};

use crate::fuse::adapter::answer::{file_attr, file_type, shorter};
use crate::fuse::adapter::work::{Asked, Workshop};
use crate::tree::activity::Operation;
use crate::tree::show::attr::Entry;
use crate::tree::show::listing::Listed;
use crate::tree::show::listing::Page;
use crate::tree::{Caller, Fh, Ino, Result, Tree};

thread_local! {
    /// Kept for the thread's next read. The kernel asks for 1 MiB at most.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

pub fn read(shop: &Workshop, fh: Fh, offset: u64, size: u32, reply: ReplyData) {
    answer(shop, size, reply, |tree, buffer| tree.read(fh, offset, buffer));
}

/// Answers with what is read into a buffer of this size.
pub fn answer(
    shop: &Workshop,
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
        match Asked::now(Operation::Read).attempt(&shop.tree, fill) {
            Ok(length) => reply.data(&buffer[..length]),
            Err(errno) => reply.error(errno),
        }
    });
    shop.vigil.keep();
}

/// Answers with as many entries after a place as the kernel's buffer holds.
pub fn list(shop: &Workshop, ino: INodeNo, after: u64, mut reply: ReplyDirectory) {
    let filled = Asked::now(Operation::Readdir).attempt(&shop.tree, |tree| {
        fill(tree, ino, after, |entry, _| {
            let kind = file_type(entry.kind);
            reply.add(INodeNo(entry.ino.0), entry.next, kind, &*entry.name)
        })
    });
    match filled {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(errno),
    }
    shop.vigil.keep();
}

/// The same, with what a lookup of each entry would answer; `note` is told of each that is sent.
pub fn list_plus(
    shop: &Workshop,
    (who, ino): (Caller, INodeNo),
    after: u64,
    mut reply: ReplyDirectoryPlus,
    note: impl Fn(&str, &Entry),
) {
    let filled = Asked::now(Operation::Readdirplus).attempt(&shop.tree, |tree| {
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
    match filled {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(errno),
    }
    shop.vigil.keep();
}

/// Adds entries until `add` says that there is no room.
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
