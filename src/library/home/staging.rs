//! Staging: files on their way into the store, on the store's own disk.
//! Does not know what the bytes are; a staged file's name says whose they are, so that none is lost by a crash.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{CWD, Mode, OFlags, RenameFlags};

use words::attachment::{AttachmentId, RowId};
use words::place::Place;
use words::slot::{NAME_MAX, Name};

/// Where staged files lie.
#[derive(Debug)]
pub struct Staging {
    folder: PathBuf,
    next: AtomicU64,
}

/// Whose bytes a staged file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    pub place: Place,
    pub uid: u32,
    /// The attachment that its writer unlinked before: it is put back if the bytes come to nothing (CONTRACT 2.11).
    pub replaced: Option<AttachmentId>,
}

/// A file with a name in the staging folder. Dropping it removes the name.
#[derive(Debug)]
pub struct Staged {
    file: File,
    name: Frozen,
}

/// The name of a staged file that nobody can write to any more. Dropping it removes the name.
#[derive(Debug)]
pub struct Frozen {
    path: PathBuf,
}

/// What a crash left behind. It stays until it is removed.
#[derive(Debug)]
pub struct Leftover {
    /// `None` if the name is not one that this program writes.
    pub note: Option<Note>,
    path: PathBuf,
}

impl Staging {
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, next: AtomicU64::new(1) }
    }

    /// A new empty file that survives a crash of the daemon under a name that says where its bytes belong.
    pub fn named(&self, note: &Note) -> io::Result<Staged> {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let path = self.folder.join(file_name(number, note));
            let made =
                OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path);
            match made {
                Ok(file) => return Ok(Staged { file, name: Frozen { path } }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A new empty file without a name: gone with its last descriptor unless it is linked into the store.
    pub fn nameless(&self) -> io::Result<File> {
        let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
        Ok(rustix::fs::open(&self.folder, flags, Mode::RUSR | Mode::WUSR)?.into())
    }

    /// The files that the last run of the daemon left. To be asked once, before any draft is opened.
    pub fn leftovers(&self) -> io::Result<Vec<Leftover>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let note = path.file_name().and_then(|name| parse(name.to_str()?));
            found.push(Leftover { note, path });
        }
        Ok(found)
    }
}

impl Leftover {
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What was to be put back was: after the next start its fate is its users' again.
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
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The same bytes through a descriptor that cannot write. Drop this value's own before the bytes become a blob.
    pub fn read_only(&self) -> io::Result<File> {
        read_only(&self.file)
    }

    /// Takes the name away now; the bytes go with the last descriptor.
    pub fn unlink(&self) {
        self.name.unlink();
    }

    /// Closes the descriptor that can write; the name stays until the value goes.
    pub fn freeze(self) -> Frozen {
        self.name
    }
}

impl Frozen {
    fn unlink(&self) {
        // The name may be gone already: moved to the quarantine, say.
        if let Err(error) = fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "a staged file stays behind");
        }
    }
}

impl Frozen {
    /// Leaves the name where it is.
    pub fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.unlink();
    }
}

/// Opens the file behind a descriptor again, for reading only.
pub fn read_only(file: &File) -> io::Result<File> {
    File::open(itself(file))
}

/// The path of an open file, whatever its name.
fn itself(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Gives back what is allocated beyond the end of a file that nobody writes to meanwhile. Its times stay as they are.
pub fn trim(file: &File) -> io::Result<()> {
    let meta = file.metadata()?;
    let writer = OpenOptions::new().write(true).open(itself(file))?;
    writer.set_len(meta.len())?;
    writer.set_modified(meta.modified()?)
}

/// Copies `length` bytes from the start of one file to the start of another: by reflink where the disk can.
pub fn copy(from: &File, to: &File, length: u64) -> io::Result<()> {
    if rustix::fs::ioctl_ficlone(to, from).is_ok() {
        return to.set_len(length);
    }
    let (mut read_at, mut write_at) = (0, 0);
    while read_at < length {
        let chunk = usize::try_from(length - read_at).unwrap_or(usize::MAX).min(1 << 30);
        let copied = rustix::fs::copy_file_range(
            from.as_fd(),
            Some(&mut read_at),
            to.as_fd(),
            Some(&mut write_at),
            chunk,
        );
        match copied {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            // Another filesystem, or one that cannot: by hand from where it stopped.
            Err(
                rustix::io::Errno::XDEV | rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::INVAL,
            ) => {
                return copy_by_hand(from, to, read_at, length);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn copy_by_hand(from: &File, to: &File, start: u64, length: u64) -> io::Result<()> {
    let mut buffer = vec![0; 256 << 10];
    let mut at = start;
    while at < length {
        let count = from.read_at(&mut buffer, at)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        to.write_all_at(&buffer[..count], at)?;
        at += count as u64;
    }
    Ok(())
}

/// `<number>.<uid>.<row>.<replaced attachment or 0>.<field>[.<item>]`: no field has a dot in its name. An item that does not
/// fit into a file's name is cut short.
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
    let item = match parts.next() {
        Some(item) => Some(Name::parse(item).ok()?),
        None => None,
    };
    let replaced = (replaced != 0).then_some(AttachmentId(replaced));
    Some(Note { place: Place { row, field, item }, uid, replaced })
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let staging = Staging::new(folder.path().to_owned());
        let staged = staging.named(&note()).expect("a file");
        staged.file().write_all_at(b"bytes", 0).expect("written");
        std::mem::forget(staged);
        let found = Staging::new(folder.path().to_owned()).leftovers().expect("a list");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].note, Some(note()));
    }

    #[test]
    fn a_staged_file_goes_with_its_value() {
        let folder = tempfile::tempdir().expect("a folder");
        let staging = Staging::new(folder.path().to_owned());
        drop(staging.named(&note()).expect("a file"));
        assert_eq!(staging.leftovers().expect("a list").len(), 0);
    }

    #[test]
    fn a_read_only_descriptor_cannot_write() {
        let folder = tempfile::tempdir().expect("a folder");
        let staging = Staging::new(folder.path().to_owned());
        let staged = staging.named(&note()).expect("a file");
        let reader = staged.read_only().expect("a reader");
        assert!(reader.write_at(b"x", 0).is_err());
    }

    #[test]
    fn copies_are_whole_whatever_the_filesystems() {
        let folder = tempfile::tempdir().expect("a folder");
        let staging = Staging::new(folder.path().to_owned());
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let from = staging.nameless().expect("a file");
        from.write_all_at(&bytes, 0).expect("written");
        let to = staging.nameless().expect("a file");
        copy(&from, &to, bytes.len() as u64).expect("copied");
        copy_by_hand(&from, &to, 500, bytes.len() as u64).expect("copied");
        let mut read = vec![0; bytes.len()];
        to.read_exact_at(&mut read, 0).expect("read");
        assert_eq!(read, bytes);
    }
}
