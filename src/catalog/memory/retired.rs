//! What is detached, in memory: attachments without a name, and the name that each lost last.
//! Does not decide how long they stay.

use super::{Kept, State};
use words::attachment::AttachmentId;
use words::retired::{Orphan, Retired};
use words::timestamp::Timestamp;

impl State {
    pub(super) fn retired(
        &self,
        since: Timestamp,
        after: Option<(Timestamp, AttachmentId)>,
        limit: usize,
    ) -> Vec<Retired> {
        let mut found: Vec<_> = self.attachments.values().filter_map(describe).collect();
        found.retain(|retired| retired.at >= since);
        found.retain(|retired| after.is_none_or(|last| (retired.at, retired.attachment.id) > last));
        found.sort_by_key(|retired| (retired.at, retired.attachment.id));
        found.truncate(limit);
        found
    }

    pub(super) fn retired_by_id(&self, id: AttachmentId) -> Option<Retired> {
        self.attachments.get(&id).and_then(describe)
    }

    pub(super) fn first_retired(&self, dashed: &str, since: Timestamp) -> Option<Retired> {
        let same = |retired: &Retired| retired.slot.to_string().replace('/', "-") == dashed;
        self.retired(since, None, usize::MAX).into_iter().find(same)
    }

    pub(super) fn renew(&mut self, id: AttachmentId, now: Timestamp) {
        let kept = self.attachments.get_mut(&id);
        if let Some(retirement) = kept.and_then(|kept| kept.retired.as_mut()) {
            retirement.at = now;
        }
    }

    pub(super) fn orphans(&self, after: AttachmentId, limit: usize) -> Vec<Retired> {
        let retired = self.attachments.values().filter_map(describe);
        let kept = retired.filter(|retired| retired.orphan == Orphan::Keep);
        kept.filter(|retired| retired.attachment.id > after).take(limit).collect()
    }
}

fn describe(kept: &Kept) -> Option<Retired> {
    let retirement = kept.retired.clone()?;
    Some(Retired {
        attachment: kept.attachment.clone(),
        slot: retirement.slot,
        written: retirement.written,
        at: retirement.at,
        orphan: retirement.orphan,
    })
}
