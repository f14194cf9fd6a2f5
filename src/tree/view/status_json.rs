//! `/.mediafs/status.json`: the contents of the library, the work of the daemon, and the usage of the tables' quotas. Everybody
//! may read it, so no file or user is named.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::fence::Fenced;
use crate::library::Library;
use crate::library::arrive::downloads::Progress;
use crate::library::blob_files::store_names::StoreStatus;
use crate::library::keep::expiry::ScratchStatus;
use crate::library::lookup::table::Table;
use crate::tree::activity::Activity;
use crate::tree::error::Result;
use crate::tree::kernel::Delivery;
use crate::tree::kernel::tell::Knowledge;
use crate::tree::open::Open;
use crate::tree::show::Show;
use words::quota::{Account, Quota, Usage};
use words::timestamp::Timestamp;

pub struct Status {
    pub(super) library: Arc<Library>,
    pub(super) kernel: Arc<Knowledge>,
    pub(super) show: Arc<Show>,
    pub(super) open: Arc<Open>,
    pub(super) activity: Arc<Activity>,
}

impl Status {
    pub fn text(&self) -> Result<String> {
        Ok(format!("{:#}\n", self.value()?))
    }

    /// The status as `mediafs status` shows it.
    pub fn value(&self) -> Result<Value> {
        let totals = self.library.lookup.totals()?;
        let awaiting = self.library.counts.awaiting_quarantine();
        let workers = self.library.pipeline.status();
        let refusals: Map<_, _> = self
            .library
            .journal
            .counts()
            .into_iter()
            .map(|(rule, count)| (rule.to_string(), json!(count)))
            .collect();
        let store = |it: StoreStatus| {
            (it.name, json!({ "files": it.files, "bytes": it.bytes, "free": it.free }))
        };
        let stores: Map<_, _> =
            self.library.store_names.statuses()?.into_iter().map(store).collect();
        let downloads: Vec<_> = self.library.urls.downloads.list().iter().map(shown).collect();
        Ok(json!({
            "version": env!("CARGO_PKG_VERSION"),
            "started": self.show.started.as_rfc3339(),
            "fenced": self.library.fence.raised().map(fenced),
            "library": {
                "rows": totals.rows,
                "attachments": totals.attachments,
                "blobs": totals.blobs,
                "variants": totals.variants,
                "scratch": totals.scratch,
                "bytes": totals.bytes,
                "damaged": self.library.blobs.damaged(),
            },
            "stores": stores,
            "scratch": self.scratch(),
            "awaiting_quarantine": { "files": awaiting.0, "bytes": awaiting.1 },
            "hidden": self.library.hidden.known().as_deref(),
            "trash": { "files": totals.retired, "bytes": totals.retired_bytes },
            "passthrough": self.passthrough_status(),
            "open": {
                "handles": self.open.handles.count(),
                "drafts": self.open.drafts.len(),
                "arrivals": self.open.boxes.files.count(),
            },
            "workers": {
                "live": workers.live,
                "busy": workers.busy,
                "waiting": workers.waiting,
                "spawned": workers.spawned,
                "killed": workers.killed,
            },
            "downloads": downloads,
            "boxes": self.boxes_status(),
            "refusals": refusals,
            "tables": self.tables()?,
            "quarantine": self.library.quarantine.count(),
        }))
    }

    fn scratch(&self) -> Value {
        let ScratchStatus { files, bytes, next_expiry } = self.library.expiry.status();
        json!({
            "files": files,
            "bytes": bytes,
            "next_expiry": next_expiry.map(Timestamp::as_rfc3339),
        })
    }

    /// Whether the kernel reads large files by itself, or why it does not.
    fn passthrough_status(&self) -> Value {
        match self.kernel.delivery() {
            Some(Delivery::Passthrough) => json!({ "on": true }),
            Some(Delivery::Daemon(because)) => json!({ "on": false, "because": because }),
            None => json!({ "on": false }),
        }
    }

    fn boxes_status(&self) -> Map<String, Value> {
        let boxes = self.library.lookup.boxes().iter().map(|drop_box| {
            let (taken, refused) = self.library.boxes.counts(drop_box.row);
            (drop_box.rule.name.to_string(), json!({ "taken": taken, "refused": refused }))
        });
        boxes.collect()
    }

    fn tables(&self) -> Result<Map<String, Value>> {
        let usage = |table: &Table| {
            let account = Account::Table(table.id);
            let Usage { files, bytes } = self.library.quotas.usage(account)?;
            let (_, drafts) = self.open.drafts.count(0, &table.name);
            let quota = quota(self.library.quotas.limits().of(account));
            let used = json!({ "files": files, "bytes": bytes, "drafts": drafts, "quota": quota });
            Ok((table.name.to_string(), used))
        };
        self.library.lookup.tables().iter().map(usage).collect()
    }
}

fn fenced(fenced: &Fenced) -> Value {
    json!({ "since": fenced.since.as_rfc3339(), "because": fenced.because })
}

/// The limits of a quota that are set.
fn quota(quota: Quota) -> Map<String, Value> {
    let Quota { bytes, files, drafts, scratch } = quota;
    let all = [("bytes", bytes), ("files", files), ("drafts", drafts), ("scratch", scratch)];
    all.into_iter().filter_map(|(key, most)| Some((key.to_owned(), json!(most?)))).collect()
}

fn shown(download: &Progress) -> Value {
    json!({
        "path": download.path,
        "host": download.host,
        "received": download.received,
        "expected": download.expected,
        "seconds": download.running.as_secs(),
    })
}
