//! Backups: what an editor renames aside becomes scratch with bytes of its own (CONTRACT 2.8).
//! Does not take the name away from what is backed up: whoever asked does, once the backup is there.
//!
//! A backup is made under a name of its own and takes the wanted one when it is whole: what had that before is lost to nothing
//! less.

use std::fs::{self, File};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::fd;
use crate::library::Library;
use crate::library::error::Error;
use crate::library::scratch::xattr;
use words::access::FILE_MODE;
use words::attachment::{Access, ScratchId, Times};
use words::author::Author;
use words::link::{Collision, Link};
use words::place::Folder;
use words::scratch::ScratchRecord;
use words::slot::Name;
use words::timestamp::Timestamp;

/// Makes the names of backups under way unique within one run; the time makes them unique over runs.
static NEXT: AtomicU64 = AtomicU64::new(0);

impl Library {
    /// The bytes of an attachment as scratch: copied, since scratch may be written to. Its mode and attributes come back with it.
    pub fn back_up(
        &self,
        link: &Link,
        (folder, name): (&Folder, &Name),
        (uid, gid): (u32, u32),
        collision: Collision,
    ) -> Result<ScratchId, Error> {
        let attachment = &link.attachment;
        let blob = self.open_bytes(attachment)?;
        let length = attachment.content.length;
        let access = Access { uid, gid, mode: attachment.access.mode };
        let attributes = self.portable_attributes(attachment)?;
        self.lay((folder, name), access, collision, length, |file| {
            fd::copy(&blob, file, length)?;
            xattr::set_all(file, &attributes);
            keep_times(file, attachment.times)?;
            // The attachment loses its name next, and the copy is then all there is.
            self.fence.watch("a backup could not be synced", file.sync_all())
        })
    }

    /// A text as scratch.
    pub fn back_up_text(
        &self,
        text: &str,
        place: (&Folder, &Name),
        (uid, gid): (u32, u32),
        collision: Collision,
    ) -> Result<ScratchId, Error> {
        let access = Access { uid, gid, mode: FILE_MODE };
        let write = |mut file: &File| file.write_all(text.as_bytes());
        self.lay(place, access, collision, text.len() as u64, write)
    }

    fn lay(
        &self,
        (folder, name): (&Folder, &Name),
        access: Access,
        collision: Collision,
        length: u64,
        copy: impl Fn(&File) -> io::Result<()>,
    ) -> Result<ScratchId, Error> {
        let (record, file) = self.scratch.make(folder, &under_way()?, access)?;
        let laid = self.make_room(&record, name, length).and_then(|()| {
            copy(&file).map_err(Error::io("copy the bytes"))?;
            self.scratch.rename(record.id, folder, name, collision)
        });
        match laid {
            Ok(()) => Ok(record.id),
            Err(error) => {
                self.scratch.remove(record.id)?;
                Err(error)
            }
        }
    }

    /// Makes room for what new scratch is to hold, which will be called so.
    fn make_room(&self, record: &ScratchRecord, name: &Name, length: u64) -> Result<(), Error> {
        let charge = self.scratch.charge(record)?;
        let Err(excess) = charge.grow(length, self.quotas.limits()) else { return Ok(()) };
        let author = Author { uid: record.access.uid, pid: 0 };
        let path = self.lookup.folder_path(&record.folder)?;
        let violation = self.quotas.violation(&excess);
        Err(self.refusals.refuse_named(&path, name.to_string(), author, violation).into())
    }
}

/// A temporary name, for as long as the backup is not whole.
fn under_way() -> Result<Name, Error> {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name = format!(".{:x}-{number:x}.tmp", Timestamp::now().0);
    Ok(Name::parse(&name).expect("hexadecimal digits make a name"))
}

fn keep_times(file: &File, times: Times) -> io::Result<()> {
    let wanted = fs::FileTimes::new()
        .set_accessed(times.accessed.into())
        .set_modified(times.modified.into());
    file.set_times(wanted)
}
