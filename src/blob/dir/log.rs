//! The write-ahead log of a store: a put of a small blob waits for one write and one sync, which all puts at the time share.
//!
//! The log has two segments. Records are appended to the active one until it is full or old. Then the checkpointer makes its
//! blobs durable at their paths, and it is used again, in a new epoch, when the other one is full.

use std::fs::File;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};
use rustix::io::Errno;

use super::disk::Reach;
use super::folders::Folders;
use super::record::{Epoch, Record};
use super::scan::{Logged, Scan};
use super::segment::{self, Segment};
use crate::fd;
use words::attachment::BlobKey;

/// How much is in the log alone at most, and for how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Bytes of a segment.
    pub capacity: u64,
    /// How long after its first record a segment waits for its checkpoint.
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
    /// Guards the segments and the records that wait. Not held while the disk is waited for, except to make a segment.
    state: Mutex<State>,
    /// Notified when records were written, or could not be.
    written: Condvar,
    /// Notified when the checkpointer has something to do or to wait for, and when the store is closed.
    work: Condvar,
}

#[derive(Default)]
struct State {
    /// The segment that records are appended to.
    active: Option<Segment>,
    /// The segment whose blobs the checkpointer makes durable.
    full: Option<Segment>,
    /// Segments that can be used again.
    spare: Vec<Segment>,
    epoch: Epoch,
    /// Records that wait while others are written. Then one of their threads writes them all.
    waiting: Vec<Record>,
    /// The outcome for the waiting records, once they were written.
    outcome: Arc<OnceLock<Outcome>>,
    /// Bytes of the records that wait or are being written.
    reserved: u64,
    is_writing: bool,
    is_closed: bool,
}

/// The outcome for records that were written together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Durable,
    /// Their blobs are to be synced at their paths instead.
    Unwritten,
    Failed,
}

type Guard<'l> = MutexGuard<'l, State>;

impl State {
    /// Whether each blob of the log is durable at its path.
    fn is_empty(&self) -> bool {
        self.full.is_none() && self.active.as_ref().is_none_or(|active| active.keys.is_empty())
    }
}

impl Log {
    pub fn new(folders: Arc<Folders>, bounds: Bounds) -> io::Result<Self> {
        let state = State { epoch: Epoch::from_le_bytes(fd::random()?), ..State::default() };
        let (written, work) = (Condvar::new(), Condvar::new());
        Ok(Self { folders, bounds, state: Mutex::new(state), written, work })
    }

    /// Makes a blob durable whose names exist. Returns false if the log has no room for it.
    pub fn append(&self, mut record: Record) -> io::Result<bool> {
        let mut state = self.state.lock();
        let Some(epoch) = self.make_room(&mut state, record.size()) else { return Ok(false) };
        record.set_epoch(epoch);
        state.reserved += record.size();
        state.waiting.push(record);
        let outcome = Arc::clone(&state.outcome);
        loop {
            match outcome.get() {
                Some(Outcome::Durable) => return Ok(true),
                Some(Outcome::Unwritten) => return Ok(false),
                Some(Outcome::Failed) => return Err(io::Error::other("the log cannot be synced")),
                None if state.is_writing => self.written.wait(&mut state),
                None => self.write(&mut state),
            }
        }
    }

    /// The epoch for a record of this size. None if there is no room for it now.
    fn make_room(&self, state: &mut Guard, size: u64) -> Option<Epoch> {
        loop {
            match &state.active {
                Some(active) if active.end + state.reserved + size <= self.bounds.capacity => {
                    return Some(active.epoch);
                }
                Some(_) if state.full.is_some() => return None,
                Some(_) => self.rotate(state),
                None => match self.next_segment(state) {
                    Ok(segment) => state.active = Some(segment),
                    Err(error) => {
                        tracing::warn!(%error, "the log of a store cannot be begun");
                        return None;
                    }
                },
            }
        }
    }

    fn next_segment(&self, state: &mut State) -> io::Result<Segment> {
        state.epoch = state.epoch.wrapping_add(1);
        if let Some(spare) = state.spare.pop() {
            return Ok(Segment { epoch: state.epoch, ..spare });
        }
        let segment = Segment::create(&self.folders.pending(), state.epoch)?;
        self.folders.sync_path(&self.folders.pending())?;
        Ok(segment)
    }

    /// Writes all waiting records.
    fn write(&self, state: &mut Guard) {
        let records = std::mem::take(&mut state.waiting);
        let outcome = std::mem::take(&mut state.outcome);
        let target = state.active.as_ref().map(|active| (Arc::clone(&active.file), active.end));
        state.is_writing = true;
        let written = MutexGuard::unlocked(state, || {
            target.map(|(file, end)| self.write_at(&file, end, &records))
        });
        state.is_writing = false;
        state.reserved -= segment::size(&records);
        if let (Some(Outcome::Durable), Some(active)) = (written, &mut state.active) {
            if active.keys.is_empty() {
                self.work.notify_one();
            }
            active.note(&records);
        }
        // Only this thread sets the outcome of these records.
        let _ = outcome.set(written.unwrap_or(Outcome::Unwritten));
        self.written.notify_all();
    }

    fn write_at(&self, file: &File, end: u64, records: &[Record]) -> Outcome {
        if let Err(error) = segment::write_records(file, end, records) {
            if Errno::from_io_error(&error) == Some(Errno::IO) {
                self.folders.disk.raise_fence(&error);
                return Outcome::Failed;
            }
            tracing::warn!(%error, "blobs do not go through the log");
            return Outcome::Unwritten;
        }
        // After a failed sync the kernel has forgotten the error, and the next sync of the same file would succeed.
        let is_synced = !self.folders.disk.fence.is_raised()
            && self.folders.disk.sync(Reach::Bytes, file).is_ok();
        if is_synced { Outcome::Durable } else { Outcome::Failed }
    }

    /// Hands the active segment to the checkpointer, unless that has one.
    fn rotate(&self, state: &mut Guard) {
        while state.is_writing || !state.waiting.is_empty() {
            self.written.wait(state);
        }
        if state.full.is_none() {
            state.full = state.active.take();
            self.work.notify_one();
        }
    }

    /// Waits for a segment to checkpoint. Returns its blobs; none if there will be no more.
    pub fn next_batch(&self) -> Option<Vec<BlobKey>> {
        let mut state = self.state.lock();
        loop {
            if self.folders.disk.fence.is_raised() {
                return None;
            }
            if let Some(full) = &state.full {
                return Some(full.keys.clone());
            }
            let used = state.active.as_ref().filter(|active| !active.keys.is_empty());
            let left = used.map(|active| self.bounds.span.saturating_sub(active.since.elapsed()));
            match left {
                None if state.is_closed => return None,
                Some(left) if state.is_closed || left.is_zero() => self.rotate(&mut state),
                Some(left) => {
                    self.work.wait_for(&mut state, left);
                }
                None => self.work.wait(&mut state),
            }
        }
    }

    /// The record of a blob that may not be durable at its path yet.
    pub fn find(&self, key: BlobKey) -> io::Result<Option<Logged>> {
        let state = self.state.lock();
        let mut segments = state.active.iter().chain(&state.full);
        let path = segments.find(|it| it.keys.contains(&key)).map(|it| it.path.clone());
        drop(state);
        let Some(path) = path else { return Ok(None) };
        let logged = Scan::of(&path)?.records.into_iter().find(|it| it.header.key == key);
        let damaged = || io::Error::other("its record in the store's log is not whole");
        logged.ok_or_else(damaged).map(Some)
    }

    /// Clears the full segment, whose blobs are durable at their paths now.
    pub fn checkpointed(&self) {
        let mut state = self.state.lock();
        if let Some(full) = state.full.take() {
            state.spare.push(full.cleared());
        }
    }

    /// Ends the log: nothing more is appended, and the active segment is checkpointed now.
    pub fn close(&self) {
        self.state.lock().is_closed = true;
        self.work.notify_one();
    }

    pub fn is_closed(&self) -> bool {
        self.state.lock().is_closed
    }

    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.state.lock().is_empty()
    }

    #[cfg(test)]
    pub fn is_checkpointing(&self) -> bool {
        self.state.lock().full.is_some()
    }

    /// Removes the segments, if each of their blobs is durable at its path.
    pub fn remove(&self) {
        let mut state = self.state.lock();
        if !state.is_empty() {
            return;
        }
        let active = state.active.take();
        for segment in active.into_iter().chain(std::mem::take(&mut state.spare)) {
            if let Err(error) = std::fs::remove_file(&segment.path) {
                tracing::warn!(%error, "an empty segment of a store's log stays; the next start removes it");
            }
        }
    }
}
