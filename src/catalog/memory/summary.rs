//! The totals in memory, counted anew for each question.

use super::Memory;
use crate::catalog::error::Result;
use crate::catalog::summary::{Summary, Totals};

impl Summary for Memory {
    fn totals(&self) -> Result<Totals> {
        let state = self.state("totals");
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        let live: Vec<_> = state.blobs.values().filter(|blob| blob.is_live()).collect();
        let contents = live.iter().filter_map(|blob| blob.stored.as_ref());
        let attachments = state.attachments.values().map(|entry| &entry.attachment);
        let (linked, retired): (Vec<_>, Vec<_>) = attachments.partition(|it| it.links > 0);
        Ok(Totals {
            rows: count(state.rows.len()),
            attachments: count(linked.len()),
            blobs: count(live.len()),
            variants: count(state.variants.len()),
            scratch: count(state.scratch.len()),
            bytes: contents.map(|(_, content)| content.length).sum(),
            retired: count(retired.len()),
            retired_bytes: retired.iter().map(|it| it.content.length).sum(),
        })
    }

    fn commits(&self) -> Option<u64> {
        Some(self.state.lock().commits)
    }
}
