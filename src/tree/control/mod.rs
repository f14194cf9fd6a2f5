//! `/.mediafs`: what went wrong, what was kept, and how the daemon is.
//! Does not change anything but the quarantine, from which files may be taken.

use std::sync::Arc;

use serde_json::json;

use crate::attachment::{Access, Times};
use crate::refusal::RefusalId;
use crate::slot::Name;
use crate::timestamp::Timestamp;
use crate::tree::attr::{Attr, Caching, Entry, Kind, Opened};
use crate::tree::handles::Handle;
use crate::tree::node::Node;
use crate::tree::ops::files::failed;
use crate::tree::ops::stat::fleeting;
use crate::tree::{Caller, Error, Result, Tree};

const REASON: &str = "reason.json";

impl Tree {
    pub(in crate::tree) fn lookup_control(
        &self,
        who: Caller,
        parent: Node,
        name: &Name,
    ) -> Result<Entry> {
        let node = match (parent, name.as_str()) {
            (Node::Control, "status.json") => Node::Status,
            (Node::Control, "errors.jsonl") => Node::Errors,
            (Node::Control, "last-error") => Node::LastError,
            (Node::Control, "quarantine") => Node::Quarantine,
            (Node::Quarantine, text) => {
                Node::QuarantineEntry(RefusalId::parse(text).ok_or(Error::NotFound)?)
            }
            (Node::QuarantineEntry(id), REASON) => Node::QuarantineReason(id),
            (Node::QuarantineEntry(id), text) => {
                let kept = self.library.quarantine().find(id).ok_or(Error::NotFound)?;
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
            Node::Status => file(self.status()?.len() as u64, 0o444, now),
            Node::LastError => file(self.last_error(who).len() as u64, 0o444, now),
            // Other users' names and paths stand in it.
            Node::Errors => file(self.errors_length()?, 0o400, now),
            Node::Quarantine => {
                let mut attr = self.view(node, now);
                attr.access.mode = 0o755;
                attr
            }
            Node::QuarantineEntry(id) => {
                let kept = self.library.quarantine().find(id).ok_or(Error::Stale)?;
                let mut attr = self.view(node, Times::all(kept.time));
                attr.access = Access { uid: kept.uid, mode: 0o700, ..attr.access };
                attr
            }
            Node::QuarantineBytes(id) => {
                let kept = self.library.quarantine().find(id).ok_or(Error::Stale)?;
                let mut attr = file(kept.length, 0o600, Times::all(kept.time));
                attr.access.uid = kept.uid;
                attr
            }
            Node::QuarantineReason(id) => self.stat_reason(node, id)?,
            _ => return Err(Error::Stale),
        })
    }

    fn stat_reason(&self, node: Node, id: RefusalId) -> Result<Attr> {
        let quarantine = self.library.quarantine();
        let kept = quarantine.find(id).ok_or(Error::Stale)?;
        let size = quarantine.open_reason(id).and_then(|file| file.metadata());
        let access = Access { uid: kept.uid, mode: 0o400, ..self.daemon() };
        Ok(Attr {
            ino: node.ino(),
            kind: Kind::File,
            size: size.map_err(failed)?.len(),
            links: 1,
            access,
            times: Times::all(kept.time),
        })
    }

    pub(in crate::tree) fn open_control(&self, who: Caller, node: Node) -> Result<Opened> {
        let quarantine = self.library.quarantine();
        let open = |file: std::io::Result<std::fs::File>| {
            let file = Arc::new(file.map_err(failed)?);
            Ok::<_, Error>(Handle::Blob { file, attachment: None })
        };
        let handle = match node {
            Node::Status => Handle::Text(self.status()?.into_bytes()),
            Node::LastError => Handle::Text(self.last_error(who).into_bytes()),
            Node::Errors => open(self.library.refusals().open_log())?,
            Node::QuarantineBytes(id) => open(quarantine.open_bytes(id))?,
            Node::QuarantineReason(id) => open(quarantine.open_reason(id))?,
            other if other.is_directory() => return Err(Error::IsDirectory),
            _ => return Err(Error::Stale),
        };
        Ok(Opened { fh: self.handles.add(handle), caching: Caching::Never })
    }

    pub(in crate::tree) fn list_control(&self, node: Node) -> Result<Vec<(Node, String)>> {
        let quarantine = self.library.quarantine();
        Ok(match node {
            Node::Control => vec![
                (Node::Status, "status.json".to_owned()),
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
                let kept = quarantine.find(id).ok_or(Error::Stale)?;
                vec![
                    (Node::QuarantineBytes(id), kept.name),
                    (Node::QuarantineReason(id), REASON.to_owned()),
                ]
            }
            _ => return Err(Error::NotDirectory),
        })
    }

    /// `rm` in the quarantine removes the entry with its bytes; its reason alone cannot be removed.
    pub(in crate::tree) fn unlink_quarantined(&self, id: RefusalId, name: &Name) -> Result<()> {
        let quarantine = self.library.quarantine();
        let kept = quarantine.find(id).ok_or(Error::NotFound)?;
        match name.as_str() {
            // `rm -r` takes the reason first or last; the entry goes with `rmdir`.
            REASON => Ok(()),
            text if text == kept.name => quarantine.remove(id).map_err(failed),
            _ => Err(Error::NotFound),
        }
    }

    pub(in crate::tree) fn remove_quarantined(&self, name: &Name) -> Result<()> {
        match RefusalId::parse(name.as_str()) {
            Some(id) => self.library.quarantine().remove(id).map_err(failed),
            None => Err(Error::NotFound),
        }
    }

    /// What a user was told last.
    fn last_error(&self, who: Caller) -> String {
        self.library.refusals().last_of(who.uid).map_or_else(String::new, |line| line.text())
    }

    fn errors_length(&self) -> Result<u64> {
        let log = self.library.refusals().open_log().and_then(|file| file.metadata());
        Ok(log.map_err(failed)?.len())
    }

    fn boxes_status(&self) -> serde_json::Map<String, serde_json::Value> {
        let boxes = self.library.boxes().iter().map(|drop_box| {
            let (taken, refused) = drop_box.counts();
            (drop_box.rule.name.to_string(), json!({ "taken": taken, "refused": refused }))
        });
        boxes.collect()
    }

    fn status(&self) -> Result<String> {
        let totals = self.library.totals()?;
        let workers = self.library.pipeline().status();
        let refusals: serde_json::Map<_, _> = self
            .library
            .refusals()
            .counts()
            .into_iter()
            .map(|(rule, count)| (rule.key().to_owned(), json!(count)))
            .collect();
        let status = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "started": self.started.as_rfc3339(),
            "library": {
                "rows": totals.rows,
                "attachments": totals.attachments,
                "blobs": totals.blobs,
                "variants": totals.variants,
                "scratch": totals.scratch,
                "bytes": totals.bytes,
            },
            "trash": { "files": totals.retired, "bytes": totals.retired_bytes },
            "open": { "handles": self.handles.count(), "drafts": self.drafts.len(), "arrivals": self.arrivals.len() },
            "workers": {
                "live": workers.live,
                "busy": workers.busy,
                "waiting": workers.waiting,
                "spawned": workers.spawned,
                "killed": workers.killed,
            },
            "boxes": self.boxes_status(),
            "refusals": refusals,
            "quarantine": self.library.quarantine().list().len(),
        });
        Ok(format!("{status:#}\n"))
    }
}

/// For a lookup, what is gone is not there.
fn gone(error: Error) -> Error {
    match error {
        Error::Stale => Error::NotFound,
        other => other,
    }
}
