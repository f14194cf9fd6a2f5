//! Bytes and directory entries on their way from the tree into the kernel's buffers.
//! Does not know where they come from.

use std::cell::RefCell;

use fuser::{INodeNo, ReplyData, ReplyDirectory};

use crate::fuse::adapter::answer::file_type;
use crate::fuse::adapter::work::Asked;
use crate::tree::Tree;
use crate::tree::activity::Operation;
use crate::tree::{Fh, Result};

thread_local! {
    /// Kept for the thread's next read. The kernel asks for 1 MiB at most.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

pub fn read(tree: &Tree, fh: Fh, offset: u64, size: u32, reply: ReplyData) {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    BUFFER.with_borrow_mut(|buffer| {
        if buffer.len() < size {
            buffer.resize(size, 0);
        }
        let fill = |tree: &Tree| tree.read(fh, offset, &mut buffer[..size]);
        match Asked::now(Operation::Read).attempt(tree, fill) {
            Ok(length) => reply.data(&buffer[..length]),
            Err(errno) => reply.error(errno),
        }
    });
}

/// Answers with as many entries after `offset` as the kernel's buffer holds.
pub fn list(tree: &Tree, fh: Fh, offset: u64, mut reply: ReplyDirectory) {
    let fill = |tree: &Tree| fill(tree, fh, offset, &mut reply);
    match Asked::now(Operation::Readdir).attempt(tree, fill) {
        Ok(()) => reply.ok(),
        Err(errno) => reply.error(errno),
    }
}

fn fill(tree: &Tree, fh: Fh, mut offset: u64, reply: &mut ReplyDirectory) -> Result<()> {
    loop {
        let entries = tree.readdir(fh, offset)?;
        if entries.is_empty() {
            return Ok(());
        }
        for entry in entries {
            let kind = file_type(entry.kind);
            if reply.add(INodeNo(entry.ino.0), entry.next, kind, &*entry.name) {
                return Ok(());
            }
            offset = entry.next;
        }
    }
}
