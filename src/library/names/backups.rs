//! Backups: an attachment that an editor renames aside becomes scratch with bytes of its own (CONTRACT 2.8).
//!
//! A backup is made under a temporary name and renamed when it is whole: an incomplete one displaces no file. The attachment keeps
//! its name until the caller unlinks it.

use std::fs::{File, FileTimes};
use std::io::{self, Write};
use std::sync::Arc;

use crate::fd;
use crate::fence::Fence;
use crate::library::blob_files::Blobs;
use crate::library::error::{Error, Result};
use crate::library::limit::enforcement::Quotas;
use crate::library::lookup::Lookup;
use crate::library::names::attributes::Attributes;
use crate::library::refuse::Refusals;
use crate::library::scratch::{Scratch, unique_name, xattr};
use words::access::FILE_MODE;
use words::attachment::{Access, ScratchId, Times};
use words::author::Author;
use words::link::{Collision, Link};
use words::place::Folder;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

pub struct Backups {
    pub(in crate::library) fence: Fence,
    pub(in crate::library) lookup: Arc<Lookup>,
    pub(in crate::library) quotas: Arc<Quotas>,
    pub(in crate::library) scratch: Arc<Scratch>,
    pub(in crate::library) refusals: Arc<Refusals>,
    pub(in crate::library) blobs: Arc<Blobs>,
    pub(in crate::library) attributes: Arc<Attributes>,
}

/// The destination of a backup, and its owner.
#[derive(Debug, Clone, Copy)]
pub struct Destination<'d> {
    pub folder: &'d Folder,
    pub name: &'d Name,
    pub uid: u32,
    pub gid: u32,
    pub collision: Collision,
}

impl Backups {
    /// Copies the bytes of an attachment to scratch, with its mode, times and attributes.
    pub fn make(&self, link: &Link, to: Destination<'_>) -> Result<ScratchId> {
        let attachment = &link.attachment;
        let blob = self.blobs.open(attachment)?;
        let length = attachment.content.length;
        let attributes = self.attributes.portable(attachment)?;
        self.write(to, attachment.access.mode, length, |file| {
            fd::copy(&blob, file, length)?;
            xattr::set_all(file, &attributes);
            let Times { accessed, modified, .. } = attachment.times;
            let times = FileTimes::new().set_accessed(accessed.into());
            file.set_times(times.set_modified(modified.into()))?;
            // The attachment loses its name next, and then only this copy is left.
            self.fence.watch("a backup could not be synced", file.sync_all())
        })
    }

    pub fn make_of_text(&self, text: &str, to: Destination<'_>) -> Result<ScratchId> {
        let write = |mut file: &File| file.write_all(text.as_bytes());
        self.write(to, FILE_MODE, text.len() as u64, write)
    }

    fn write(
        &self,
        to: Destination<'_>,
        mode: u32,
        length: u64,
        copy: impl Fn(&File) -> io::Result<()>,
    ) -> Result<ScratchId> {
        let access = Access { uid: to.uid, gid: to.gid, mode };
        let (record, file) = self.scratch.make(to.folder, &temporary_name(), access)?;
        let written = self.make_room(&record, to.name, length).and_then(|()| {
            copy(&file).map_err(Error::io("copy the bytes"))?;
            self.scratch.rename(record.id, to.folder, to.name, to.collision)
        });
        match written {
            Ok(()) => Ok(record.id),
            Err(error) => {
                self.scratch.remove(record.id)?;
                Err(error)
            }
        }
    }

    /// Charges a backup before it is written. A refusal has its final name.
    fn make_room(&self, record: &ScratchRecord, name: &Name, length: u64) -> Result<()> {
        let charge = self.scratch.charge(record)?;
        let Err(excess) = charge.grow(length, self.quotas.limits()) else { return Ok(()) };
        let author = Author { uid: record.access.uid, pid: 0 };
        let folder = self.lookup.folder_path(&record.folder)?;
        let violation = self.quotas.violation(&excess);
        Err(self.refusals.refuse_named(&folder, name.as_str(), author, violation).into())
    }
}

/// A temporary name that no program looks up.
pub fn temporary_name() -> Name {
    let name = format!(".{}.tmp", unique_name(Timestamp::now()));
    Name::parse(&name).expect("hexadecimal digits make a name")
}
