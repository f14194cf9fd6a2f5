//! `/.mediafs`: what went wrong, what was kept, and how the daemon is.
//! Does not change anything but the quarantine, from which files may be taken.

mod metrics;
mod status;

use std::sync::Arc;

use crate::library::refuse::kept::{Kept, REASON};
use crate::tree::attr::{Attr, Caching, Entry, Kind, Opened};
use crate::tree::handles::{Handle, Holds};
use crate::tree::node::Node;
use crate::tree::ops::files::failed;
use crate::tree::ops::stat::fleeting;
use crate::tree::{Caller, Error, Result, Tree};
use words::attachment::{Access, Times};
use words::refusal::RefusalId;
use words::slot::Name;
use words::timestamp::Timestamp;

impl Tree {
    pub(in crate::tree) fn lookup_control(
        &self,
        who: Caller,
        parent: Node,
        name: &Name,
    ) -> Result<Entry> {
        let node = match (parent, name.as_str()) {
            (Node::Control, "status.json") => Node::Status,
            (Node::Control, "metrics") => Node::Metrics,
            (Node::Control, "errors.jsonl") => Node::Errors,
            (Node::Control, "last-error") => Node::LastError,
            (Node::Control, "quarantine") => Node::Quarantine,
            (Node::Quarantine, text) => {
                Node::QuarantineEntry(RefusalId::parse(text).ok_or(Error::NotFound)?)
            }
            (Node::QuarantineEntry(id), REASON) => Node::QuarantineReason(id),
            (Node::QuarantineEntry(id), text) => {
                let kept = self.library.quarantine.find(id).ok_or(Error::NotFound)?;
                if kept.name != text {
                    return Err(Error::NotFound);
                }
                Node::QuarantineBytes(id)
            }
            _ => return Err(Error::NotFound),
        };
        Ok(fleeting(self.stat_control(who, node).map_err(gone)?))
    }

    pub(in crate::tree) fn stat_control(&self, who: Caller, node: Node) -> Result<Attr> {
        let now = Times::all(Timestamp::now());
        let file = |size, mode, times| {
            let access = Access { mode, ..self.daemon() };
            Attr { ino: node.ino(), kind: Kind::File, size, links: 1, access, times }
        };
        Ok(match node {
            Node::Control => self.view(node, Times::all(self.started)),
            Node::Status => file(self.status_text()?.len() as u64, 0o444, now),
            Node::Metrics => file(self.metrics()?.len() as u64, 0o444, now),
            Node::LastError => file(self.last_error(who).len() as u64, 0o444, now),
            // Other users' names and paths stand in it.
            Node::Errors => file(self.errors_length()?, 0o400, now),
            Node::Quarantine => {
                let mut attr = self.view(node, now);
                // Everybody may take out what is theirs, as from /tmp.
                attr.access.mode = 0o1777;
                attr
            }
            Node::QuarantineEntry(id) => {
                let kept = self.entry_of_quarantine(id)?;
                let mut attr = self.view(node, Times::all(kept.time));
                attr.access = Access { uid: kept.uid, mode: 0o700, ..attr.access };
                attr
            }
            Node::QuarantineBytes(id) => {
                let kept = self.entry_of_quarantine(id)?;
                let mut attr = file(kept.length, 0o600, Times::all(kept.time));
                attr.access.uid = kept.uid;
                attr.links = u32::from(self.library.quarantine.find(id).is_some());
                attr
            }
            Node::QuarantineReason(id) => self.stat_reason(node, id)?,
            _ => return Err(Error::Stale),
        })
    }

    fn stat_reason(&self, node: Node, id: RefusalId) -> Result<Attr> {
        let kept = self.entry_of_quarantine(id)?;
        let size = match self.library.quarantine.find(id) {
            Some(kept) => kept.reason().len() as u64,
            None => 0,
        };
        let access = Access { uid: kept.uid, mode: 0o400, ..self.daemon() };
        let times = Times::all(kept.time);
        Ok(Attr { ino: node.ino(), kind: Kind::File, size, links: 1, access, times })
    }

    pub(in crate::tree) fn open_control(&self, who: Caller, node: Node) -> Result<Opened> {
        let quarantine = &self.library.quarantine;
        let open = |file: std::io::Result<std::fs::File>| {
            let file = Arc::new(file.map_err(failed)?);
            Ok::<_, Error>(Handle::Blob { file, key: None, holds: Holds::Nothing })
        };
        let handle = match node {
            Node::Status => Handle::Text(self.status_text()?.into_bytes()),
            Node::Metrics => Handle::Text(self.metrics()?.into_bytes()),
            Node::LastError => Handle::Text(self.last_error(who).into_bytes()),
            Node::Errors => open(self.library.journal.open_log())?,
            Node::QuarantineBytes(id) => open(quarantine.open_bytes(id))?,
            Node::QuarantineReason(id) => {
                Handle::Text(self.entry_of_quarantine(id)?.reason().into_bytes())
            }
            other if other.is_directory() => return Err(Error::IsDirectory),
            _ => return Err(Error::Stale),
        };
        Ok(Opened { fh: self.handles.add(handle), caching: Caching::Never })
    }

    pub(in crate::tree) fn list_control(&self, node: Node) -> Result<Vec<(Node, String)>> {
        let quarantine = &self.library.quarantine;
        Ok(match node {
            Node::Control => vec![
                (Node::Status, "status.json".to_owned()),
                (Node::Metrics, "metrics".to_owned()),
                (Node::Errors, "errors.jsonl".to_owned()),
                (Node::LastError, "last-error".to_owned()),
                (Node::Quarantine, "quarantine".to_owned()),
            ],
            Node::Quarantine => quarantine
                .list()
                .into_iter()
                .map(|(id, _)| (Node::QuarantineEntry(id), id.to_string()))
                .collect(),
            Node::QuarantineEntry(id) => {
                let Some(kept) = quarantine.find(id) else { return Ok(Vec::new()) };
                vec![
                    (Node::QuarantineBytes(id), kept.name),
                    (Node::QuarantineReason(id), REASON.to_owned()),
                ]
            }
            _ => return Err(Error::NotDirectory),
        })
    }

    /// `rm` in the quarantine removes the entry with its bytes; its reason alone cannot be removed. The emptied directory is
    /// believed to be there a while longer: `rm -r` has yet to remove the reason and the directory.
    pub(in crate::tree) fn unlink_quarantined(&self, id: RefusalId, name: &Name) -> Result<()> {
        let quarantine = &self.library.quarantine;
        let Some(kept) = quarantine.find(id) else {
            let removed = self.removed.find(&id).is_some() && name.as_str() == REASON;
            return if removed { Ok(()) } else { Err(Error::NotFound) };
        };
        match name.as_str() {
            REASON => Ok(()),
            text if text == kept.name => {
                self.removed.note(id, kept);
                quarantine.remove(id).map_err(failed)
            }
            _ => Err(Error::NotFound),
        }
    }

    pub(in crate::tree) fn remove_quarantined(&self, name: &Name) -> Result<()> {
        let id = RefusalId::parse(name.as_str()).ok_or(Error::NotFound)?;
        let there = self.library.quarantine.find(id).is_some();
        if self.removed.take(&id).is_none() && !there {
            return Err(Error::NotFound);
        }
        self.library.quarantine.remove(id).map_err(failed)
    }

    /// An entry of the quarantine, also one whose bytes were removed a moment ago.
    fn entry_of_quarantine(&self, id: RefusalId) -> Result<Kept> {
        let kept = self.library.quarantine.find(id).or_else(|| self.removed.find(&id));
        kept.ok_or(Error::Stale)
    }

    /// What a user was told last.
    fn last_error(&self, who: Caller) -> String {
        let fenced = self.library.fence.raised().map(|fenced| format!("{fenced}\n"));
        let refused = self.library.journal.last_of(who.uid).map(|line| line.text());
        [fenced, refused].into_iter().flatten().collect::<Vec<_>>().join("\n")
    }

    fn errors_length(&self) -> Result<u64> {
        let log = self.library.journal.open_log().and_then(|file| file.metadata());
        Ok(log.map_err(failed)?.len())
    }
}

/// For a lookup, what is gone is not there.
fn gone(error: Error) -> Error {
    match error {
        Error::Stale => Error::NotFound,
        other => other,
    }
}
