//! The open files, by handle, and the answer to an `open`.

use std::collections::HashMap;
use std::fs::File;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLock};

use crate::library::limit::tally::Charge;
use crate::tree::error::{Error, Result};
use crate::tree::node::Node;
use crate::tree::open::descriptors::{Descriptors, Full};
use crate::tree::open::document::Document;
use crate::tree::open::litter::LitterFile;
use crate::tree::open::open_draft::OpenDraft;
use crate::tree::open::processes::Owner;
use crate::tree::open::redirect::PlaceInode;
use crate::tree::request::{Caller, OpenFlags};
use words::attachment::{Access, Attachment, AttachmentId, BlobKey, ScratchId, VariantId};
use words::refusal::Refusal;
use words::rendition::VariantRecord;

/// The number of an open file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fh(pub u64);

/// How far the kernel may cache the bytes of an open file.
#[derive(Debug, Clone)]
pub enum Caching {
    /// Stored bytes never change: the kernel keeps pages over opens and sends no flush.
    Forever(Stored),
    /// The kernel keeps pages while the file is open, and sends a flush.
    WhileOpen,
    /// The kernel asks for every byte, regardless of the size that `stat` shows.
    Never,
}

impl Caching {
    /// The caching of a file that can be written. A handle that only writes uses no pages, and cannot be mapped (mmap(2),
    /// EACCES): with pages the kernel would copy every byte twice, and ask for the file's capabilities before each first write.
    pub fn of_writable(flags: OpenFlags) -> Self {
        if flags.reads() { Self::WhileOpen } else { Self::Never }
    }
}

/// The one file that holds all bytes of an inode.
#[derive(Debug, Clone)]
pub struct Stored {
    pub file: Arc<File>,
    pub length: u64,
}

#[derive(Debug, Clone)]
pub struct Opened {
    pub fh: Fh,
    pub caching: Caching,
}

/// The file that a handle reads from or writes to.
#[derive(Debug)]
pub enum Handle {
    /// A stored blob: an attachment's, a variant's, or a file of the quarantine.
    Blob {
        file: Arc<File>,
        /// The key of the blob in its store; none for the log and the quarantine, which are in no store.
        key: Option<BlobKey>,
        holds: Holds,
    },
    Draft {
        open: Arc<OpenDraft>,
        writes: bool,
    },
    Scratch(Arc<OpenScratch>),
    /// A control file, composed when it was opened.
    Text(Vec<u8>),
    /// A file that is parsed when it is closed.
    Document(Arc<Document>),
    /// The empty draft of another process: a read returns nothing.
    Nothing(Arc<OpenDraft>),
    /// Takes every byte and keeps none.
    Litter(Arc<LitterFile>),
}

impl Handle {
    /// The descriptors that it takes at most, its share of the writer's pidfd included.
    fn descriptors(&self) -> usize {
        match self {
            Self::Blob { .. } | Self::Document(_) => 1,
            // It keeps the file and the pidfd of a draft that may have ended.
            Self::Nothing(_) => 2,
            // It becomes a draft when it is renamed onto a field.
            Self::Scratch(_) | Self::Draft { .. } => 3,
            Self::Text(_) | Self::Litter(_) => 0,
        }
    }

    /// The draft that this is a handle of.
    pub fn draft(&self) -> Option<&Arc<OpenDraft>> {
        match self {
            Self::Draft { open, .. } => Some(open),
            Self::Scratch(scratch) => scratch.became.get(),
            _ => None,
        }
    }
}

/// The record that is kept for `fstat` while a handle is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    Nothing,
    Attachment(AttachmentId),
    Variant(VariantId),
    /// The inode of a place, by its number.
    Place(u64),
}

#[derive(Debug)]
pub struct OpenScratch {
    pub id: ScratchId,
    pub file: File,
    pub writes: bool,
    pub opener: Owner,
    /// Owner and mode when the file was opened.
    pub access: Access,
    /// Whether anything was written through this handle.
    pub written: AtomicBool,
    /// Whether space beyond the end was allocated through this handle.
    pub reserved: AtomicBool,
    /// Its share of the user's quota of scratch, held until it is closed.
    pub charge: Arc<Charge>,
    /// The refusal of bytes above a quota of scratch, recorded once for each handle.
    pub refused: OnceLock<Refusal>,
    /// Set when the open file was renamed onto a field: from then on this is a handle of that field's draft.
    pub became: OnceLock<Arc<OpenDraft>>,
}

/// The handles, each with the user who opened it, and the descriptors of each user.
#[derive(Debug, Default)]
struct Table {
    handles: HashMap<u64, (u32, Arc<Handle>)>,
    descriptors: HashMap<u32, usize>,
}

impl Table {
    fn add(&mut self, fh: u64, user: u32, handle: Handle) {
        *self.descriptors.entry(user).or_default() += handle.descriptors();
        self.handles.insert(fh, (user, Arc::new(handle)));
    }

    fn remove(&mut self, fh: u64) -> Option<Arc<Handle>> {
        let (user, handle) = self.handles.remove(&fh)?;
        if let Some(taken) = self.descriptors.get_mut(&user) {
            *taken = taken.saturating_sub(handle.descriptors());
            if *taken == 0 {
                self.descriptors.remove(&user);
            }
        }
        Some(handle)
    }
}

#[derive(Debug, Default)]
pub struct Handles {
    /// Guards the table of handles. Never held across I/O.
    open: RwLock<Table>,
    last: AtomicU64,
    pub descriptors: Descriptors,
    /// Guards the attachments that are open, with the number of handles of each. Never held across I/O.
    attachments: Mutex<HashMap<AttachmentId, (usize, Attachment)>>,
    /// Guards the variants that are open, with the number of handles of each. Never held across I/O.
    variants: Mutex<HashMap<VariantId, (usize, VariantRecord)>>,
    /// Guards the inodes of places on which a stored file is open, with the number of handles of each. Never held across I/O.
    places: Mutex<HashMap<u64, (usize, Arc<PlaceInode>)>>,
    /// Guards the scratch files that are open. Never held across I/O.
    scratch: Mutex<HashMap<ScratchId, Vec<Arc<OpenScratch>>>>,
}

impl Handles {
    pub fn add(&self, who: Caller, handle: Handle) -> Fh {
        if let Handle::Scratch(open) = &handle {
            self.scratch.lock().entry(open.id).or_default().push(Arc::clone(open));
        }
        let fh = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.descriptors.take(handle.descriptors());
        self.open.write().add(fh, who.uid, handle);
        Fh(fh)
    }

    /// Adds a handle on the blob of `shown`, which is an attachment or its face in `/originals`. `held` is kept for `fstat`.
    pub fn add_attachment(
        &self,
        who: Caller,
        held: &Attachment,
        shown: &Attachment,
        file: Arc<File>,
    ) -> Opened {
        hold(&self.attachments, held.id, held);
        let stored = Stored { file, length: shown.content.length };
        self.add_blob(who, shown.blob, Holds::Attachment(held.id), stored)
    }

    pub fn add_variant(&self, who: Caller, variant: &VariantRecord, file: Arc<File>) -> Opened {
        hold(&self.variants, variant.id, variant);
        let stored = Stored { file, length: variant.content.length };
        self.add_blob(who, variant.blob, Holds::Variant(variant.id), stored)
    }

    /// Adds a handle on the blob of `shown` by the inode of a place.
    pub fn add_at_place(
        &self,
        who: Caller,
        (number, place): (u64, &Arc<PlaceInode>),
        shown: &Attachment,
        file: Arc<File>,
    ) -> Opened {
        hold(&self.places, number, place);
        let stored = Stored { file, length: shown.content.length };
        self.add_blob(who, shown.blob, Holds::Place(number), stored)
    }

    fn add_blob(&self, who: Caller, key: BlobKey, holds: Holds, stored: Stored) -> Opened {
        let file = Arc::clone(&stored.file);
        let fh = self.add(who, Handle::Blob { file, key: Some(key), holds });
        Opened { fh, caching: Caching::Forever(stored) }
    }

    /// Errors: if a user has half of the descriptors that the others leave.
    pub fn check(&self, who: Caller) -> std::result::Result<(), Full> {
        self.descriptors
            .check(|| self.open.read().descriptors.get(&who.uid).copied().unwrap_or_default())
    }

    pub fn find(&self, fh: Fh) -> Result<Arc<Handle>> {
        let open = self.open.read();
        open.handles.get(&fh.0).map(|(_, handle)| Arc::clone(handle)).ok_or(Error::BadHandle)
    }

    pub fn remove(&self, fh: Fh) -> Option<Arc<Handle>> {
        let handle = self.open.write().remove(fh.0)?;
        self.descriptors.give_back(handle.descriptors());
        match &*handle {
            Handle::Blob { holds: Holds::Attachment(id), .. } => let_go(&self.attachments, id),
            Handle::Blob { holds: Holds::Variant(id), .. } => let_go(&self.variants, id),
            Handle::Blob { holds: Holds::Place(number), .. } => let_go(&self.places, number),
            Handle::Scratch(open) => self.close_scratch(open),
            _ => {}
        }
        Some(handle)
    }

    /// An attachment as it was when it was opened; none unless a handle on it is open.
    pub fn open_attachment(&self, id: AttachmentId) -> Option<Attachment> {
        self.attachments.lock().get(&id).map(|(_, attachment)| attachment.clone())
    }

    /// Whether a handle is open on the attachment of an inode, under any of its names, or on the stored file of a place's inode.
    pub fn is_open(&self, node: Node) -> bool {
        if let Node::Draft(number) = node {
            return self.open_place(number).is_some();
        }
        let is_known = |id| self.attachments.lock().contains_key(&id);
        matches!(node.as_model(), Node::Attachment(id, _) if is_known(id))
    }

    /// The place of an inode on which a stored file is open.
    pub fn open_place(&self, number: u64) -> Option<Arc<PlaceInode>> {
        self.places.lock().get(&number).map(|(_, place)| Arc::clone(place))
    }

    /// The file of a stored blob that is open. Looks at all handles: for a blob that was swept.
    pub fn open_blob(&self, blob: BlobKey) -> Option<Arc<File>> {
        let open = self.open.read();
        open.handles.values().find_map(|(_, handle)| match &**handle {
            Handle::Blob { file, key: Some(key), .. } if *key == blob => Some(Arc::clone(file)),
            _ => None,
        })
    }

    /// A variant as it was when it was opened; none unless a handle on it is open.
    pub fn open_variant(&self, id: VariantId) -> Option<VariantRecord> {
        self.variants.lock().get(&id).map(|(_, variant)| variant.clone())
    }

    pub fn open_scratch(&self, id: ScratchId) -> Vec<Arc<OpenScratch>> {
        self.scratch.lock().get(&id).cloned().unwrap_or_default()
    }

    /// Whether a scratch file is open for writing.
    pub fn is_written(&self, id: ScratchId) -> bool {
        self.scratch.lock().get(&id).is_some_and(|open| open.iter().any(|it| it.writes))
    }

    /// The empty draft with this number, if another process than its owner has it open.
    pub fn open_nothing(&self, id: u64) -> Option<Arc<OpenDraft>> {
        let open = self.open.read();
        open.handles.values().find_map(|(_, handle)| match &**handle {
            Handle::Nothing(empty) if empty.id == id => Some(Arc::clone(empty)),
            _ => None,
        })
    }

    pub fn count(&self) -> usize {
        self.open.read().handles.len()
    }

    /// Removes every handle, after the kernel is gone and sends no release.
    pub fn drain(&self) -> Vec<Arc<Handle>> {
        let mut open = self.open.write();
        open.handles.drain().map(|(_, (_, handle))| handle).collect()
    }

    fn close_scratch(&self, closed: &Arc<OpenScratch>) {
        let mut scratch = self.scratch.lock();
        let Some(open) = scratch.get_mut(&closed.id) else { return };
        open.retain(|other| !Arc::ptr_eq(other, closed));
        if open.is_empty() {
            scratch.remove(&closed.id);
        }
    }
}

fn hold<K: Eq + Hash, V: Clone>(open: &Mutex<HashMap<K, (usize, V)>>, key: K, value: &V) {
    open.lock()
        .entry(key)
        .and_modify(|(count, _)| *count += 1)
        .or_insert_with(|| (1, value.clone()));
}

fn let_go<K: Eq + Hash, V>(open: &Mutex<HashMap<K, (usize, V)>>, key: &K) {
    let mut open = open.lock();
    if let Some((count, _)) = open.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            open.remove(key);
        }
    }
}
