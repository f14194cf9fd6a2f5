//! The log of a store: the bytes of small blobs one behind the other, so that a put waits for one write in one place,
//! together with all who put at the time.
//! Does not know where the blobs lie, nor how they are made durable there: the settler sees to that, and the log is begun anew.

use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use rustix::io::Errno;

use super::disk::Reach;
use super::folders::Folders;
use super::part::{self, Part};
use super::record::{Lap, Record};
use super::scan::{Held, Scan};
use crate::fd;
use words::attachment::BlobKey;

/// How much stays in the log alone, and how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes of a part. There are two: one is written while the blobs of the other are made durable where they lie.
    pub capacity: u64,
    pub span: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { capacity: 16 << 20, span: Duration::from_secs(1) }
    }
}

pub(super) struct Log {
    folders: Arc<Folders>,
    bounds: Bounds,
    /// Guards the parts, and who waits for what. Not held while the disk is waited for, but for a part that is begun.
    state: Mutex<State>,
    /// Told when records were written, or could not be.
    written: Condvar,
    /// Told when there is something to settle, or will be, or the store is closed.
    called: Condvar,
}

#[derive(Default)]
struct State {
    /// Where records are written.
    active: Option<Part>,
    /// What is to be settled.
    full: Option<Part>,
    /// What was.
    spare: Vec<Part>,
    lap: Lap,
    /// Records that wait while others are written; one of those who brought them writes them all then.
    waiting: Vec<Record>,
    fate: Arc<OnceLock<Fate>>,
    /// Bytes of the records that wait or are being written.
    promised: u64,
    is_writing: bool,
    is_closed: bool,
}

/// What became of records that were written together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Durable,
    /// They are to be kept in another way.
    Unwritten,
    Failed,
}

type Guard<'l> = MutexGuard<'l, State>;

impl State {
    fn is_settled(&self) -> bool {
        self.full.is_none() && self.active.as_ref().is_none_or(|active| active.keys.is_empty())
    }
}

impl Log {
    pub fn new(folders: Arc<Folders>, bounds: Bounds) -> io::Result<Self> {
        let lap = Lap::from_le_bytes(fd::random()?);
        let state = State { lap, ..State::default() };
        let (written, called) = (Condvar::new(), Condvar::new());
        Ok(Self { folders, bounds, state: Mutex::new(state), written, called })
    }

    /// Makes a blob durable that has its names already. False: it is not written here.
    pub fn take(&self, mut record: Record) -> io::Result<bool> {
        let Some((mut state, lap)) = self.make_room(record.size()) else { return Ok(false) };
        record.enter(lap);
        state.promised += record.size();
        state.waiting.push(record);
        let fate = Arc::clone(&state.fate);
        loop {
            match fate.get() {
                Some(Fate::Durable) => return Ok(true),
                Some(Fate::Unwritten) => return Ok(false),
                Some(Fate::Failed) => return Err(io::Error::other("the log cannot be synced")),
                None if state.is_writing => state = self.wait(state),
                None => state = self.write(state),
            }
        }
    }

    /// The lap that a record of this size is of; none if there is no room for it now.
    fn make_room(&self, size: u64) -> Option<(Guard<'_>, Lap)> {
        let mut state = self.state();
        loop {
            let end = state.promised + size;
            match &state.active {
                Some(active) if active.end + end <= self.bounds.capacity => {
                    let lap = active.lap;
                    return Some((state, lap));
                }
                Some(_) if state.full.is_some() => return None,
                Some(_) => state = self.retire(state),
                None => match self.begin(&mut state) {
                    Ok(part) => state.active = Some(part),
                    Err(error) => {
                        tracing::warn!(%error, "the log of a store cannot be begun");
                        return None;
                    }
                },
            }
        }
    }

    fn begin(&self, state: &mut State) -> io::Result<Part> {
        state.lap = state.lap.wrapping_add(1);
        if let Some(spare) = state.spare.pop() {
            return Ok(Part { lap: state.lap, ..spare });
        }
        let part = Part::create(&self.folders.pending(), state.lap)?;
        self.folders.sync_path(&self.folders.pending())?;
        Ok(part)
    }

    /// Writes all that waits, for everybody.
    fn write<'l>(&'l self, mut state: Guard<'l>) -> Guard<'l> {
        let records = std::mem::take(&mut state.waiting);
        let fate = std::mem::take(&mut state.fate);
        let place = state.active.as_ref().map(|active| (Arc::clone(&active.file), active.end));
        state.is_writing = true;
        drop(state);
        let written = place.map(|(file, end)| self.write_at(&file, end, &records));
        let mut state = self.state();
        state.is_writing = false;
        state.promised -= part::size(&records);
        if let (Some(Fate::Durable), Some(active)) = (written, &mut state.active) {
            if active.keys.is_empty() {
                self.called.notify_one();
            }
            active.took(&records);
        }
        // Nobody else has told.
        let _ = fate.set(written.unwrap_or(Fate::Unwritten));
        self.written.notify_all();
        state
    }

    fn write_at(&self, file: &File, end: u64, records: &[Record]) -> Fate {
        if let Err(error) = part::write_records(file, end, records) {
            if Errno::from_io_error(&error) == Some(Errno::IO) {
                self.folders.disk.raise_fence(&error);
                return Fate::Failed;
            }
            tracing::warn!(%error, "blobs do not go through the log");
            return Fate::Unwritten;
        }
        // After one that failed the next sync of the same file would be a lie.
        let is_synced =
            !self.folders.disk.is_fenced() && self.folders.disk.sync(Reach::Bytes, file).is_ok();
        if is_synced { Fate::Durable } else { Fate::Failed }
    }

    /// What is written becomes what is to be settled, if nothing else is to be settled.
    fn retire<'l>(&'l self, mut state: Guard<'l>) -> Guard<'l> {
        while state.is_writing || !state.waiting.is_empty() {
            state = self.wait(state);
        }
        if state.full.is_none() {
            state.full = state.active.take();
            self.called.notify_one();
        }
        state
    }

    /// The blobs that are to be made durable where they lie; waits for them. None: nothing more will come.
    pub fn next_batch(&self) -> Option<Vec<BlobKey>> {
        let mut state = self.state();
        loop {
            if self.folders.disk.is_fenced() {
                return None;
            }
            if let Some(full) = &state.full {
                return Some(full.keys.clone());
            }
            let begun = state.active.as_ref().filter(|active| !active.keys.is_empty());
            let left = begun.map(|active| self.bounds.span.saturating_sub(active.since.elapsed()));
            state = match left {
                None if state.is_closed => return None,
                Some(left) if state.is_closed || left.is_zero() => self.retire(state),
                Some(left) => {
                    let waited = self.called.wait_timeout(state, left);
                    waited.map_or_else(|error| error.into_inner().0, |(state, _)| state)
                }
                None => self.called.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// The record of a blob that is not durable where it lies yet.
    pub fn find(&self, key: BlobKey) -> io::Result<Option<Held>> {
        let state = self.state();
        let mut parts = state.active.iter().chain(&state.full);
        let path = parts.find(|part| part.keys.contains(&key)).map(|part| part.path.clone());
        drop(state);
        let Some(path) = path else { return Ok(None) };
        let held = Scan::of(&path)?.records.into_iter().find(|held| held.header.key == key);
        held.ok_or_else(|| io::Error::other("its record in the store's log is not whole")).map(Some)
    }

    /// They are: what has them is begun anew.
    pub fn settled(&self) {
        let mut state = self.state();
        if let Some(full) = state.full.take() {
            state.spare.push(full.emptied());
        }
    }

    /// The store is closed: nothing more is taken, and what was is settled now.
    pub fn close(&self) {
        self.state().is_closed = true;
        self.called.notify_one();
    }

    pub fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// Whether nothing is in it that is not durable where it lies.
    #[cfg(test)]
    pub fn is_settled(&self) -> bool {
        self.state().is_settled()
    }

    #[cfg(test)]
    pub fn is_settling(&self) -> bool {
        self.state().full.is_some()
    }

    /// Removes the files, where all of them is settled.
    pub fn remove(&self) {
        let mut state = self.state();
        if !state.is_settled() {
            return;
        }
        let active = state.active.take();
        for part in active.into_iter().chain(std::mem::take(&mut state.spare)) {
            if let Err(error) = std::fs::remove_file(&part.path) {
                tracing::warn!(%error, "a settled log stays; the next start removes it");
            }
        }
    }

    fn wait<'l>(&'l self, state: Guard<'l>) -> Guard<'l> {
        self.written.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> Guard<'_> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
