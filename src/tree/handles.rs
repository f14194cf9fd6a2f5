//! The open files, by handle.
//! Does not know what the kernel's numbers look like, nor who opened what.

use std::collections::HashMap;
use std::fs::File;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use crate::library::limit::tally::Charge;
use crate::tree::document::Document;
use crate::tree::drafts::OpenDraft;
use crate::tree::process::Owner;
use crate::tree::{Error, Fh, Result};
use words::attachment::{Access, Attachment, AttachmentId, BlobKey, ScratchId, VariantId};
use words::refusal::Refusal;
use words::rendition::VariantRecord;

/// What a handle reads from or writes to.
#[derive(Debug)]
pub enum Handle {
    /// A stored blob: an attachment's, a variant's, or a file of the quarantine.
    Blob {
        file: Arc<File>,
        /// Where the store has it; none of what lies beside the stores.
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
    /// A file that is understood when it is closed.
    Document(Arc<Document>),
    /// Somebody else's empty file: at its end.
    Nothing(Arc<OpenDraft>),
}

/// What is remembered so that `fstat` answers for as long as a handle is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    Nothing,
    Attachment(AttachmentId),
    Variant(VariantId),
}

/// An open scratch file.
#[derive(Debug)]
pub struct OpenScratch {
    pub id: ScratchId,
    pub file: File,
    pub writes: bool,
    pub opener: Owner,
    /// As it was when the file was opened.
    pub access: Access,
    /// Whether anything was written through this handle.
    pub written: AtomicBool,
    /// Whether space beyond the end was allocated through this handle.
    pub reserved: AtomicBool,
    /// Its part of the user's tally of scratch, held until it is closed.
    pub charge: Arc<Charge>,
    /// The refusal of bytes above a quota of scratch: said once for each handle.
    pub refused: OnceLock<Refusal>,
    /// Set when the file was renamed onto a field while open: from then on this is a handle of that field's draft.
    pub became: OnceLock<Arc<OpenDraft>>,
}

#[derive(Debug, Default)]
pub struct Handles {
    /// Guards the table of handles. Never held across I/O.
    open: RwLock<HashMap<u64, Arc<Handle>>>,
    last: AtomicU64,
    /// Guards the attachments that are open, with how often. Never held across I/O.
    attachments: Mutex<HashMap<AttachmentId, (usize, Attachment)>>,
    /// Guards the variants that are open, with how often. Never held across I/O.
    variants: Mutex<HashMap<VariantId, (usize, VariantRecord)>>,
    /// Guards which scratch files are open. Never held across I/O.
    scratch: Mutex<HashMap<ScratchId, Vec<Arc<OpenScratch>>>>,
}

impl Handles {
    pub fn add(&self, handle: Handle) -> Fh {
        if let Handle::Scratch(open) = &handle {
            lock(&self.scratch).entry(open.id).or_default().push(Arc::clone(open));
        }
        let fh = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.insert(fh, Arc::new(handle));
        Fh(fh)
    }

    /// A handle on a blob of an attachment: as it is kept, or as it was sent.
    pub fn add_attachment(&self, attachment: &Attachment, key: BlobKey, file: Arc<File>) -> Fh {
        hold(&self.attachments, attachment.id, attachment);
        self.add(Handle::Blob { file, key: Some(key), holds: Holds::Attachment(attachment.id) })
    }

    /// A handle on a variant's blob.
    pub fn add_variant(&self, variant: &VariantRecord, file: Arc<File>) -> Fh {
        hold(&self.variants, variant.id, variant);
        let (key, holds) = (Some(variant.blob), Holds::Variant(variant.id));
        self.add(Handle::Blob { file, key, holds })
    }

    pub fn find(&self, fh: Fh) -> Result<Arc<Handle>> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.get(&fh.0).cloned().ok_or(Error::BadHandle)
    }

    pub fn remove(&self, fh: Fh) -> Option<Arc<Handle>> {
        let handle = self.open.write().unwrap_or_else(PoisonError::into_inner).remove(&fh.0)?;
        match &*handle {
            Handle::Blob { holds: Holds::Attachment(id), .. } => let_go(&self.attachments, id),
            Handle::Blob { holds: Holds::Variant(id), .. } => let_go(&self.variants, id),
            Handle::Scratch(open) => self.close_scratch(open),
            _ => {}
        }
        Some(handle)
    }

    /// An attachment as it was when it was opened, while a handle on it is open.
    pub fn open_attachment(&self, id: AttachmentId) -> Option<Attachment> {
        lock(&self.attachments).get(&id).map(|(_, attachment)| attachment.clone())
    }

    /// A variant while a handle on it is open.
    pub fn open_variant(&self, id: VariantId) -> Option<VariantRecord> {
        lock(&self.variants).get(&id).map(|(_, variant)| variant.clone())
    }

    /// The open handles of a scratch file.
    pub fn open_scratch(&self, id: ScratchId) -> Vec<Arc<OpenScratch>> {
        lock(&self.scratch).get(&id).cloned().unwrap_or_default()
    }

    /// The empty file of somebody else that a handle is open on.
    pub fn open_nothing(&self, id: u64) -> Option<Arc<OpenDraft>> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        open.values().find_map(|handle| match &**handle {
            Handle::Nothing(empty) if empty.id == id => Some(Arc::clone(empty)),
            _ => None,
        })
    }

    pub fn count(&self) -> usize {
        self.open.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Every draft handle that is left: after the kernel is gone nobody releases them.
    pub fn drain(&self) -> Vec<Arc<Handle>> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        open.drain().map(|(_, handle)| handle).collect()
    }

    fn close_scratch(&self, closed: &Arc<OpenScratch>) {
        let mut scratch = lock(&self.scratch);
        if let Some(open) = scratch.get_mut(&closed.id) {
            open.retain(|other| !Arc::ptr_eq(other, closed));
            if open.is_empty() {
                scratch.remove(&closed.id);
            }
        }
    }
}

fn hold<K: Eq + Hash, V: Clone>(open: &Mutex<HashMap<K, (usize, V)>>, key: K, value: &V) {
    lock(open)
        .entry(key)
        .and_modify(|(count, _)| *count += 1)
        .or_insert_with(|| (1, value.clone()));
}

fn let_go<K: Eq + Hash, V>(open: &Mutex<HashMap<K, (usize, V)>>, key: &K) {
    let mut open = lock(open);
    if let Some((count, _)) = open.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            open.remove(key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
