//! The operations of FUSE, each handed to the tree. On a mount that is only read, those that need a handle are answered with ENOSYS,
//! after which the kernel does them by itself.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
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
use crate::fuse::adapter::transfer::{Asked, Plus};
use crate::fuse::adapter::{Adapter, decode, negotiate, transfer};
use crate::tree::Tree;
use crate::tree::activity::{Operation, Queue};
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
        let reader = self.reader.clone();
        let stat = move |tree: &Tree| match &reader {
            Some(reader) => reader.getattr(tree, who, ino),
            None => tree.getattr(who, ino, fh.map(decode::fh)),
        };
        self.dispatcher.brief((Operation::Getattr, who), reply, stat);
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
        let asked = (Operation::Setattr, who);
        match (size, fh) {
            // A truncation by path commits before it returns (CONTRACT 2.6).
            (Some(_), None) => self.dispatcher.pooled(Queue::Publish, asked, reply, apply),
            (Some(_), Some(_)) => self.dispatcher.brief(asked, reply, apply),
            (None, _) => self.dispatcher.small(asked, reply, apply),
        }
    }

    fn readlink(&self, request: &Request, ino: INodeNo, reply: ReplyData) {
        let asked = (Operation::Readlink, decode::caller(request));
        self.dispatcher.brief(asked, reply, move |tree: &Tree| tree.readlink(decode::ino(ino)));
    }

    fn mknod(
        &self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, _rdev: u32,
        reply: ReplyEntry,
    ) {
        let (who, parent, name) = (decode::caller(request), decode::ino(parent), name.to_owned());
        self.dispatcher.small((Operation::Mknod, who), reply, move |tree: &Tree| {
            if !decode::is_regular(mode) {
                return tree.mknod_special(who, parent, &name);
            }
            tree.mknod(who, parent, &name, decode::permissions(mode, umask))
        });
    }

    fn mkdir(
        &self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32,
        reply: ReplyEntry,
    ) {
        let (who, name) = (decode::caller(request), name.to_owned());
        let mode = decode::permissions(mode, umask);
        self.dispatcher.small((Operation::Mkdir, who), reply, move |tree: &Tree| {
            tree.mkdir(who, decode::ino(parent), &name, mode)
        });
    }

    fn unlink(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let (who, name) = (decode::caller(request), name.to_owned());
        self.dispatcher.small((Operation::Unlink, who), reply, move |tree: &Tree| {
            tree.unlink(who, decode::ino(parent), &name)
        });
    }

    fn rmdir(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let (who, name) = (decode::caller(request), name.to_owned());
        self.dispatcher.small((Operation::Rmdir, who), reply, move |tree: &Tree| {
            tree.rmdir(who, decode::ino(parent), &name)
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
        self.dispatcher.sized((Operation::Rename, who), reply, work, rename, queue_full);
    }

    fn link(
        &self, request: &Request, ino: INodeNo, newparent: INodeNo, newname: &OsStr,
        reply: ReplyEntry,
    ) {
        let (who, name) = (decode::caller(request), newname.to_owned());
        let link = move |tree: &Tree| {
            tree.link(who, decode::ino(ino), decode::ino(newparent), &name)
        };
        self.dispatcher.pooled(Queue::Publish, (Operation::Link, who), reply, link);
    }

    fn open(&self, request: &Request, ino: INodeNo, flags: OpenFlags, reply: ReplyOpen) {
        if let Some(reader) = &self.reader {
            reader.count_open();
            let flags = FopenFlags::FOPEN_KEEP_CACHE;
            return open_without_handle(self.agreed.spares_open(), flags, reply);
        }
        let (who, flags) = (decode::caller(request), decode::open_flags(flags.0));
        self.open_file(who, ino, flags, reply);
        self.dispatcher.busy_poll.wait();
    }

    fn create(
        &self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, flags: i32,
        reply: ReplyCreate,
    ) {
        let (who, mode) = (decode::caller(request), decode::permissions(mode, umask));
        let (flags, spare_flush) = (decode::open_flags(flags), self.agreed.spare_flush);
        let waits = self.dispatcher.tree.create_waits(decode::named(parent, name));
        let (asked, name) = ((Operation::Create, who), name.to_owned());
        let create = move |tree: &Tree| {
            let (entry, opened) = tree.create(who, decode::ino(parent), &name, mode, flags)?;
            Ok((entry, handle(&opened, spare_flush)))
        };
        if waits {
            self.dispatcher.small(asked, reply, create);
        } else {
            self.dispatcher.brief(asked, reply, create);
        }
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
        let (operation, who, fh) = (Operation::Write, decode::caller(request), decode::fh(fh));
        let write = |tree: &Tree| tree.write(who, fh, offset, data);
        if let Some(written) = Timed::start(operation).run_in_session(&self.dispatcher.tree, write) {
            return reply.answer(written);
        }
        // Only here the bytes are copied.
        let (asked, data) = ((operation, who), data.to_vec());
        let write = move |tree: &Tree| tree.write(who, fh, offset, &data);
        self.dispatcher.pooled(Queue::Long, asked, reply, write);
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
        self.dispatcher.sized((Operation::Flush, who), reply, size, flush, queue_full);
    }

    fn release(
        &self, request: &Request, ino: INodeNo, fh: FileHandle, _flags: OpenFlags,
        _lock_owner: Option<LockOwner>, _flush: bool, reply: ReplyEmpty,
    ) {
        self.backings.close(ino.0);
        let fh = decode::fh(fh);
        let size = |tree: &Tree| tree.flush_work(fh);
        let release = move |tree: &Tree| {
            tree.release(fh);
            Ok(())
        };
        let asked = (Operation::Release, decode::caller(request));
        self.dispatcher.sized(asked, reply, size, release, move |tree: &Tree| {
            tree.release_unfetched(fh);
            Ok(())
        });
    }

    fn fsync(
        &self, request: &Request, _ino: INodeNo, fh: FileHandle, _datasync: bool, reply: ReplyEmpty,
    ) {
        if self.reader.is_some() {
            return reply.error(Errno::ENOSYS);
        }
        let fh = decode::fh(fh);
        let size = |tree: &Tree| tree.sync_work(fh);
        let sync = move |tree: &Tree| tree.fsync(fh);
        let asked = (Operation::Fsync, decode::caller(request));
        self.dispatcher.sized(asked, reply, size, sync, queue_full);
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
        &self, request: &Request, ino: INodeNo, _fh: FileHandle, offset: u64, reply: ReplyDirectory,
    ) {
        let (who, ino) = (decode::caller(request), decode::ino(ino));
        transfer::list(&self.dispatcher, Asked { who, ino, after: offset }, reply);
    }

    fn readdirplus(
        &self, request: &Request, ino: INodeNo, _fh: FileHandle, offset: u64,
        reply: ReplyDirectoryPlus,
    ) {
        let (who, ino) = (decode::caller(request), decode::ino(ino));
        let (tree, reader) = (Arc::clone(&self.dispatcher.tree), self.reader.clone());
        let plus = Plus { reply, tree, directory: ino, reader };
        transfer::list_plus(&self.dispatcher, Asked { who, ino, after: offset }, plus);
    }

    fn releasedir(
        &self, _request: &Request, _ino: INodeNo, _fh: FileHandle, _flags: OpenFlags,
        reply: ReplyEmpty,
    ) {
        Timed::start(Operation::Releasedir).count(&self.dispatcher.tree);
        reply.ok();
    }

    fn fsyncdir(
        &self, _request: &Request, _ino: INodeNo, _fh: FileHandle, _datasync: bool,
        reply: ReplyEmpty,
    ) {
        // Every change of a directory is durable when it is answered.
        reply.ok();
    }

    fn statfs(&self, request: &Request, _ino: INodeNo, reply: ReplyStatfs) {
        // It waits for the disks of all stores.
        let asked = (Operation::Statfs, decode::caller(request));
        self.dispatcher.pooled(Queue::Long, asked, reply, Tree::statfs);
    }

    fn setxattr(
        &self, request: &Request, ino: INodeNo, name: &OsStr, value: &[u8], flags: i32,
        _position: u32, reply: ReplyEmpty,
    ) {
        let (who, mode) = (decode::caller(request), decode::attribute_mode(flags));
        let (name, value) = (name.to_owned(), value.to_owned());
        self.dispatcher.small((Operation::Setxattr, who), reply, move |tree: &Tree| {
            tree.setxattr(who, decode::ino(ino), &name, &value, mode)
        });
    }

    fn getxattr(
        &self, request: &Request, ino: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr,
    ) {
        let (who, name) = (decode::caller(request), name.to_owned());
        let find = move |tree: &Tree| tree.getxattr(who, decode::ino(ino), &name);
        self.dispatcher.brief((Operation::Getxattr, who), SizedXattr { reply, size }, find);
    }

    fn listxattr(&self, request: &Request, ino: INodeNo, size: u32, reply: ReplyXattr) {
        let who = decode::caller(request);
        let list = move |tree: &Tree| tree.listxattr(who, decode::ino(ino));
        self.dispatcher.brief((Operation::Listxattr, who), SizedXattr { reply, size }, list);
    }

    fn removexattr(&self, request: &Request, ino: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let (who, name) = (decode::caller(request), name.to_owned());
        self.dispatcher.small((Operation::Removexattr, who), reply, move |tree: &Tree| {
            tree.removexattr(who, decode::ino(ino), &name)
        });
    }

    fn fallocate(
        &self, request: &Request, _ino: INodeNo, fh: FileHandle, offset: u64, length: u64,
        mode: i32, reply: ReplyEmpty,
    ) {
        let asked = (Operation::Fallocate, decode::caller(request));
        self.dispatcher.brief(asked, reply, move |tree: &Tree| {
            tree.fallocate(decode::fh(fh), offset, length, mode)
        });
    }

    fn lseek(
        &self, request: &Request, _ino: INodeNo, fh: FileHandle, offset: i64, whence: i32,
        reply: ReplyLseek,
    ) {
        if self.reader.is_some() {
            return reply.error(Errno::ENOSYS);
        }
        let asked = (Operation::Lseek, decode::caller(request));
        self.dispatcher.brief(asked, reply, move |tree: &Tree| {
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
        self.dispatcher.pooled(Queue::Long, (Operation::CopyFileRange, who), reply, move |tree| {
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
