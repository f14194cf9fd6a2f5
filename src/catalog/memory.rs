//! The catalogue in memory: the same semantics as on disk, without the disk.
//! Does not survive the process. It is built to be plainly right, not quick: most answers walk a map.

mod arrivals;
mod retired;
mod rows;
mod scratch;
mod slots;
mod stores;
mod sweep;
mod usage;
mod variants;
mod verbs;

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, MutexGuard, PoisonError};

use words::attachment::{
    Attachment, AttachmentId, BlobKey, Content, FieldId, RowId, ScratchId, StoreId, TableId,
    VariantId,
};
use words::digest::Digest;
use words::place::Place;
use words::quota::Limits;
use words::retired::Orphan;
use words::row::RowRecord;
use words::scratch::ScratchRecord;
use words::slot::{Name, Slot};
use words::timestamp::Timestamp;
use words::variant::Variant;

/// A [`Catalog`](crate::catalog::Catalog) that lives as long as the value.
#[derive(Default)]
pub struct Memory {
    /// Guards everything; held for one method, which never waits for anything else.
    state: Mutex<State>,
}

impl Memory {
    pub fn new() -> Self {
        Self::default()
    }

    /// Every key that was given out and not forgotten.
    #[cfg(test)]
    pub(super) fn keys(&self) -> Vec<BlobKey> {
        self.state().keys(|_| true)
    }

    fn state(&self) -> Turn<'_> {
        Turn(self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// One method's turn at the state.
struct Turn<'m>(MutexGuard<'m, State>);

impl Deref for Turn<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.0
    }
}

/// Who may change the state counts as having changed it.
impl DerefMut for Turn<'_> {
    fn deref_mut(&mut self) -> &mut State {
        self.0.commits += 1;
        &mut self.0
    }
}

/// Each verb checks first and changes afterwards, so that what fails has changed nothing.
#[derive(Clone, Default)]
struct State {
    tables: BTreeMap<Name, TableId>,
    fields: BTreeMap<(TableId, Name), (FieldId, Orphan)>,
    stores: BTreeMap<Name, StoreId>,
    rows: BTreeMap<RowId, RowRecord>,
    /// By generation.
    blobs: BTreeMap<u64, Blob>,
    attachments: BTreeMap<AttachmentId, Kept>,
    links: BTreeMap<Place, Hung>,
    /// The positions of items that were taken down, and when.
    vacated: BTreeMap<Place, (u64, Timestamp)>,
    variants: BTreeMap<VariantId, Rendered>,
    scratch: BTreeMap<ScratchId, ScratchRecord>,
    limits: Limits,
    last: Last,
    commits: u64,
}

/// The numbers given out last.
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
    store: StoreId,
    digest: Digest,
    reserved: Timestamp,
    /// Whether nothing was hung from it yet, or its last variant was dropped.
    idle: bool,
    doomed: bool,
    /// When it was stored, and what it holds.
    stored: Option<(Timestamp, Content)>,
}

/// An attachment, whose content is its blob's, and its foreign attributes.
#[derive(Clone)]
struct Kept {
    attachment: Attachment,
    retired: Option<Retirement>,
    attributes: BTreeMap<String, Vec<u8>>,
}

/// When an attachment lost its last name, and which that was.
#[derive(Clone)]
struct Retirement {
    at: Timestamp,
    slot: Slot,
    written: Name,
    orphan: Orphan,
}

#[derive(Clone)]
struct Hung {
    written: Name,
    attachment: AttachmentId,
    /// In a collection: the higher, the later.
    position: u64,
}

#[derive(Clone)]
struct Rendered {
    original: BlobKey,
    variant: Variant,
    blob: BlobKey,
    used: Timestamp,
}

/// The next number: one above the last.
fn next(last: &mut u64) -> u64 {
    *last += 1;
    *last
}
