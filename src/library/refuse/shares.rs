//! Shares of the quarantine: which entries are counted together, and which are deleted for others. Touches no file.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fmt;

use crate::library::refuse::kept::Kept;
use words::quarantine_bounds::Bounds;
use words::quota::Usage;
use words::refusal::{RefusalId, Rule};
use words::timestamp::Timestamp;

/// The most entries of expired scratch. Each takes memory.
const MAX_EXPIRED: u64 = 1_000_000;

/// A group of entries with bounds of its own. No entry is deleted for one of another group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Share {
    /// Refused files, whose writers were told. The oldest entry of the user who has most is deleted first.
    Refused,
    /// Drafts that nobody closed. None is deleted for another: a draft that finds no room stays where it is.
    Interrupted,
    /// Expired scratch, whose writers were told success. Bounded by age alone.
    Expired,
}

/// Why an entry is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bound {
    Age,
    Count,
    Size,
}

impl Share {
    fn of(rule: Rule) -> Self {
        match rule {
            Rule::Interrupted => Self::Interrupted,
            Rule::Expired => Self::Expired,
            _ => Self::Refused,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Age => "it is older than [quarantine] age",
            Self::Count => "newer files need its place ([quarantine] count)",
            Self::Size => "newer files need its room ([quarantine] size)",
        })
    }
}

/// All entries, oldest first, with what each share has.
#[derive(Debug, Default)]
pub(super) struct Entries {
    kept: BTreeMap<RefusalId, Kept>,
    used: BTreeMap<Share, Usage>,
}

impl Entries {
    pub fn all(&self) -> &BTreeMap<RefusalId, Kept> {
        &self.kept
    }

    pub fn insert(&mut self, id: RefusalId, kept: Kept) {
        let used = self.used.entry(Share::of(kept.rule)).or_default();
        used.files += 1;
        used.bytes = used.bytes.saturating_add(kept.length);
        self.kept.insert(id, kept);
    }

    pub fn remove(&mut self, id: RefusalId) -> Option<Kept> {
        let kept = self.kept.remove(&id)?;
        let used = self.used.entry(Share::of(kept.rule)).or_default();
        used.files = used.files.saturating_sub(1);
        used.bytes = used.bytes.saturating_sub(kept.length);
        Some(kept)
    }

    /// Whether there is room for an entry. A refused file always has room: others are deleted for it.
    pub fn has_room(&self, kept: &Kept, bounds: Bounds) -> bool {
        let share = Share::of(kept.rule);
        let (files, bytes) = match share {
            Share::Refused => return true,
            Share::Interrupted => (bounds.count as u64, bounds.bytes),
            Share::Expired => (MAX_EXPIRED, u64::MAX),
        };
        let used = self.used(share);
        used.files < files && used.bytes.saturating_add(kept.length) <= bytes
    }

    /// The entries that are too old. The newest of all stays, since its writer may be looking for it.
    pub fn old(&self, bounds: Bounds, now: Timestamp) -> Vec<RefusalId> {
        let newest = self.kept.last_key_value().map(|(id, _)| *id);
        let is_old = |kept: &Kept| now.since(kept.time) > bounds.age;
        // Ids follow time, except for unreadable entries: their time is that of their directory.
        let first = self.kept.iter();
        let first = first.take_while(|(_, it)| is_old(it) || it.rule == Rule::Unreadable);
        let old = first.filter(|(id, kept)| is_old(kept) && Some(**id) != newest);
        old.map(|(id, _)| *id).collect()
    }

    /// The refused file to delete next, if there are too many or too large ones. The newest stays, however large.
    pub fn surplus(&self, bounds: Bounds) -> Option<(RefusalId, Bound)> {
        let used = self.used(Share::Refused);
        if used.files <= bounds.count as u64 && used.bytes <= bounds.bytes {
            return None;
        }
        let refused = self.kept.iter().filter(|(_, it)| Share::of(it.rule) == Share::Refused);
        let (newest, last) = refused.clone().next_back()?;
        let alone = if last.length > bounds.bytes { last.length } else { 0 };
        let bound = if used.files > bounds.count as u64 {
            Bound::Count
        } else if used.bytes.saturating_sub(alone) > bounds.bytes {
            Bound::Size
        } else {
            return None;
        };
        let mut of_uid: HashMap<u32, (u64, Option<RefusalId>)> = HashMap::new();
        for (id, kept) in refused {
            let (amount, oldest) = of_uid.entry(kept.uid).or_default();
            *amount += if bound == Bound::Count { 1 } else { kept.length };
            *oldest = oldest.or(Some(*id).filter(|id| id != newest));
        }
        let goes = of_uid.into_values().filter_map(|(amount, oldest)| Some((amount, oldest?)));
        goes.max_by_key(|(amount, oldest)| (*amount, Reverse(*oldest))).map(|(_, id)| (id, bound))
    }

    fn used(&self, share: Share) -> Usage {
        self.used.get(&share).copied().unwrap_or_default()
    }
}
