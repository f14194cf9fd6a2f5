//! The catalogue in memory, for tests: the same semantics without a disk. It counts how often each method is called.
//!
//! It is written to be obviously right and not to be fast: most answers walk a map.

mod attachments;
mod blobs;
mod links;
mod quotas;
mod rows;
mod scratch;
mod slots;
mod summary;
mod trash;
mod variants;

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use parking_lot::{Mutex, MutexGuard};
use words::attachment::{
    Attachment, AttachmentId, BlobKey, Content, FieldId, RowId, ScratchId, StoreId, TableId,
    VariantId,
};
use words::place::Place;
use words::quota::Limits;
use words::retired::Orphan;
use words::row::RowRecord;
use words::scratch::ScratchRecord;
use words::slot::{Name, Slot};
use words::timestamp::Timestamp;
use words::variant::Variant;

/// A [`Catalog`](super::Catalog) that lives as long as the value.
#[derive(Default)]
pub struct Memory {
    /// Guards the state. Held for one method, which waits for nothing else.
    state: Mutex<State>,
    /// Guards the counts of calls. Held only to add one, or to take them.
    calls: Mutex<BTreeMap<&'static str, usize>>,
}

impl Memory {
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of calls of each method since this was called last. Methods that were not called are absent, and
    /// [`commits`](super::summary::Summary::commits), which asks for nothing, is not counted.
    pub fn take_calls(&self) -> BTreeMap<&'static str, usize> {
        std::mem::take(&mut *self.calls.lock())
    }

    /// The state, for a call of a method of this name.
    fn state(&self, method: &'static str) -> Guard<'_> {
        *self.calls.lock().entry(method).or_default() += 1;
        Guard(self.state.lock())
    }
}

struct Guard<'m>(MutexGuard<'m, State>);

impl Deref for Guard<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

/// Borrowing the state mutably counts as one commit, whether or not anything is changed.
impl DerefMut for Guard<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.0.commits += 1;
        &mut self.0
    }
}

/// Each method checks first and changes afterwards, so that a method that fails has changed nothing.
#[derive(Clone, Default)]
struct State {
    tables: BTreeMap<Name, TableId>,
    fields: BTreeMap<(TableId, Name), (FieldId, Orphan)>,
    stores: BTreeMap<Name, StoreId>,
    rows: BTreeMap<RowId, RowRecord>,
    /// By generation.
    blobs: BTreeMap<u64, Blob>,
    attachments: BTreeMap<AttachmentId, Entry>,
    links: BTreeMap<Place, Linked>,
    /// The positions of items that were unlinked, and when that was.
    vacated: BTreeMap<Place, (u64, Timestamp)>,
    variants: BTreeMap<VariantId, Rendered>,
    scratch: BTreeMap<ScratchId, ScratchRecord>,
    limits: Limits,
    last: Last,
    commits: u64,
}

/// The numbers that were given out last.
#[derive(Clone, Default)]
struct Last {
    table: u64,
    field: u64,
    store: u64,
    row: u64,
    blob: u64,
    attachment: u64,
    variant: u64,
    scratch: u64,
}

#[derive(Clone)]
struct Blob {
    key: BlobKey,
    reserved: Timestamp,
    /// Whether it was never linked, or has lost its last use as a variant or an original.
    idle: bool,
    doomed: bool,
    /// When it was stored, and its content.
    stored: Option<(Timestamp, Content)>,
}

#[derive(Clone)]
struct Entry {
    attachment: Attachment,
    retired: Option<Retirement>,
    attributes: BTreeMap<String, Vec<u8>>,
}

/// The last link of an attachment, and when that was lost.
#[derive(Clone)]
struct Retirement {
    at: Timestamp,
    slot: Slot,
    written: Name,
    orphan: Orphan,
}

#[derive(Clone)]
struct Linked {
    written: Name,
    attachment: AttachmentId,
    /// The order of items in a collection; 0 elsewhere.
    position: u64,
}

#[derive(Clone)]
struct Rendered {
    original: BlobKey,
    variant: Variant,
    blob: BlobKey,
    used: Timestamp,
}

fn next(last: &mut u64) -> u64 {
    *last += 1;
    *last
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::rows::Rows;

    #[test]
    fn calls_are_counted_by_method() {
        let catalog = Memory::new();
        let user = Name::parse("user").unwrap();
        let table = catalog.table(&user).unwrap();
        assert_eq!(catalog.table(&user).unwrap(), table);
        assert_eq!(catalog.row(table, &user).unwrap(), None);
        assert_eq!(catalog.take_calls(), BTreeMap::from([("table", 2), ("row", 1)]));
        assert_eq!(catalog.take_calls(), BTreeMap::new());
    }
}
