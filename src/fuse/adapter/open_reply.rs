//! Answers an open: the kernel then reads the file by itself, through its page cache, or asks for every byte.

use fuser::{FileHandle, FopenFlags, INodeNo, ReplyOpen};

use crate::fuse::adapter::answer::{Answer, handle};
use crate::fuse::adapter::dispatch::{Dispatcher, refuse};
use crate::fuse::backing::Backings;
use crate::tree::Error;
use crate::tree::activity::Operation;
use crate::tree::open::handles::{Caching, Opened, Stored};

/// Answers an open. `spare_flush`: the kernel knows `FOPEN_NOFLUSH`.
pub fn answer(
    (dispatcher, backings): (&Dispatcher, &Backings),
    ino: INodeNo,
    opened: &Opened,
    spare_flush: bool,
    reply: ReplyOpen,
) {
    match &opened.caching {
        Caching::Forever(stored) if backings.takes(stored.length) => {
            match backings.open(ino.0, || backing(stored, &reply)) {
                // With FOPEN_KEEP_CACHE beside passthrough every open would fail.
                Some(backing) => {
                    let fh = FileHandle(opened.fh.0);
                    reply.opened_passthrough(fh, FopenFlags::FOPEN_NOFLUSH, &backing);
                }
                None => reply.accept(handle(opened, spare_flush)),
            }
        }
        Caching::Never if !backings.open_direct(ino.0) => {
            dispatcher.tree.release(opened.fh);
            reply.refuse(refuse(Operation::Open, &Error::BeingRead));
        }
        _ => reply.accept(handle(opened, spare_flush)),
    }
}

fn backing(stored: &Stored, reply: &ReplyOpen) -> Option<fuser::BackingId> {
    let opened = reply.open_backing(&*stored.file);
    opened.inspect_err(|error| tracing::debug!(%error, "a file is not passed through")).ok()
}
