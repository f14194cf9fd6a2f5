//! `/.mediafs/quarantine`: refused files, each in a directory with the reason. Users may take out their own.

use std::fs::File;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::library::Library;
use crate::library::refuse::kept::{Kept, REASON};
use crate::session_thread;
use crate::tree::bounded::BoundedMap;
use crate::tree::error::{Error, Result};
use crate::tree::node::Node;
use crate::tree::show::Show;
use crate::tree::show::attr::Attr;
use words::attachment::{Access, Times};
use words::refusal::RefusalId;
use words::slot::Name;
use words::timestamp::Timestamp;

/// The most removed entries that are kept, and for how long: `rm -r` has yet to remove the reason and the directory.
const MAX_REMOVED: usize = 65_536;
const REMOVED_SECS: u64 = 60;

/// The bytes of a control file.
#[derive(Debug)]
pub enum Source {
    /// Composed when the file is opened.
    Text(String),
    File(File),
}

pub struct QuarantineEntries {
    pub(super) library: Arc<Library>,
    pub(super) show: Arc<Show>,
    /// Guards the entries whose bytes were removed a moment ago: their directories still show the reason. Never held across I/O.
    pub(super) removed: Mutex<BoundedMap<RefusalId, Kept, MAX_REMOVED, REMOVED_SECS>>,
}

impl QuarantineEntries {
    /// The node of a name in the quarantine or in an entry.
    pub fn child(&self, parent: Node, name: &Name) -> Result<Node> {
        match (parent, name.as_str()) {
            (Node::Quarantine, text) => {
                Ok(Node::QuarantineEntry(RefusalId::parse(text).ok_or(Error::NotFound)?))
            }
            (Node::QuarantineEntry(id), REASON) => Ok(Node::QuarantineReason(id)),
            (Node::QuarantineEntry(id), text) => {
                let kept = self.library.quarantine.find(id).ok_or(Error::NotFound)?;
                if kept.name == text { Ok(Node::QuarantineBytes(id)) } else { Err(Error::NotFound) }
            }
            _ => Err(Error::NotFound),
        }
    }

    pub fn stat(&self, node: Node) -> Result<Attr> {
        let daemon = self.show.daemon();
        Ok(match node {
            // Users may take out their own, as from /tmp.
            Node::Quarantine => {
                let access = Access { mode: 0o1777, ..daemon };
                Attr::directory(node, access, Times::all(Timestamp::now()))
            }
            Node::QuarantineEntry(id) => {
                let kept = self.entry(id)?;
                let access = Access { uid: kept.uid, mode: 0o700, ..daemon };
                Attr::directory(node, access, Times::all(kept.time))
            }
            Node::QuarantineBytes(id) => {
                let kept = self.entry(id)?;
                let access = Access { uid: kept.uid, mode: 0o600, ..daemon };
                let links = u32::from(self.library.quarantine.find(id).is_some());
                Attr { links, ..Attr::file(node, kept.length, access, Times::all(kept.time)) }
            }
            Node::QuarantineReason(id) => {
                let kept = self.entry(id)?;
                let there = self.library.quarantine.find(id);
                let size = there.map_or(0, |kept| kept.reason().len() as u64);
                let access = Access { uid: kept.uid, mode: 0o400, ..daemon };
                Attr::file(node, size, access, Times::all(kept.time))
            }
            _ => return Err(Error::Stale),
        })
    }

    pub fn source(&self, node: Node) -> Result<Source> {
        match node {
            Node::QuarantineBytes(id) => Ok(Source::File(self.library.quarantine.open_bytes(id)?)),
            Node::QuarantineReason(id) => Ok(Source::Text(self.entry(id)?.reason())),
            _ => Err(Error::Stale),
        }
    }

    pub fn list(&self, node: Node) -> Result<Vec<(Node, String)>> {
        let quarantine = &self.library.quarantine;
        match node {
            Node::Quarantine => {
                session_thread::leave()?;
                let entries = quarantine.list().into_iter();
                Ok(entries.map(|(id, _)| (Node::QuarantineEntry(id), id.to_string())).collect())
            }
            Node::QuarantineEntry(id) => {
                let Some(kept) = quarantine.find(id) else { return Ok(Vec::new()) };
                let reason = (Node::QuarantineReason(id), REASON.to_owned());
                Ok(vec![(Node::QuarantineBytes(id), kept.name), reason])
            }
            _ => Err(Error::NotDirectory),
        }
    }

    /// `rm` of a file removes the entry with it; the reason alone cannot be removed.
    pub fn unlink(&self, id: RefusalId, name: &Name) -> Result<()> {
        let quarantine = &self.library.quarantine;
        let Some(kept) = quarantine.find(id) else {
            let removed = self.removed.lock().get(&id).is_some() && name.as_str() == REASON;
            return if removed { Ok(()) } else { Err(Error::NotFound) };
        };
        match name.as_str() {
            REASON => Ok(()),
            text if text == kept.name => {
                self.removed.lock().insert(id, kept);
                Ok(quarantine.remove(id)?)
            }
            _ => Err(Error::NotFound),
        }
    }

    /// `rmdir` of an entry removes its bytes too.
    pub fn remove(&self, name: &Name) -> Result<()> {
        let id = RefusalId::parse(name.as_str()).ok_or(Error::NotFound)?;
        let there = self.library.quarantine.find(id).is_some();
        if self.removed.lock().remove(&id).is_none() && !there {
            return Err(Error::NotFound);
        }
        Ok(self.library.quarantine.remove(id)?)
    }

    /// An entry of the quarantine, also one whose bytes were removed a moment ago.
    fn entry(&self, id: RefusalId) -> Result<Kept> {
        let there = self.library.quarantine.find(id);
        there.or_else(|| self.removed.lock().get(&id).cloned()).ok_or(Error::Stale)
    }

    pub fn forget_old(&self, now: Instant) {
        self.removed.lock().expire(now);
    }
}
