//! The operations of FUSE, each handed to the tree. On a mount that is only read, those that need a handle are answered with ENOSYS,
//! after which the kernel does them by itself.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

use fuser::{
    BsdFileFlags, CopyFileRangeFlags, Errno, FileHandle, Filesystem, FopenFlags, INodeNo,
    InitFlags, IoctlFlags, KernelConfig, LockOwner, OpenFlags, PollEvents, PollFlags, PollNotifier,
    RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty,
    ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen, ReplyPoll, ReplyStatfs, ReplyWrite, ReplyXattr,
    Request, TimeOrNow, WriteFlags,
};

use crate::fuse::adapter::answer::{Answer, SizedXattr, handle};
use crate::fuse::adapter::dispatch::{Timed, queue_full};
use crate::fuse::adapter::{Adapter, decode, negotiate, transfer};
use crate::tree::Tree;
use crate::tree::activity::Operation;
use crate::tree::ops::bytes::Position;
use crate::tree::request::SetAttr;

#[rustfmt::skip] // One parameter a line would double the file.
impl Filesystem for Adapter {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // Every inode that the kernel holds takes memory of a reader, so entries past the first page come without attributes.
        let sparing = self.reader.as_ref().map(|_| InitFlags::FUSE_READDIRPLUS_AUTO);
        self.agreed = negotiate::capabilities(config, sparing);
        self.backings.offer(self.agreed.passthrough);
        Ok(())
    }

    fn lookup(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        self.look_up(decode::caller(request), decode::ino(parent), name, reply);
        self.dispatcher.busy_poll.wait();
    }

    fn forget(&self, _request: &Request, ino: INodeNo, lookups: u64) {
        if let Some(reader) = &self.reader {
            reader.forget(decode::ino(ino), lookups);
        }
    }

    fn getattr(&self, request: &Request, ino: INodeNo, fh: Option<FileHandle>, reply: ReplyAttr) {
        let (who, ino) = (decode::caller(request), decode::ino(ino));
        self.dispatcher.inline(Operation::Getattr, reply, |tree| match &self.reader {
            Some(reader) => reader.getattr(tree, who, ino),
            None => tree.getattr(who, ino, fh.map(decode::fh)),
        });
    }

    fn setattr(
        &self, request: &Request, ino: INodeNo, mode: Option<u32>, uid: Option<u32>,
        gid: Option<u32>, size: Option<u64>, atime: Option<TimeOrNow>, mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>, fh: Option<FileHandle>, _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>, _bkuptime: Option<SystemTime>, _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let (who, ino, fh) = (decode::caller(request), decode::ino(ino), fh.map(decode::fh));
        let change = SetAttr { size, amendment: decode::amendment(mode, (uid, gid), atime, mtime) };
        let apply = move |tree: &Tree| tree.setattr(who, ino, fh, change);
        // A truncation by path commits before it returns (CONTRACT 2.6).
        if size.is_some() && fh.is_none() {
            self.dispatcher.publish(Operation::Setattr, reply, apply);
        } else {
            self.dispatcher.inline(Operation::Setattr, reply, apply);
        }
    }

    fn readlink(&self, _request: &Request, ino: INodeNo, reply: ReplyData) {
        self.dispatcher.inline(Operation::Readlink, reply, |tree| tree.readlink(decode::ino(ino)));
    }

    fn mknod(
        &self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, _rdev: u32,
        reply: ReplyEntry,
    ) {
        self.dispatcher.inline(Operation::Mknod, reply, |tree| {
            let (who, parent) = (decode::caller(request), decode::ino(parent));
            if !decode::is_regular(mode) {
                return tree.mknod_special(who, parent, name);
            }
            tree.mknod(who, parent, name, decode::permissions(mode, umask))
        });
    }

    fn mkdir(
        &self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32,
        reply: ReplyEntry,
    ) {
        let mode = decode::permissions(mode, umask);
        self.dispatcher.inline(Operation::Mkdir, reply, |tree| {
            tree.mkdir(decode::caller(request), decode::ino(parent), name, mode)
        });
    }

    fn unlink(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.dispatcher.inline(Operation::Unlink, reply, |tree| {
            tree.unlink(decode::caller(request), decode::ino(parent), name)
        });
    }

    fn rmdir(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.dispatcher.inline(Operation::Rmdir, reply, |tree| {
            tree.rmdir(decode::caller(request), decode::ino(parent), name)
        });
    }

    fn symlink(
        &self, request: &Request, parent: INodeNo, link_name: &OsStr, target: &Path,
        reply: ReplyEntry,
    ) {
        let (who, target) = (decode::caller(request), target.as_os_str().as_bytes());
        self.link_to(who, decode::named(parent, link_name), target, reply);
    }

    fn rename(
        &self, request: &Request, parent: INodeNo, name: &OsStr, newparent: INodeNo,
        newname: &OsStr, flags: RenameFlags, reply: ReplyEmpty,
    ) {
        let who = decode::caller(request);
        let names = (name.to_owned(), newname.to_owned());
        let work = |tree: &Tree| {
            tree.rename_work(decode::named(parent, name), decode::named(newparent, newname))
        };
        let rename = move |tree: &Tree| {
            let (from, to) = (decode::named(parent, &names.0), decode::named(newparent, &names.1));
            tree.rename(who, from, to, decode::rename_mode(flags)?)
        };
        self.dispatcher.sized(Operation::Rename, reply, work, rename, queue_full);
    }

    fn link(
        &self, request: &Request, ino: INodeNo, newparent: INodeNo, newname: &OsStr,
        reply: ReplyEntry,
    ) {
        let (who, name) = (decode::caller(request), newname.to_owned());
        self.dispatcher.publish(Operation::Link, reply, move |tree| {
            tree.link(who, decode::ino(ino), decode::ino(newparent), &name)
        });
    }

    fn open(&self, request: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        if let Some(reader) = &self.reader {
            reader.count_open();
            let flags = FopenFlags::FOPEN_KEEP_CACHE;
            return open_without_handle(self.agreed.spares_open(), flags, reply);
        }
        let (who, flags) = (decode::caller(request), decode::open_flags(flags.0));
        let open = |tree: &Tree| tree.open(who, decode::ino(ino), flags);
        match Timed::start(Operation::Open).run(&self.dispatcher.tree, open) {
            Ok(opened) => self.opened(ino, &opened, reply),
            Err(errno) => reply.refuse(errno),
        }
        self.dispatcher.busy_poll.wait();
    }

    fn create(
        &self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, flags: i32,
        reply: ReplyCreate,
    ) {
        let (who, mode) = (decode::caller(request), decode::permissions(mode, umask));
        self.dispatcher.inline(Operation::Create, reply, |tree| {
            let flags = decode::open_flags(flags);
            let (entry, opened) = tree.create(who, decode::ino(parent), name, mode, flags)?;
            Ok((entry, handle(&opened, self.agreed.spare_flush)))
        });
    }

    fn read(
        &self, _request: &Request, ino: INodeNo, fh: FileHandle, offset: u64, size: u32,
        _flags: OpenFlags, _lock_owner: Option<LockOwner>, reply: ReplyData,
    ) {
        transfer::read(&self.dispatcher, size, reply, |tree, buffer| match &self.reader {
            Some(reader) => reader.read(tree, decode::ino(ino), offset, buffer),
            None => tree.read(decode::fh(fh), offset, buffer),
        });
    }

    fn write(
        &self, request: &Request, _ino: INodeNo, fh: FileHandle, offset: u64, data: &[u8],
        _write_flags: WriteFlags, _flags: OpenFlags, _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        self.dispatcher.inline(Operation::Write, reply, |tree| {
            tree.write(decode::caller(request), decode::fh(fh), offset, data)
        });
    }

    fn flush(
        &self, request: &Request, _ino: INodeNo, fh: FileHandle, _lock_owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        if self.reader.is_some() {
            return reply.error(Errno::ENOSYS);
        }
        let (who, fh) = (decode::caller(request), decode::fh(fh));
        let size = |tree: &Tree| tree.flush_work(fh);
        let flush = move |tree: &Tree| tree.flush(who, fh);
        self.dispatcher.sized(Operation::Flush, reply, size, flush, queue_full);
    }

    fn release(
        &self, _request: &Request, ino: INodeNo, fh: FileHandle, _flags: OpenFlags,
        _lock_owner: Option<LockOwner>, _flush: bool, reply: ReplyEmpty,
    ) {
        self.backings.close(ino.0);
        let fh = decode::fh(fh);
        let size = |tree: &Tree| tree.flush_work(fh);
        let release = move |tree: &Tree| {
            tree.release(fh);
            Ok(())
        };
        self.dispatcher.sized(Operation::Release, reply, size, release, move |tree: &Tree| {
            tree.release_unfetched(fh);
            Ok(())
        });
    }

    fn fsync(
        &self, _request: &Request, _ino: INodeNo, fh: FileHandle, _datasync: bool,
        reply: ReplyEmpty,
    ) {
        if self.reader.is_some() {
            return reply.error(Errno::ENOSYS);
        }
        let fh = decode::fh(fh);
        let size = |tree: &Tree| tree.sync_work(fh);
        let sync = move |tree: &Tree| tree.fsync(fh);
        self.dispatcher.sized(Operation::Fsync, reply, size, sync, queue_full);
    }

    // The kernel that opens directories by itself caches their listings until they are invalidated.
    fn opendir(&self, _request: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        Timed::start(Operation::Opendir).count(&self.dispatcher.tree);
        if let Some(reader) = &self.reader {
            reader.count_open();
        }
        open_without_handle(self.agreed.spares_opendir(), FopenFlags::empty(), reply);
    }

    fn readdir(
        &self, _request: &Request, ino: INodeNo, _fh: FileHandle, offset: u64,
        reply: ReplyDirectory,
    ) {
        transfer::list(&self.dispatcher, ino, offset, reply);
    }

    fn readdirplus(
        &self, request: &Request, ino: INodeNo, _fh: FileHandle, offset: u64,
        reply: ReplyDirectoryPlus,
    ) {
        let asked = (decode::caller(request), ino);
        transfer::list_plus(&self.dispatcher, asked, offset, reply, |name, entry| {
            if let Some(reader) = &self.reader {
                reader.listed(&self.dispatcher.tree, (decode::ino(ino), name), entry);
            }
        });
    }

    fn releasedir(
        &self, _request: &Request, _ino: INodeNo, _fh: FileHandle, _flags: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.dispatcher.inline(Operation::Releasedir, reply, |_| Ok(()));
    }

    fn fsyncdir(
        &self, _request: &Request, _ino: INodeNo, _fh: FileHandle, _datasync: bool,
        reply: ReplyEmpty,
    ) {
        // Every change of a directory is durable when it is answered.
        reply.ok();
    }

    fn statfs(&self, _request: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        self.dispatcher.inline(Operation::Statfs, reply, Tree::statfs);
    }

    fn setxattr(
        &self, request: &Request, ino: INodeNo, name: &OsStr, value: &[u8], flags: i32,
        _position: u32, reply: ReplyEmpty,
    ) {
        self.dispatcher.inline(Operation::Setxattr, reply, |tree| {
            let mode = decode::attribute_mode(flags);
            tree.setxattr(decode::caller(request), decode::ino(ino), name, value, mode)
        });
    }

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

    fn removexattr(&self, request: &Request, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.dispatcher.inline(Operation::Removexattr, reply, |tree| {
            tree.removexattr(decode::caller(request), decode::ino(ino), name)
        });
    }

    fn fallocate(
        &self, _request: &Request, _ino: INodeNo, fh: FileHandle, offset: u64, length: u64,
        mode: i32, reply: ReplyEmpty,
    ) {
        self.dispatcher.inline(Operation::Fallocate, reply, |tree| {
            tree.fallocate(decode::fh(fh), offset, length, mode)
        });
    }

    fn lseek(
        &self, _request: &Request, _ino: INodeNo, fh: FileHandle, offset: i64, whence: i32,
        reply: ReplyLseek,
    ) {
        if self.reader.is_some() {
            return reply.error(Errno::ENOSYS);
        }
        self.dispatcher.inline(Operation::Lseek, reply, |tree| {
            tree.lseek(decode::fh(fh), decode::seek(offset, whence)?)
        });
    }

    fn copy_file_range(
        &self, request: &Request, _ino_in: INodeNo, fh_in: FileHandle, offset_in: u64,
        _ino_out: INodeNo, fh_out: FileHandle, offset_out: u64, length: u64,
        _flags: CopyFileRangeFlags, reply: ReplyWrite,
    ) {
        let who = decode::caller(request);
        let from = Position { fh: decode::fh(fh_in), offset: offset_in };
        let to = Position { fh: decode::fh(fh_out), offset: offset_out };
        self.dispatcher.publish(Operation::CopyFileRange, reply, move |tree| {
            tree.copy_range(who, from, to, length)
        });
    }

    // ENOSYS once, and for the kernel files are always ready.
    fn poll(
        &self, _request: &Request, _ino: INodeNo, _fh: FileHandle, _handle: PollNotifier,
        _events: PollEvents, _flags: PollFlags, reply: ReplyPoll,
    ) {
        reply.error(Errno::ENOSYS);
    }

    fn ioctl(
        &self, _request: &Request, _ino: INodeNo, _fh: FileHandle, _flags: IoctlFlags,
        _command: u32, _input: &[u8], _output_size: u32, reply: ReplyIoctl,
    ) {
        reply.error(Errno::ENOTTY);
    }
}

/// Answers an open that the tree need not know of. Where the kernel can open by itself (`is_spared`), it does after this ENOSYS.
fn open_without_handle(is_spared: bool, flags: FopenFlags, reply: ReplyOpen) {
    if is_spared {
        reply.error(Errno::ENOSYS);
    } else {
        reply.opened(FileHandle(0), flags);
    }
}
