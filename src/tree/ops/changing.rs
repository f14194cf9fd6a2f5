//! The operations that change something, as the kernel asks for them. A refusal that no rule of a field explains is explained here,
//! once for all of them (`reasons.rs`). Success passes through.

use std::ffi::OsStr;

use crate::tree::error::{Error, Result};
use crate::tree::node::Ino;
use crate::tree::open::handles::{Fh, Opened};
use crate::tree::ops::Tree;
use crate::tree::ops::reasons::{Act, Asked, At};
use crate::tree::request::{AttributeMode, Caller, NameIn, OpenFlags, RenameMode, SetAttr};
use crate::tree::show::attr::Entry;
use crate::tree::view::url_links::Linked;

impl Tree {
    pub fn open(&self, who: Caller, ino: Ino, flags: OpenFlags) -> Result<Opened> {
        self.open_file(who, ino, flags).inspect_err(|error| {
            if flags.changes() {
                self.explain(Asked { who, act: Act::Change, at: At::Node(ino) }, error);
            }
        })
    }

    pub fn create(
        &self,
        who: Caller,
        parent: Ino,
        name: &OsStr,
        mode: u32,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        let asked = Asked { who, act: Act::File, at: At::Name(parent, name) };
        self.explained(asked, self.create_file(who, parent, name, mode, flags))
    }

    /// `mknod` of a regular file: `create` and `close`.
    pub fn mknod(&self, who: Caller, parent: Ino, name: &OsStr, mode: u32) -> Result<Entry> {
        let flags = OpenFlags { exclusive: true, ..OpenFlags::default() };
        let (entry, opened) = self.create(who, parent, name, mode, flags)?;
        self.release(opened.fh);
        Ok(entry)
    }

    /// `mknod` of a device, a socket or a fifo.
    pub fn mknod_special(&self, who: Caller, parent: Ino, name: &OsStr) -> Result<Entry> {
        let asked = Asked { who, act: Act::Special, at: At::Name(parent, name) };
        self.explained(asked, Err(Error::NotPermitted))
    }

    pub fn mkdir(&self, who: Caller, parent: Ino, name: &OsStr, mode: u32) -> Result<Entry> {
        let asked = Asked { who, act: Act::Directory, at: At::Name(parent, name) };
        self.explained(asked, self.make_directory(who, parent, name, mode))
    }

    pub fn symlink(&self, who: Caller, parent: Ino, name: &OsStr, target: &[u8]) -> Result<Linked> {
        let asked = Asked { who, act: Act::Symlink, at: At::Name(parent, name) };
        self.explained(asked, self.make_symlink(who, parent, name, target))
    }

    pub fn link(&self, who: Caller, ino: Ino, new_parent: Ino, new_name: &OsStr) -> Result<Entry> {
        let asked = Asked { who, act: Act::Link, at: At::Name(new_parent, new_name) };
        self.explained(asked, self.link_file(who, ino, new_parent, new_name))
    }

    pub fn rename(
        &self,
        who: Caller,
        from: NameIn<'_>,
        to: NameIn<'_>,
        mode: RenameMode,
    ) -> Result<()> {
        let asked = Asked { who, act: Act::Rename, at: At::Name(to.parent, to.name) };
        self.explained(asked, self.rename_any(who, from, to, mode))
    }

    pub fn unlink(&self, who: Caller, parent: Ino, name: &OsStr) -> Result<()> {
        let asked = Asked { who, act: Act::Remove, at: At::Name(parent, name) };
        self.explained(asked, self.unlink_any(who, parent, name))
    }

    pub fn rmdir(&self, who: Caller, parent: Ino, name: &OsStr) -> Result<()> {
        let asked = Asked { who, act: Act::Remove, at: At::Name(parent, name) };
        self.explained(asked, self.remove_directory(who, parent, name))
    }

    pub fn setattr(&self, who: Caller, ino: Ino, fh: Option<Fh>, change: SetAttr) -> Result<Entry> {
        let asked = Asked { who, act: Act::Change, at: At::Node(ino) };
        self.explained(asked, self.set_attributes(who, ino, fh, change))
    }

    pub fn setxattr(
        &self,
        who: Caller,
        ino: Ino,
        name: &OsStr,
        value: &[u8],
        mode: AttributeMode,
    ) -> Result<()> {
        let asked = Asked { who, act: Act::Change, at: At::Node(ino) };
        self.explained(asked, self.set_attribute(who, ino, name, value, mode))
    }

    pub fn removexattr(&self, who: Caller, ino: Ino, name: &OsStr) -> Result<()> {
        let asked = Asked { who, act: Act::Change, at: At::Node(ino) };
        self.explained(asked, self.remove_attribute(who, ino, name))
    }

    pub fn write(&self, who: Caller, fh: Fh, offset: u64, data: &[u8]) -> Result<usize> {
        self.write_bytes(who, fh, offset, data)
            .inspect_err(|error| self.explain_by_handle(fh, error))
    }

    /// `fallocate`, with the mode bits of `linux/falloc.h`.
    pub fn fallocate(&self, fh: Fh, offset: u64, length: u64, mode: i32) -> Result<()> {
        let done = self.allocate(fh, offset, length, mode);
        done.inspect_err(|error| self.explain_by_handle(fh, error))
    }

    /// `fsync`: durable when it returns. Errors: a refusal that is known already.
    pub fn fsync(&self, fh: Fh) -> Result<()> {
        self.sync(fh).inspect_err(|error| self.explain_by_handle(fh, error))
    }

    /// `close`: a verdict if the handle is open for writing and the closer is the opener, or the opener has ended. A
    /// child's close of an inherited descriptor judges nothing.
    pub fn flush(&self, who: Caller, fh: Fh) -> Result<()> {
        self.judge_at_close(who, fh).inspect_err(|error| self.explain_by_handle(fh, error))
    }
}
