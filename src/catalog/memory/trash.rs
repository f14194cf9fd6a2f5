//! Retired attachments in memory.

use super::{Entry, Memory};
use crate::catalog::error::Result;
use crate::catalog::trash::Trash;
use words::attachment::AttachmentId;
use words::retired::{Orphan, Retired};
use words::timestamp::Timestamp;

impl Trash for Memory {
    fn retired(&self, since: Timestamp, limit: usize) -> Result<Vec<Retired>> {
        let state = self.state("retired");
        let mut found: Vec<_> = state.attachments.values().filter_map(retired).collect();
        found.retain(|retired| retired.at >= since);
        found.sort_by_key(|retired| (retired.at, retired.attachment.id));
        found.truncate(limit);
        Ok(found)
    }

    fn retired_by_id(&self, id: AttachmentId) -> Result<Option<Retired>> {
        Ok(self.state("retired_by_id").attachments.get(&id).and_then(retired))
    }

    fn first_retired(&self, dashed: &str, since: Timestamp) -> Result<Option<Retired>> {
        let state = self.state("first_retired");
        let is_wanted = |retired: &Retired| {
            retired.at >= since && retired.slot.to_string().replace('/', "-") == dashed
        };
        let found = state.attachments.values().filter_map(retired).filter(is_wanted);
        Ok(found.min_by_key(|retired| (retired.at, retired.attachment.id)))
    }

    fn renew(&self, id: AttachmentId, now: Timestamp) -> Result<()> {
        let mut state = self.state("renew");
        let entry = state.attachments.get_mut(&id);
        if let Some(retirement) = entry.and_then(|entry| entry.retired.as_mut()) {
            retirement.at = now;
        }
        Ok(())
    }

    fn orphans(&self, after: AttachmentId, limit: usize) -> Result<Vec<Retired>> {
        let state = self.state("orphans");
        let later = state.attachments.values().filter(|entry| entry.attachment.id > after);
        let orphans = later.filter_map(retired).filter(|it| it.orphan == Orphan::Keep);
        Ok(orphans.take(limit).collect())
    }
}

fn retired(entry: &Entry) -> Option<Retired> {
    let retirement = entry.retired.clone()?;
    Some(Retired {
        attachment: entry.attachment.clone(),
        slot: retirement.slot,
        written: retirement.written,
        at: retirement.at,
        orphan: retirement.orphan,
    })
}
