//! Staging: files whose bytes are not stored yet, on the library's own disk.
//!
//! A draft's file has a name that says where its bytes belong, so that a crash loses none of them.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{CWD, RenameFlags};

use crate::fd;
use crate::fence::Fence;
use crate::library::error::{Error, Result};
use words::attachment::{AttachmentId, RowId};
use words::place::Place;
use words::slot::{NAME_MAX, Name};

/// The folder of staged files.
#[derive(Debug)]
pub struct Staging {
    folder: PathBuf,
    fence: Fence,
    next: AtomicU64,
}

/// Where the bytes of a staged file belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub place: Place,
    pub uid: u32,
    /// The attachment that the writer unlinked before: it is put back if the bytes come to nothing (CONTRACT 2.11).
    pub replaced: Option<AttachmentId>,
}

/// A staged file with a name. Dropping it removes the name.
#[derive(Debug)]
pub struct Staged {
    pub file: Arc<File>,
    pub name: Frozen,
}

/// The name of a staged file that no descriptor can write to any more. Dropping it removes the name.
#[derive(Debug)]
pub struct Frozen {
    path: PathBuf,
}

/// A staged file that a crash left. It stays until it is removed.
#[derive(Debug)]
pub struct Leftover {
    /// None if the file's name is not one that mediafs writes.
    pub note: Option<Note>,
    pub path: PathBuf,
}

impl Staging {
    pub fn new(folder: PathBuf, fence: Fence) -> Self {
        Self { folder, fence, next: AtomicU64::new(1) }
    }

    /// A new empty file that survives a crash of the daemon, under a name that says where its bytes belong.
    pub fn named(&self, note: &Note) -> io::Result<Staged> {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let path = self.folder.join(file_name(number, note));
            let made =
                OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
            match made {
                Ok(file) => return Ok(Staged { file: Arc::new(file), name: Frozen { path } }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A new empty file without a name: gone with its last descriptor unless it is linked into the store.
    pub fn nameless(&self) -> io::Result<File> {
        fd::nameless(&self.folder, 0o600)
    }

    /// Copies the first `length` bytes of a file that can still be written to. Nobody can write to the copy.
    pub fn snapshot(&self, file: &File, length: u64) -> Result<File> {
        let copy = self.nameless().map_err(Error::io("stage the copy"))?;
        fd::copy(file, &copy, length).map_err(Error::io("copy what was sent"))?;
        fd::read_only(&copy).map_err(Error::io("reopen the copy"))
    }

    /// Makes a staged file durable, with its name.
    pub fn sync(&self, file: &File) -> Result<()> {
        sync(&self.fence, file)?;
        let folder = File::open(&self.folder).map_err(Error::io("open the staging folder"))?;
        sync(&self.fence, &folder)
    }

    /// The files that the last run of the daemon left. Only before any draft is opened.
    pub fn leftovers(&self) -> io::Result<Vec<Leftover>> {
        let leftover = |entry: io::Result<fs::DirEntry>| {
            let path = entry?.path();
            let note = path.file_name().and_then(|name| parse(name.to_str()?));
            Ok(Leftover { note, path })
        };
        fs::read_dir(&self.folder)?.map(leftover).collect()
    }
}

/// Makes a file of the library's directory durable. A failure raises the fence, unless the disk is full.
pub fn sync(fence: &Fence, file: &File) -> Result<()> {
    fence.check()?;
    let synced = fence.watch("a file could not be synced", file.sync_all());
    synced.map_err(Error::io("sync a file"))?;
    Ok(fence.check()?)
}

impl Leftover {
    /// Takes the replaced attachment out of the name: it was put back, and the next start must not put it back once more.
    pub fn forget_replaced(&mut self) -> io::Result<()> {
        let Some(note) = self.note.as_mut().filter(|note| note.replaced.is_some()) else {
            return Ok(());
        };
        let name = self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.split('.').next().and_then(|number| number.parse().ok());
        note.replaced = None;
        let path = self.path.with_file_name(file_name(number.unwrap_or_default(), note));
        rustix::fs::renameat_with(CWD, &self.path, CWD, &path, RenameFlags::NOREPLACE)?;
        self.path = path;
        Ok(())
    }

    pub fn remove(self) {
        drop(Frozen { path: self.path });
    }
}

impl Staged {
    /// Closes the descriptor that can write, before the bytes become a blob. The name stays until the returned value is dropped.
    pub fn freeze(self) -> Frozen {
        self.name
    }
}

impl Frozen {
    /// Leaves the name in the folder, for the next start.
    pub fn keep(self) {
        std::mem::forget(self);
    }

    /// Removes the name now; the bytes go with the last descriptor.
    pub fn unlink(&self) {
        // The name may be gone already, for instance because the file was moved to the quarantine.
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "a staged file stays behind");
        }
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.unlink();
    }
}

/// `<number>.<uid>.<row>.<replaced attachment or 0>.<field>[.<item>]`. Fields have no dots. A long item is cut short.
fn file_name(number: u64, note: &Note) -> String {
    let Note { place, uid, replaced } = note;
    let replaced = replaced.map_or(0, |id| id.0);
    let mut name = format!("{number}.{uid}.{}.{replaced}.{}", place.row.0, place.field);
    if let Some(item) = &place.item {
        let room = NAME_MAX.saturating_sub(name.len() + 1);
        let ends = item.as_str().char_indices().map(|(at, char)| at + char.len_utf8());
        let fits = &item.as_str()[..ends.take_while(|end| *end <= room).last().unwrap_or(0)];
        name = format!("{name}.{}", fits.trim_end_matches(['.', ' ']));
    }
    name
}

fn parse(name: &str) -> Option<Note> {
    let mut parts = name.splitn(6, '.');
    let _number: u64 = parts.next()?.parse().ok()?;
    let uid = parts.next()?.parse().ok()?;
    let row = RowId(parts.next()?.parse().ok()?);
    let replaced: u64 = parts.next()?.parse().ok()?;
    let field = Name::parse(parts.next()?).ok()?;
    let item = parts.next().map(Name::parse).transpose().ok()?;
    let replaced = (replaced != 0).then_some(AttachmentId(replaced));
    Some(Note { place: Place { row, field, item }, uid, replaced })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    fn in_folder(folder: &tempfile::TempDir) -> Staging {
        Staging::new(folder.path().to_owned(), Fence::default())
    }

    fn note() -> Note {
        let field = Name::parse("avatar").expect("a name");
        Note { place: Place::one(RowId(42), field), uid: 1000, replaced: Some(AttachmentId(7)) }
    }

    #[test]
    fn an_item_is_noted_and_one_with_a_long_name_is_cut_short() {
        let item = |text: &str| Some(Name::parse(text).expect("a name"));
        let of = |item| Note { place: Place { item, ..note().place }, ..note() };
        let short = of(item("IMG 1.front.jpg"));
        assert_eq!(parse(&file_name(1, &short)), Some(short));
        let long = file_name(1, &of(item(&"\u{e9}".repeat(127))));
        assert!(long.len() <= NAME_MAX, "{}", long.len());
        assert!(parse(&long).is_some_and(|note| note.place.item.is_some()));
    }

    #[test]
    fn a_staged_file_that_a_crash_leaves_says_whose_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let staging = in_folder(&folder);
        let staged = staging.named(&note()).expect("a file");
        staged.file.write_all_at(b"bytes", 0).expect("written");
        std::mem::forget(staged);
        let found = in_folder(&folder).leftovers().expect("a list");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].note, Some(note()));
    }

    #[test]
    fn a_staged_file_goes_with_its_value() {
        let folder = tempfile::tempdir().expect("a folder");
        let staging = in_folder(&folder);
        drop(staging.named(&note()).expect("a file"));
        assert_eq!(staging.leftovers().expect("a list").len(), 0);
    }

    #[test]
    fn a_read_only_descriptor_cannot_write() {
        let folder = tempfile::tempdir().expect("a folder");
        let staging = in_folder(&folder);
        let staged = staging.named(&note()).expect("a file");
        let reader = fd::read_only(&staged.file).expect("a reader");
        assert!(reader.write_at(b"x", 0).is_err());
    }
}
