//! The totals in memory, counted anew for each question.

use std::collections::BTreeMap;

use super::Memory;
use crate::catalog::error::Result;
use crate::catalog::summary::{Census, Occupied, Summary, Totals};

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

    fn census(&self) -> Result<Census> {
        let state = self.state("census");
        let named = |id| state.tables.iter().find(|(_, known)| **known == id).map(|(name, _)| name);
        let mut rows = BTreeMap::new();
        for table in state.rows.values().filter_map(|row| named(row.table)) {
            *rows.entry(table.clone()).or_default() += 1;
        }
        let mut places = BTreeMap::<_, (u64, u64)>::new();
        for (place, link) in &state.links {
            let table = state.rows.get(&place.row).and_then(|row| named(row.table));
            let key = (table, place.field.clone(), place.item.is_some());
            let (files, originals) = places.entry(key).or_default();
            let entry = state.attachments.get(&link.attachment);
            *files += 1;
            *originals += u64::from(entry.is_some_and(|it| it.attachment.original.is_some()));
        }
        let occupied = |((table, field, in_items), (files, originals)): ((Option<&_>, _, _), _)| {
            Some(Occupied { table: Clone::clone(table?), field, in_items, files, originals })
        };
        let places = places.into_iter().filter_map(occupied).collect();
        Ok(Census { rows: rows.into_iter().collect(), places })
    }

    fn commits(&self) -> Option<u64> {
        Some(self.state.lock().commits)
    }
}
