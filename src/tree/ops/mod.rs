//! The operations of the tree. STUB signatures on this branch; the lead replaces this file.
#![allow(clippy::all, clippy::pedantic, unused)]

use std::ffi::OsStr;
use std::sync::Arc;

use crate::blob::Space;
use crate::tree::attr::*;
use crate::tree::*;

pub struct Tree;

/// A variant that must be rendered before its lookup can be answered.
pub struct Rendering(());

pub enum Lookup {
    Found(Entry),
    /// Call [`Tree::render`] from the bounded render pool.
    Render(Rendering),
}

/// What a flush or release costs: answer `Small` in place, hand `Large` to the publish pool.
pub enum Work {
    Small,
    Large,
}

impl Tree {
    /// Once, before the first request.
    pub fn connect(&self, kernel: Box<dyn Kernel>) {
        todo!()
    }
    pub fn lookup(&self, who: Caller, parent: Ino, name: &OsStr) -> Result<Lookup> {
        todo!()
    }
    /// `Error::TooBusy` when the pool's queue is full is chosen by the adapter.
    pub fn render(&self, rendering: Rendering) -> Result<Entry> {
        todo!()
    }
    pub fn getattr(&self, who: Caller, ino: Ino, fh: Option<Fh>) -> Result<Shown> {
        todo!()
    }
    /// A change of size without fh commits: may be large, use the publish pool when change.size.is_some() && fh.is_none().
    pub fn setattr(&self, who: Caller, ino: Ino, fh: Option<Fh>, change: Change) -> Result<Shown> {
        todo!()
    }
    pub fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        todo!()
    }
    pub fn open(&self, who: Caller, ino: Ino, flags: OpenFlags) -> Result<Opened> {
        todo!()
    }
    /// `mode` is masked by umask already.
    pub fn create(
        &self,
        who: Caller,
        parent: Ino,
        name: &OsStr,
        mode: u32,
        flags: OpenFlags,
    ) -> Result<(Entry, Opened)> {
        todo!()
    }
    /// `mknod` of a regular file; the adapter answers NotPermitted for any other type.
    pub fn mknod(&self, who: Caller, parent: Ino, name: &OsStr, mode: u32) -> Result<Entry> {
        todo!()
    }
    pub fn read(&self, fh: Fh, offset: u64, buffer: &mut [u8]) -> Result<usize> {
        todo!()
    }
    pub fn write(&self, fh: Fh, offset: u64, data: &[u8]) -> Result<usize> {
        todo!()
    }
    pub fn flush_work(&self, fh: Fh) -> Work {
        todo!()
    }
    pub fn flush(&self, who: Caller, fh: Fh) -> Result<()> {
        todo!()
    }
    pub fn fsync(&self, fh: Fh) -> Result<()> {
        todo!()
    }
    pub fn release_work(&self, fh: Fh) -> Work {
        todo!()
    }
    pub fn release(&self, fh: Fh) {
        todo!()
    }
    pub fn fallocate(&self, fh: Fh, offset: u64, length: u64, mode: i32) -> Result<()> {
        todo!()
    }
    /// SEEK_DATA / SEEK_HOLE only.
    pub fn lseek(&self, fh: Fh, offset: u64, whence: Seek) -> Result<u64> {
        todo!()
    }
    pub fn copy_range(
        &self,
        from: Fh,
        offset_from: u64,
        to: Fh,
        offset_to: u64,
        length: u64,
    ) -> Result<usize> {
        todo!()
    }
    pub fn opendir(&self, who: Caller, ino: Ino) -> Result<Fh> {
        todo!()
    }
    /// Entries from `offset`; the adapter stops when its buffer is full. An empty answer is the end. `.` and `..` are included.
    pub fn readdir(&self, fh: Fh, offset: u64) -> Result<Vec<Listed>> {
        todo!()
    }
    pub fn releasedir(&self, fh: Fh) {
        todo!()
    }
    pub fn mkdir(&self, who: Caller, parent: Ino, name: &OsStr, mode: u32) -> Result<Entry> {
        todo!()
    }
    pub fn rmdir(&self, who: Caller, parent: Ino, name: &OsStr) -> Result<()> {
        todo!()
    }
    pub fn unlink(&self, who: Caller, parent: Ino, name: &OsStr) -> Result<()> {
        todo!()
    }
    /// Symbolic links: `Error::NotPermitted` until URL attach exists.
    pub fn symlink(&self, who: Caller, parent: Ino, name: &OsStr, target: &[u8]) -> Result<Entry> {
        todo!()
    }
    /// May publish: always from the publish pool.
    pub fn rename(
        &self,
        who: Caller,
        parent: Ino,
        name: &OsStr,
        new_parent: Ino,
        new_name: &OsStr,
        mode: RenameMode,
    ) -> Result<()> {
        todo!()
    }
    /// May publish: always from the publish pool.
    pub fn link(&self, who: Caller, ino: Ino, new_parent: Ino, new_name: &OsStr) -> Result<Entry> {
        todo!()
    }
    pub fn getxattr(&self, who: Caller, ino: Ino, name: &OsStr) -> Result<Vec<u8>> {
        todo!()
    }
    pub fn listxattr(&self, who: Caller, ino: Ino) -> Result<Vec<u8>> {
        todo!()
    }
    pub fn setxattr(
        &self,
        who: Caller,
        ino: Ino,
        name: &OsStr,
        value: &[u8],
        mode: AttributeMode,
    ) -> Result<()> {
        todo!()
    }
    pub fn removexattr(&self, who: Caller, ino: Ino, name: &OsStr) -> Result<()> {
        todo!()
    }
    pub fn statfs(&self) -> Result<Space> {
        todo!()
    }
    /// Called about once a second by a thread of the daemon: expires placeholders, scratch, holds.
    pub fn tick(&self) {
        todo!()
    }
    /// Open drafts that were written to and not judged yet: shutdown waits for them up to 30 s.
    pub fn busy_drafts(&self) -> usize {
        todo!()
    }
    /// After the unmount: the drafts that are still open go to the quarantine.
    pub fn abandon_drafts(&self) {
        todo!()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seek {
    Data,
    Hole,
}
