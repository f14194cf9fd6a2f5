//! The tree as a [`fuser::Filesystem`]: each request is decoded, handed to the tree, and its answer encoded. `forget` is not
//! implemented, because no table of the inodes that the kernel holds is kept.

pub(super) mod answer;
pub(super) mod decode;
pub(super) mod dispatch;
pub(super) mod negotiate;
mod open_reply;
pub(super) mod transfer;

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use fuser::{
    BsdFileFlags, CopyFileRangeFlags, Errno, FileHandle, Filesystem, FopenFlags, INodeNo,
    IoctlFlags, KernelConfig, LockOwner, OpenFlags, PollEvents, PollFlags, PollNotifier,
    RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyDirectoryPlus, ReplyEmpty,
    ReplyEntry, ReplyIoctl, ReplyLseek, ReplyOpen, ReplyPoll, ReplyStatfs, ReplyWrite, ReplyXattr,
    Request, TimeOrNow, WriteFlags,
};

use crate::fuse::adapter::answer::{Answer, SizedXattr, handle};
use crate::fuse::adapter::dispatch::{Dispatcher, Timed, queue_full};
use crate::fuse::adapter::negotiate::Agreed;
use crate::fuse::backing::Backings;
use crate::fuse::busy_poll::BusyPoll;
use crate::tree::Error;
use crate::tree::Tree;
use crate::tree::activity::Operation;
use crate::tree::request::SetAttr;
use crate::tree::view::rendering::Lookup;
use crate::tree::view::url_links::Linked;

/// Answers the kernel's requests from the tree.
pub struct Adapter {
    dispatcher: Dispatcher,
    backings: Arc<Backings>,
    agreed: Agreed,
}

impl Adapter {
    pub fn new(tree: Arc<Tree>, backings: Arc<Backings>, busy_poll: BusyPoll) -> io::Result<Self> {
        Ok(Self {
            dispatcher: Dispatcher::new(tree, busy_poll)?,
            backings,
            agreed: Agreed::nothing(),
        })
    }
}

impl Filesystem for Adapter {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        self.agreed = negotiate::capabilities(config, &[]);
        self.backings.offer(self.agreed.passthrough);
        Ok(())
    }

    fn lookup(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let who = decode::caller(request);
        let timed = Timed::start(Operation::Lookup);
        let find = |tree: &Tree| tree.lookup(who, decode::ino(parent), name);
        match timed.run(&self.dispatcher.tree, find) {
            Ok(Lookup::Found(entry)) => reply.accept(entry),
            Ok(Lookup::Render(rendering)) => {
                let render = move |tree: &Tree| tree.view.variants.render(&rendering);
                self.dispatcher.render(Operation::Render, reply, render);
            }
            Err(errno) => reply.refuse(errno),
        }
        self.dispatcher.busy_poll.wait();
    }

    fn getattr(&self, request: &Request, ino: INodeNo, fh: Option<FileHandle>, reply: ReplyAttr) {
        let who = decode::caller(request);
        self.dispatcher.inline(Operation::Getattr, reply, |tree| {
            tree.getattr(who, decode::ino(ino), fh.map(decode::fh))
        });
    }

    #[rustfmt::skip] // One parameter a line would double the file.
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

    #[rustfmt::skip] // One parameter a line would double the file.
    fn mknod(
        &self, request: &Request, parent: INodeNo, name: &OsStr, mode: u32, umask: u32, _rdev: u32,
        reply: ReplyEntry,
    ) {
        self.dispatcher.inline(Operation::Mknod, reply, |tree| {
            if !decode::is_regular(mode) {
                return Err(Error::NotPermitted);
            }
            let mode = decode::permissions(mode, umask);
            tree.mknod(decode::caller(request), decode::ino(parent), name, mode)
        });
    }

    #[rustfmt::skip] // One parameter a line would double the file.
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

    #[rustfmt::skip] // One parameter a line would double the file.
    fn symlink(
        &self, request: &Request, parent: INodeNo, link_name: &OsStr, target: &Path,
        reply: ReplyEntry,
    ) {
        let (who, target) = (decode::caller(request), target.as_os_str().as_bytes());
        let make = |tree: &Tree| tree.symlink(who, decode::ino(parent), link_name, target);
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

    #[rustfmt::skip] // One parameter a line would double the file.
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

    #[rustfmt::skip] // One parameter a line would double the file.
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
        let (who, flags) = (decode::caller(request), decode::open_flags(flags.0));
        let open = |tree: &Tree| tree.open(who, decode::ino(ino), flags);
        match Timed::start(Operation::Open).run(&self.dispatcher.tree, open) {
            Ok(opened) => {
                let on = (&self.dispatcher, &*self.backings);
                open_reply::answer(on, ino, &opened, self.agreed.spare_flush, reply);
            }
            Err(errno) => reply.refuse(errno),
        }
        self.dispatcher.busy_poll.wait();
    }

    #[rustfmt::skip] // One parameter a line would double the file.
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

    #[rustfmt::skip] // One parameter a line would double the file.
    fn read(
        &self, _request: &Request, _ino: INodeNo, fh: FileHandle, offset: u64, size: u32,
        _flags: OpenFlags, _lock_owner: Option<LockOwner>, reply: ReplyData,
    ) {
        transfer::read(&self.dispatcher, decode::fh(fh), offset, size, reply);
    }

    #[rustfmt::skip] // One parameter a line would double the file.
    fn write(
        &self, _request: &Request, _ino: INodeNo, fh: FileHandle, offset: u64, data: &[u8],
        _write_flags: WriteFlags, _flags: OpenFlags, _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        self.dispatcher.inline(Operation::Write, reply, |tree| tree.write(decode::fh(fh), offset, data));
    }

    #[rustfmt::skip] // One parameter a line would double the file.
    fn flush(
        &self, request: &Request, _ino: INodeNo, fh: FileHandle, _lock_owner: LockOwner,
        reply: ReplyEmpty,
    ) {
        let (who, fh) = (decode::caller(request), decode::fh(fh));
        let size = |tree: &Tree| tree.flush_work(fh);
        self.dispatcher.sized(Operation::Flush, reply, size, move |tree| tree.flush(who, fh), queue_full);
    }

    #[rustfmt::skip] // One parameter a line would double the file.
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

    #[rustfmt::skip] // One parameter a line would double the file.
    fn fsync(
        &self, _request: &Request, _ino: INodeNo, fh: FileHandle, _datasync: bool,
        reply: ReplyEmpty,
    ) {
        let fh = decode::fh(fh);
        let size = |tree: &Tree| tree.sync_work(fh);
        self.dispatcher.sized(Operation::Fsync, reply, size, move |tree| tree.fsync(fh), queue_full);
    }

    // After one ENOSYS the kernel opens directories by itself, and caches their listings until they are invalidated.
    fn opendir(&self, _request: &Request, _ino: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        Timed::start(Operation::Opendir).count(&self.dispatcher.tree);
        if self.agreed.spares_opendir() {
            reply.error(Errno::ENOSYS);
        } else {
            reply.opened(FileHandle(0), FopenFlags::empty());
        }
    }

    #[rustfmt::skip] // One parameter a line would double the file.
    fn readdir(
        &self, _request: &Request, ino: INodeNo, _fh: FileHandle, offset: u64,
        reply: ReplyDirectory,
    ) {
        transfer::list(&self.dispatcher, ino, offset, reply);
    }

    #[rustfmt::skip] // One parameter a line would double the file.
    fn readdirplus(
        &self, request: &Request, ino: INodeNo, _fh: FileHandle, offset: u64,
        reply: ReplyDirectoryPlus,
    ) {
        let asked = (decode::caller(request), ino);
        transfer::list_plus(&self.dispatcher, asked, offset, reply, |_, _| ());
    }

    #[rustfmt::skip] // One parameter a line would double the file.
    fn releasedir(
        &self, _request: &Request, _ino: INodeNo, _fh: FileHandle, _flags: OpenFlags,
        reply: ReplyEmpty,
    ) {
        self.dispatcher.inline(Operation::Releasedir, reply, |_| Ok(()));
    }

    #[rustfmt::skip] // One parameter a line would double the file.
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

    #[rustfmt::skip] // One parameter a line would double the file.
    fn setxattr(
        &self, request: &Request, ino: INodeNo, name: &OsStr, value: &[u8], flags: i32,
        _position: u32, reply: ReplyEmpty,
    ) {
        self.dispatcher.inline(Operation::Setxattr, reply, |tree| {
            let mode = decode::attribute_mode(flags);
            tree.setxattr(decode::caller(request), decode::ino(ino), name, value, mode)
        });
    }

    #[rustfmt::skip] // One parameter a line would double the file.
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

    #[rustfmt::skip] // One parameter a line would double the file.
    fn fallocate(
        &self, _request: &Request, _ino: INodeNo, fh: FileHandle, offset: u64, length: u64,
        mode: i32, reply: ReplyEmpty,
    ) {
        self.dispatcher
            .inline(Operation::Fallocate, reply, |tree| tree.fallocate(decode::fh(fh), offset, length, mode));
    }

    #[rustfmt::skip] // One parameter a line would double the file.
    fn lseek(
        &self, _request: &Request, _ino: INodeNo, fh: FileHandle, offset: i64, whence: i32,
        reply: ReplyLseek,
    ) {
        self.dispatcher.inline(Operation::Lseek, reply, |tree| {
            tree.lseek(decode::fh(fh), decode::seek(offset, whence)?)
        });
    }

    #[rustfmt::skip] // One parameter a line would double the file.
    fn copy_file_range(
        &self, _request: &Request, _ino_in: INodeNo, fh_in: FileHandle, offset_in: u64,
        _ino_out: INodeNo, fh_out: FileHandle, offset_out: u64, length: u64,
        _flags: CopyFileRangeFlags, reply: ReplyWrite,
    ) {
        let (from, to) = (decode::fh(fh_in), decode::fh(fh_out));
        self.dispatcher.publish(Operation::CopyFileRange, reply, move |tree| {
            tree.copy_range(from, offset_in, to, offset_out, length)
        });
    }

    // ENOSYS once, and for the kernel files are always ready.
    #[rustfmt::skip] // One parameter a line would double the file.
    fn poll(
        &self, _request: &Request, _ino: INodeNo, _fh: FileHandle, _handle: PollNotifier,
        _events: PollEvents, _flags: PollFlags, reply: ReplyPoll,
    ) {
        reply.error(Errno::ENOSYS);
    }

    #[rustfmt::skip] // One parameter a line would double the file.
    fn ioctl(
        &self, _request: &Request, _ino: INodeNo, _fh: FileHandle, _flags: IoctlFlags,
        _command: u32, _input: &[u8], _output_size: u32, reply: ReplyIoctl,
    ) {
        reply.error(Errno::ENOTTY);
    }
}
