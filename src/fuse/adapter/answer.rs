//! Encodes each answer of the tree in the kernel's structures.

use std::time::Duration;

use fuser::{
    Errno, FileAttr, FileHandle, FileType, FopenFlags, Generation, INodeNo, ReplyAttr, ReplyCreate,
    ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty, ReplyEntry, ReplyLseek, ReplyOpen,
    ReplyStatfs, ReplyWrite, ReplyXattr,
};

use crate::tree::node::Kind;
use crate::tree::open::handles::{Caching, Opened};
use crate::tree::show::attr::{Attr, Entry, Lifetime};
use words::slot::NAME_MAX;
use words::space::Space;

const LONG: Duration = Duration::from_secs(60 * 60);
/// The unit of `st_blocks`, in bytes (stat(3type)).
const BLOCK: u64 = 512;
const PREFERRED_BLOCK: u32 = 4096;

/// A reply that takes a `T`.
pub trait Answer<T>: Send + 'static {
    fn accept(self, value: T);
    fn refuse(self, errno: Errno);

    fn answer(self, outcome: Result<T, Errno>)
    where
        Self: Sized,
    {
        match outcome {
            Ok(value) => self.accept(value),
            Err(errno) => self.refuse(errno),
        }
    }
}

/// The answer to an open.
pub struct Handle {
    pub fh: FileHandle,
    pub flags: FopenFlags,
}

/// `getxattr` and `listxattr`, with the size of the caller's buffer: 0 asks how long the value is.
pub struct SizedXattr {
    pub reply: ReplyXattr,
    pub size: u32,
}

macro_rules! answers {
    ($($reply:ty, $value:ty, |$self:ident, $answer:ident| $accept:expr;)*) => {$(
        impl Answer<$value> for $reply {
            fn accept(self, $answer: $value) {
                let $self = self;
                $accept;
            }
            fn refuse(self, errno: Errno) {
                self.error(errno);
            }
        }
    )*};
}
answers! {
    ReplyEmpty, (), |reply, _done| reply.ok();
    ReplyDirectory, (), |reply, _filled| reply.ok();
    ReplyDirectoryPlus, (), |reply, _filled| reply.ok();
    ReplyData, Vec<u8>, |reply, bytes| reply.data(&bytes);
    ReplyLseek, u64, |reply, offset| reply.offset(i64::try_from(offset).unwrap_or(i64::MAX));
    ReplyWrite, usize, |reply, written| reply.written(u32::try_from(written).unwrap_or(u32::MAX));
    ReplyAttr, Entry, |reply, shown| reply.attr(&time(shown.attributes), &file_attr(&shown.attr));
    ReplyOpen, Handle, |reply, handle| reply.opened(handle.fh, handle.flags);
    ReplyEntry, Entry, |reply, entry| reply.entry_with_ttls(
        &time(entry.attributes), &time(entry.name), &file_attr(&entry.attr),
        Generation(entry.generation)
    );
    ReplyCreate, (Entry, Handle), |reply, created| reply.created(
        &shorter(&created.0),
        &file_attr(&created.0.attr),
        Generation(created.0.generation), created.1.fh, created.1.flags
    );
    ReplyStatfs, Space, |reply, space| reply.statfs(
        space.blocks, space.free, space.available, space.files, space.files_free,
        block_size(space), NAME_LIMIT, block_size(space)
    );
}

#[allow(clippy::cast_possible_truncation)] // 255
const NAME_LIMIT: u32 = NAME_MAX as u32;

impl Answer<Vec<u8>> for SizedXattr {
    fn accept(self, value: Vec<u8>) {
        match u32::try_from(value.len()) {
            Ok(length) if self.size == 0 => self.reply.size(length),
            Ok(length) if length <= self.size => self.reply.data(&value),
            _ => self.reply.error(Errno::ERANGE),
        }
    }

    fn refuse(self, errno: Errno) {
        self.reply.error(errno);
    }
}

/// Encodes how the kernel may cache an open file. `spare_flush`: the kernel knows `FOPEN_NOFLUSH`.
pub fn handle(opened: &Opened, spare_flush: bool) -> Handle {
    let kept = FopenFlags::FOPEN_KEEP_CACHE;
    let flags = match opened.caching {
        Caching::Forever(_) if spare_flush => kept | FopenFlags::FOPEN_NOFLUSH,
        Caching::Forever(_) => kept,
        Caching::WhileOpen => FopenFlags::empty(),
        Caching::Never => FopenFlags::FOPEN_DIRECT_IO,
    };
    Handle { fh: FileHandle(opened.fh.0), flags }
}

/// The time-to-live for answers that have one for the name and the attributes together.
pub fn shorter(entry: &Entry) -> Duration {
    time(entry.name).min(time(entry.attributes))
}

pub fn file_type(kind: Kind) -> FileType {
    match kind {
        Kind::Directory => FileType::Directory,
        Kind::File => FileType::RegularFile,
        Kind::Symlink => FileType::Symlink,
    }
}

fn time(lifetime: Lifetime) -> Duration {
    match lifetime {
        Lifetime::Long => LONG,
        Lifetime::None => Duration::ZERO,
    }
}

fn block_size(space: Space) -> u32 {
    u32::try_from(space.block_size).unwrap_or(PREFERRED_BLOCK)
}

pub fn file_attr(attr: &Attr) -> FileAttr {
    FileAttr {
        ino: INodeNo(attr.ino.0),
        size: attr.size,
        blocks: attr.size.div_ceil(BLOCK),
        atime: attr.times.accessed.into(),
        mtime: attr.times.modified.into(),
        ctime: attr.times.changed.into(),
        crtime: attr.times.changed.into(),
        kind: file_type(attr.kind),
        perm: u16::try_from(attr.access.mode & 0o7777).unwrap_or(0),
        nlink: attr.links,
        uid: attr.access.uid,
        gid: attr.access.gid,
        rdev: 0,
        blksize: PREFERRED_BLOCK,
        flags: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::open::handles::Stored;
    use crate::tree::{Fh, Ino};
    use words::attachment::{Access, Times};
    use words::timestamp::Timestamp;

    #[test]
    fn stat_shows_the_exact_size_and_whole_blocks() {
        let times = Times {
            accessed: Timestamp(1),
            modified: Timestamp(2_000_000_003),
            changed: Timestamp(4),
        };
        let attr = Attr {
            ino: Ino(9),
            kind: Kind::File,
            size: 513,
            links: 2,
            access: Access { uid: 1, gid: 2, mode: 0o100_640 },
            times,
        };
        let shown = file_attr(&attr);
        assert_eq!((shown.size, shown.blocks, shown.blksize), (513, 2, 4096));
        assert_eq!((shown.perm, shown.nlink, shown.uid, shown.gid), (0o640, 2, 1, 2));
        assert_eq!(Timestamp::from(shown.mtime), times.modified);
        assert_eq!(file_attr(&Attr { size: 0, ..attr }).blocks, 0);
    }

    #[test]
    fn only_what_never_changes_keeps_its_pages_and_is_spared_the_flush() {
        let flags = |caching, spare| handle(&Opened { fh: Fh(1), caching }, spare).flags;
        let kept = FopenFlags::FOPEN_KEEP_CACHE;
        let file = std::sync::Arc::new(std::fs::File::open("/dev/null").expect("a file"));
        let stored = || Caching::Forever(Stored { file: std::sync::Arc::clone(&file), length: 0 });
        assert_eq!(flags(stored(), true), kept | FopenFlags::FOPEN_NOFLUSH);
        assert_eq!(flags(stored(), false), kept);
        assert_eq!(flags(Caching::WhileOpen, true), FopenFlags::empty());
        assert_eq!(flags(Caching::Never, true), FopenFlags::FOPEN_DIRECT_IO);
    }
}
