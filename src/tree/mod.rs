//! The tree: the filesystem that a program sees, without FUSE.
//! Does not know errnos, requests or the kernel's structures; it asks `library` for every byte and every fact.
//!
//! A node's inode number says what it is and, where the catalogue counts it, which one: numbers are stable over restarts
//! and the tree keeps no table of what the kernel has seen. What it does keep is what no catalogue knows: open handles,
//! open drafts with their owners, and for the time of one `open` the redirection of a writer to its draft.

pub mod activity;
mod arrivals;
pub mod attr;
mod control;
mod directory;
mod document;
mod drafts;
mod galleries;
mod generations;
mod handles;
pub mod kernel;
pub mod listing;
mod mark;
mod memory;
pub mod name;
pub mod node;
pub mod ops;
mod pending;
mod permission;
pub mod process;
mod redirect;
mod side;
mod stamps;
mod urls;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use crate::fence::Fenced;
use crate::library::lookup::table::Table;
use crate::library::lookup::target::Target;
use crate::library::refuse::kept::Kept;
use crate::library::{self, Library};
use crate::tree::activity::Activity;
use crate::tree::arrivals::Arrivals;
use crate::tree::directory::Directory;
use crate::tree::document::Shelf;
use crate::tree::drafts::Drafts;
use crate::tree::galleries::Galleries;
use crate::tree::generations::Generations;
use crate::tree::handles::Handles;
use crate::tree::kernel::Kernel;
use crate::tree::listing::Listings;
use crate::tree::memory::Memory;
use crate::tree::node::Node;
use crate::tree::pending::Links;
use crate::tree::process::{Owner, Processes};
use crate::tree::redirect::Redirects;
use crate::tree::stamps::Stamps;
use crate::tree::urls::Urls;
use words::attachment::{Access, AttachmentId, RowId, TableId};
use words::author::Author;
use words::place::Place;
use words::quota::Excess;
use words::refusal::{Refusal, RefusalId};
use words::row::RowRecord;
use words::schema::Field;
use words::slot::{Name, NameError};
use words::timestamp::Timestamp;

/// An inode number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ino(pub u64);

/// The number of an open file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fh(pub u64);

/// Who asks: the effective ids, and the thread as the kernel names it (0: unknown, from another pid namespace).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    pub uid: u32,
    pub gid: u32,
    pub tid: u32,
}

impl Caller {
    /// Owner and mode of what this caller makes, where no policy has a word on it.
    fn makes(self, mode: u32) -> Access {
        Access { uid: self.uid, gid: self.gid, mode }
    }
}

/// Why an operation was not done. `fuse::errno` has the errno of each.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("there is no such file")]
    NotFound,
    #[error("the file exists")]
    Exists,
    #[error("the directory is not empty")]
    NotEmpty,
    #[error("it is not a directory")]
    NotDirectory,
    #[error("it is a directory")]
    IsDirectory,
    #[error("it cannot be moved as it is; copy it")]
    CrossDevice,
    #[error("it is read-only")]
    ReadOnly,
    #[error("the tree does not take this here")]
    NotPermitted,
    #[error("another user's")]
    Denied,
    #[error(transparent)]
    BadName(#[from] NameError),
    #[error("{0}")]
    Invalid(&'static str),
    #[error("another process is writing it")]
    Busy,
    #[error("it is being read, and cannot be written by a handle that names no path")]
    BeingRead,
    #[error("the inode has lost its name; look it up again")]
    Stale,
    #[error("the handle is not open for this")]
    BadHandle,
    #[error("there is no such attribute")]
    NoAttribute,
    #[error("the attribute exists")]
    AttributeExists,
    #[error("the attribute is too long")]
    AttributeTooLong,
    #[error("the operation is not supported")]
    NotSupported,
    #[error("there is no data beyond this offset")]
    NoData,
    #[error("the file would be too large")]
    TooLarge,
    #[error(transparent)]
    OverQuota(Excess),
    #[error("no space is left")]
    NoSpace,
    #[error("too much is waiting; try again")]
    TooBusy,
    #[error(transparent)]
    Fenced(#[from] Fenced),
    /// Told of in the log already.
    #[error("the stored file is damaged")]
    Damaged,
    #[error("a store or the catalogue failed")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

pub type Result<T> = std::result::Result<T, Error>;

/// How long an emptied field is remembered for the next `open` of the same user (CONTRACT 2.6).
const EMPTIED: Duration = Duration::from_secs(60);

/// Longer than the kernel may believe a name: how long an inode that had one name goes on to mean that.
const SOLE: Duration = Duration::from_secs(2 * 60 * 60);

/// How long an entry of the quarantine seems to be there after its bytes were removed.
const REMOVED: Duration = Duration::from_secs(60);

/// What of the library a tree shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Everything,
    /// What is stored: no scratch, no drafts, no trash, no views and no control files.
    Stored,
}

/// The filesystem.
pub struct Tree {
    library: Arc<Library>,
    scope: Scope,
    processes: Processes,
    activity: Activity,
    handles: Handles,
    arrivals: Arrivals,
    drafts: Drafts,
    redirects: Redirects,
    urls: Urls,
    shelf: Shelf,
    links: Links,
    generations: Generations,
    listings: Listings,
    stamps: Stamps,
    galleries: Galleries,
    /// What a process unlinked or renamed away a moment ago, and its name: put back if it then sends something unfit.
    unlinked: Memory<(Place, u32), (AttachmentId, Name)>,
    /// Which users emptied which attachments a moment ago, and under which name.
    emptied: Memory<(Place, AttachmentId, u32), ()>,
    /// The first name of each attachment that got a second: the inodes that the kernel learnt before mean that one.
    sole: Memory<AttachmentId, Place>,
    /// Entries of the quarantine whose bytes were removed a moment ago: `rm -r` is still at it.
    removed: Memory<RefusalId, Kept>,
    /// Guards when rows were last made, renamed or removed, by table, or what somebody set since. Never held across I/O.
    changed: RwLock<HashMap<TableId, Timestamp>>,
    kernel: OnceLock<Box<dyn Kernel>>,
    started: Timestamp,
}

impl Tree {
    pub fn new(library: Arc<Library>, processes: Processes) -> Self {
        Self::of(library, processes, Scope::Everything)
    }

    pub fn of(library: Arc<Library>, processes: Processes, scope: Scope) -> Self {
        Self {
            scope,
            unlinked: Memory::new(library.settings.hold),
            emptied: Memory::new(EMPTIED),
            sole: Memory::new(SOLE),
            removed: Memory::new(REMOVED),
            library,
            processes,
            activity: Activity::default(),
            handles: Handles::default(),
            arrivals: Arrivals::default(),
            drafts: Drafts::default(),
            redirects: Redirects::default(),
            urls: Urls::default(),
            shelf: Shelf::default(),
            links: Links::default(),
            generations: Generations::default(),
            listings: Listings::default(),
            stamps: Stamps::default(),
            galleries: Galleries::default(),
            changed: RwLock::default(),
            kernel: OnceLock::new(),
            started: Timestamp::now(),
        }
    }

    /// Names whom to tell of changes. Once, before the first request; a tree without a kernel tells nobody.
    pub fn connect(&self, kernel: Box<dyn Kernel>) {
        // A second kernel would be a second session on one tree: the first stays.
        let _ = self.kernel.set(kernel);
    }

    pub fn activity(&self) -> &Activity {
        &self.activity
    }

    pub fn library(&self) -> &Library {
        &self.library
    }

    fn note_table_time(&self, table: TableId, at: Timestamp) {
        let mut changed = self.changed.write().unwrap_or_else(PoisonError::into_inner);
        changed.insert(table, at);
    }

    /// When the names in a table last changed in this run of the daemon.
    fn table_time(&self, table: TableId) -> Timestamp {
        let changed = self.changed.read().unwrap_or_else(PoisonError::into_inner);
        changed.get(&table).copied().unwrap_or(self.started)
    }

    fn table(&self, id: TableId) -> Result<&Table> {
        self.library.lookup.table(id).ok_or(Error::NotFound)
    }

    fn row(&self, id: RowId) -> Result<RowRecord> {
        self.library.lookup.row_by_id(id)?.ok_or(Error::NotFound)
    }

    /// The directory behind an inode, for operations on files in it.
    fn directory(&self, ino: Ino) -> Result<Directory<'_>> {
        let node = node(ino)?;
        Directory::of(&self.library, node).ok_or(match node.as_model() {
            Node::Row(..) | Node::Collection(..) | Node::DropBox(_) => Error::Stale,
            // `/models` and its tables take nothing but rows; views are read-only.
            Node::Root | Node::Models | Node::Table(_) => Error::NotPermitted,
            _ => Error::ReadOnly,
        })
    }

    /// The directory that lists a place.
    fn home_of(&self, place: &Place) -> Result<Node> {
        let row = self.row(place.row)?;
        if place.item.is_none() {
            return Ok(Node::Row(row.table, row.id));
        }
        let number = self.table(row.table)?.number(&place.field).ok_or(Error::NotFound)?;
        Ok(Node::Collection(number, row.id))
    }

    fn target(&self, place: &Place, field: &Arc<Field>, written: &Name) -> Result<Target> {
        let row = self.row(place.row)?;
        let slot = self.library.lookup.slot(&row, place).ok_or(Error::NotFound)?;
        Ok(Target {
            place: place.clone(),
            slot,
            field: Arc::clone(field),
            written: written.clone(),
        })
    }

    /// Whether it is shown at all.
    fn shows(&self, node: Node) -> bool {
        self.scope == Scope::Everything || node.is_stored()
    }

    fn author(who: Caller, owner: &Owner) -> Author {
        Author { uid: who.uid, pid: owner.pid() }
    }
}

/// A name from the kernel, for an operation that looks for it: what is no name is not there.
fn sought(name: &OsStr) -> Result<Name> {
    match Name::parse_bytes(name.as_bytes()) {
        Err(NameError::TooLong) => Err(NameError::TooLong.into()),
        other => other.map_err(|_| Error::NotFound),
    }
}

/// A name from the kernel, for an operation that makes it.
fn made(name: &OsStr) -> Result<Name> {
    Ok(Name::parse_bytes(name.as_bytes())?)
}

fn node(ino: Ino) -> Result<Node> {
    Node::of(ino).ok_or(Error::Stale)
}

impl From<library::Error> for Error {
    fn from(error: library::Error) -> Self {
        match error {
            library::Error::Refused(refusal) => Self::Refused(refusal),
            library::Error::Missing => Self::NotFound,
            library::Error::Taken => Self::Exists,
            library::Error::NotEmpty => Self::NotEmpty,
            library::Error::WouldChange => Self::CrossDevice,
            library::Error::Quota(excess) => Self::OverQuota(excess),
            library::Error::NoSpace => Self::NoSpace,
            library::Error::Busy => Self::TooBusy,
            library::Error::Fenced(fenced) => Self::Fenced(fenced),
            library::Error::Damaged { .. } => Self::Damaged,
            other => Self::Failed(Box::new(other)),
        }
    }
}
