//! `/.mediafs/quarantine`: the files that were refused, each in a directory with the reason. Users may take out what is theirs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::library::Library;
use crate::library::refuse::kept::{Kept, REASON};
use crate::tree::bounded::BoundedMap;
use crate::tree::error::{Error, Result};
use crate::tree::node::{Kind, Node};
use crate::tree::show::Show;
use crate::tree::show::attr::Attr;
use crate::tree::view::control::source::Source;
use words::attachment::{Access, Times};
use words::refusal::RefusalId;
use words::slot::Name;
use words::timestamp::Timestamp;

/// Removed entries that are remembered, and for how long: `rm -r` has yet to remove the reason and the directory.
const MAX: usize = 65_536;
const SPAN: Duration = Duration::from_secs(60);

pub struct QuarantineEntries {
    pub(super) library: Arc<Library>,
    pub(super) show: Arc<Show>,
    pub(super) removed: Removed,
}

/// The entries whose bytes were removed a moment ago: their directories seem to be there still.
pub struct Removed {
    /// Guards the entries. Never held across I/O.
    entries: Mutex<BoundedMap<RefusalId, Kept>>,
}

impl Default for Removed {
    fn default() -> Self {
        Self { entries: Mutex::new(BoundedMap::new(MAX, SPAN)) }
    }
}

impl QuarantineEntries {
    /// The node of a name in the quarantine or in one of its entries.
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
        let directory = |times, access: Access| Attr { access, ..self.show.view(node, times) };
        let daemon = self.show.daemon();
        Ok(match node {
            // Everybody may take out what is theirs, as from /tmp.
            Node::Quarantine => {
                directory(Times::all(Timestamp::now()), Access { mode: 0o1777, ..daemon })
            }
            Node::QuarantineEntry(id) => {
                let kept = self.entry(id)?;
                let access = Access { uid: kept.uid, mode: 0o700, ..daemon };
                directory(Times::all(kept.time), access)
            }
            Node::QuarantineBytes(id) => {
                let kept = self.entry(id)?;
                let access = Access { uid: kept.uid, mode: 0o600, ..daemon };
                let links = u32::from(self.library.quarantine.find(id).is_some());
                Attr { size: kept.length, links, ..file(node, access, &kept) }
            }
            Node::QuarantineReason(id) => {
                let kept = self.entry(id)?;
                let there = self.library.quarantine.find(id);
                let size = there.map_or(0, |kept| kept.reason().len() as u64);
                let access = Access { uid: kept.uid, mode: 0o400, ..daemon };
                Attr { size, ..file(node, access, &kept) }
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
            let removed = self.removed.entries.lock().get(&id).is_some() && name.as_str() == REASON;
            return if removed { Ok(()) } else { Err(Error::NotFound) };
        };
        match name.as_str() {
            REASON => Ok(()),
            text if text == kept.name => {
                self.removed.entries.lock().insert(id, kept);
                Ok(quarantine.remove(id)?)
            }
            _ => Err(Error::NotFound),
        }
    }

    /// `rmdir` of an entry: it goes with its bytes.
    pub fn remove(&self, name: &Name) -> Result<()> {
        let id = RefusalId::parse(name.as_str()).ok_or(Error::NotFound)?;
        let there = self.library.quarantine.find(id).is_some();
        if self.removed.entries.lock().remove(&id).is_none() && !there {
            return Err(Error::NotFound);
        }
        Ok(self.library.quarantine.remove(id)?)
    }

    /// An entry of the quarantine, also one whose bytes were removed a moment ago.
    fn entry(&self, id: RefusalId) -> Result<Kept> {
        let there = self.library.quarantine.find(id);
        there.or_else(|| self.removed.entries.lock().get(&id).cloned()).ok_or(Error::Stale)
    }

    pub fn forget_old(&self, now: Instant) {
        self.removed.entries.lock().expire(now);
    }
}

/// An empty file of an entry.
fn file(node: Node, access: Access, kept: &Kept) -> Attr {
    let times = Times::all(kept.time);
    Attr { ino: node.ino(), kind: Kind::File, size: 0, links: 1, access, times }
}
