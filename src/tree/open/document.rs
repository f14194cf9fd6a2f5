//! Documents: files that are composed when they are opened and parsed when they are closed, such as `row.json`. Their texts are
//! in memory, with a limit for all of them together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;

use crate::library::keep::promises::Promise;
use crate::library::lookup::target::Target;
use crate::tree::error::{Error, Result};
use crate::tree::open::processes::Owner;
use words::attachment::{Access, AttachmentId, RowId, TableId, Times};
use words::author::Author;
use words::refusal::Refusal;
use words::shortcut;

/// The longest document; a longer one is `TooLarge`. A row of 10,000 items has some 8 MiB.
pub const MAX_BYTES: usize = 32 << 20;

/// The most bytes of all open documents together. Beyond that an open or a write fails with `TooBusy`.
const MAX_TOGETHER: usize = 256 << 20;

/// The longest text that is judged in `write` already; a longer one is judged at the close alone.
const MAX_EARLY: usize = 64 << 10;

/// Counts the bytes of all open documents.
#[derive(Debug, Default)]
pub struct Documents(Arc<AtomicUsize>);

impl Documents {
    /// Opens a document. Errors: [`Error::TooBusy`] if all open ones together would be too long.
    pub fn open(&self, view: View, writes: bool, opener: Owner, text: Vec<u8>) -> Result<Document> {
        let mut room = Room { together: Arc::clone(&self.0), taken: 0 };
        room.resize(text.len())?;
        let text = Text { bytes: text, appended: 0, dirty: false, refusal: None, room };
        Ok(Document { view, writes, opener, text: Mutex::new(text) })
    }
}

/// The share of one document in the limit of all, given back when it is dropped.
#[derive(Debug)]
struct Room {
    together: Arc<AtomicUsize>,
    taken: usize,
}

impl Room {
    fn resize(&mut self, length: usize) -> Result<()> {
        let more = length.saturating_sub(self.taken);
        let before = self.together.fetch_add(more, Ordering::Relaxed);
        if more > 0 && before.saturating_add(more) > MAX_TOGETHER {
            self.together.fetch_sub(more, Ordering::Relaxed);
            return Err(Error::TooBusy);
        }
        self.together.fetch_sub(self.taken.saturating_sub(length), Ordering::Relaxed);
        self.taken = length;
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.together.fetch_sub(self.taken, Ordering::Relaxed);
    }
}

/// The file that a document is.
#[derive(Debug)]
pub enum View {
    /// `row.json`
    Row(TableId, RowId),
    /// `<field>.url`, to which a URL is written.
    Url(Box<Writing>),
    /// A note in the trash of a desktop, which nobody reads.
    TrashNote(u64),
}

impl View {
    fn max_bytes(&self) -> usize {
        match self {
            Self::Row(..) => MAX_BYTES,
            Self::Url(_) | Self::TrashNote(..) => shortcut::MAX_BYTES,
        }
    }
}

/// A `<field>.url` that is open for writing, without its text.
#[derive(Debug)]
pub struct Writing {
    pub number: u64,
    pub target: Target,
    pub author: Author,
    pub access: Access,
    /// The attachment that the field held when it was opened.
    pub over: Option<AttachmentId>,
    pub times: Times,
    /// Guards the attachment that the writer unlinked before, until it is put back or replaced (CONTRACT 2.11).
    pub replaced: Mutex<Option<Arc<Promise>>>,
}

#[derive(Debug)]
pub struct Document {
    pub view: View,
    writes: bool,
    pub opener: Owner,
    /// Guards the text; never held while it is parsed.
    text: Mutex<Text>,
}

#[derive(Debug)]
struct Text {
    bytes: Vec<u8>,
    /// How many bytes were written one after the other from the start.
    appended: usize,
    /// Whether it was written to since the last verdict.
    dirty: bool,
    /// The last verdict, if it was a refusal.
    refusal: Option<Refusal>,
    room: Room,
}

impl Text {
    fn resize(&mut self, length: usize) -> Result<()> {
        self.room.resize(length)?;
        let shrinks = length < self.bytes.len();
        self.bytes.resize(length, 0);
        if shrinks {
            // The limit counts lengths, so the capacity must follow.
            self.bytes.shrink_to_fit();
        }
        Ok(())
    }
}

impl Document {
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> usize {
        read_text(&self.text.lock().bytes, offset, buffer)
    }

    pub fn write_at(&self, offset: u64, data: &[u8]) -> Result<usize> {
        if !self.writes {
            return Err(Error::BadHandle);
        }
        let start = usize::try_from(offset).map_err(|_| Error::TooLarge)?;
        let end = start.saturating_add(data.len());
        if end > self.view.max_bytes() {
            return Err(Error::TooLarge);
        }
        let mut text = self.text.lock();
        if text.bytes.len() < end {
            text.resize(end)?;
        }
        text.bytes[start..end].copy_from_slice(data);
        if start == text.appended {
            text.appended = end;
        }
        text.dirty = true;
        Ok(data.len())
    }

    pub fn truncate(&self, length: u64) -> Result<()> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > self.view.max_bytes() {
            return Err(Error::TooLarge);
        }
        let mut text = self.text.lock();
        text.dirty = text.dirty || text.bytes.len() != length;
        text.appended = text.appended.min(length);
        text.resize(length)
    }

    pub fn size(&self) -> u64 {
        self.text.lock().bytes.len() as u64
    }

    /// Whether a close has a text to judge.
    pub fn is_dirty(&self) -> bool {
        let text = self.text.lock();
        text.dirty && !text.bytes.is_empty()
    }

    /// The text that is to be judged now. None if nothing was written since the last verdict, or the text is empty again, as of a
    /// shell that only opens the file. Errors: the last verdict if it was a refusal.
    pub fn take(&self) -> Result<Option<Vec<u8>>> {
        let mut text = self.text.lock();
        if !text.dirty || text.bytes.is_empty() {
            return text.refusal.clone().map_or(Ok(None), |refusal| Err(refusal.into()));
        }
        text.dirty = false;
        text.refusal = None;
        Ok(Some(text.bytes.clone()))
    }

    /// The text so far, if it was written from its start to its end and is short enough to be judged in `write`.
    pub fn appended(&self) -> Option<Vec<u8>> {
        let text = self.text.lock();
        let is_whole = text.appended == text.bytes.len() && text.appended <= MAX_EARLY;
        is_whole.then(|| text.bytes.clone())
    }

    /// Notes a refusal of the text so far: the close repeats it.
    pub fn refuse(&self, refusal: &Refusal) {
        let mut text = self.text.lock();
        (text.dirty, text.refusal) = (false, Some(refusal.clone()));
    }

    /// Notes the verdict on the text that was taken. After a failure that is no refusal the next close judges it again.
    pub fn judged(&self, verdict: &Result<()>) {
        let mut text = self.text.lock();
        match verdict {
            Ok(()) => {}
            Err(Error::Refused(refusal)) => text.refusal = Some(refusal.clone()),
            Err(_) => text.dirty = true,
        }
    }
}

/// Reads from a text in memory; fills the buffer unless the text ends.
pub fn read_text(text: &[u8], offset: u64, buffer: &mut [u8]) -> usize {
    let start = usize::try_from(offset).unwrap_or(usize::MAX);
    let rest = text.get(start..).unwrap_or_default();
    let count = rest.len().min(buffer.len());
    buffer[..count].copy_from_slice(&rest[..count]);
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::open::processes::Processes;

    fn document(writes: bool) -> Document {
        let opener = Processes::Simulated.owner(1);
        let view = View::Row(TableId(1), RowId(1));
        Documents::default().open(view, writes, opener, b"{}".to_vec()).expect("room")
    }

    #[test]
    fn documents_that_are_open_together_are_bounded() {
        let documents = Documents::default();
        let open = || {
            let opener = Processes::Simulated.owner(1);
            documents
                .open(View::Row(TableId(1), RowId(1)), true, opener, b"{}".to_vec())
                .expect("room")
        };
        let all: Vec<_> = (0..9).map(|_| open()).collect();
        let taken = all.iter().take_while(|it| it.truncate(MAX_BYTES as u64).is_ok()).count();
        assert_eq!(taken, 7, "the last is short of what the others' two bytes take");
        assert!(matches!(all[8].write_at(MAX_BYTES as u64 - 1, b"x"), Err(Error::TooBusy)));
        assert_eq!(all[8].size(), 2, "as it was");
        all[0].truncate(2).expect("smaller");
        all[8].truncate(MAX_BYTES as u64).expect("there is room again");
        drop(all);
        assert_eq!(documents.0.load(Ordering::Relaxed), 0, "given back with the documents");
    }

    #[test]
    fn what_was_not_written_to_is_not_understood() {
        let open = document(true);
        assert_eq!(open.take().expect("no refusal"), None);
        open.truncate(0).expect("truncated");
        assert_eq!(open.take().expect("no refusal"), None);
        open.write_at(1, b"x").expect("written");
        assert_eq!(open.take().expect("no refusal"), Some(b"\0x".to_vec()));
        assert_eq!(open.take().expect("no refusal"), None);
    }

    #[test]
    fn a_document_is_bounded_and_a_reader_cannot_write() {
        let open = document(true);
        assert!(matches!(open.write_at(MAX_BYTES as u64, b"x"), Err(Error::TooLarge)));
        assert!(matches!(open.truncate(u64::MAX), Err(Error::TooLarge)));
        assert!(matches!(document(false).write_at(0, b"x"), Err(Error::BadHandle)));
    }

    #[test]
    fn what_failed_is_understood_again() {
        let open = document(true);
        open.write_at(0, b"[]").expect("written");
        open.take().expect("no refusal");
        open.judged(&Err(Error::NoSpace));
        assert_eq!(open.take().expect("no refusal"), Some(b"[]".to_vec()));
    }
}
