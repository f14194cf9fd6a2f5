//! The texts of documents that were composed a moment ago: programs ask for the size of a document before they read it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use crate::library::json::unreadable::{Hidden, May};
use words::attachment::{Access, RowId};
use words::timestamp::Timestamp;

/// The most texts that are kept, and the most bytes of all of them. The oldest make room; a longer text is not kept.
const KEPT: usize = 64;
const KEPT_BYTES: usize = 32 << 20;

/// The text of a document.
#[derive(Debug, Clone)]
pub struct Composed {
    pub text: Arc<str>,
    /// When an attachment of the row was changed last. An editor's swap file would change the row's own time, and so alarm the
    /// editor.
    pub changed: Timestamp,
    /// The accesses of the row's files, and which of them the text hides.
    pub(super) accesses: BTreeSet<Access>,
    pub(super) hidden: Hidden,
}

/// The count of commits and the facts beside the catalogue that a text was composed of.
type Of = (u64, Value);

#[derive(Debug, Default)]
pub struct Texts(VecDeque<(RowId, Of, Composed)>);

impl Texts {
    /// The text of a row for this reader, if nothing has changed since it was composed.
    pub fn find(
        &self,
        row: RowId,
        commits: Option<u64>,
        facts: &Value,
        may: May<'_>,
    ) -> Option<Composed> {
        let is_current = |(then, known): &Of| Some(*then) == commits && known == facts;
        let is_for = |it: &Composed| it.hidden == Hidden::among(&it.accesses, may);
        let mut own = self.0.iter().filter(|(other, of, _)| *other == row && is_current(of));
        own.find(|(.., it)| is_for(it)).map(|(.., it)| it.clone())
    }

    /// Keeps a text, and no older one of the row.
    pub fn keep(&mut self, row: RowId, of: Of, composed: Composed) {
        self.0.retain(|(other, then, _)| *other != row || *then == of);
        self.0.push_back((row, of, composed));
        let bytes = |texts: &VecDeque<(RowId, Of, Composed)>| {
            texts.iter().map(|(.., composed)| composed.text.len()).sum::<usize>()
        };
        while self.0.len() > KEPT || bytes(&self.0) > KEPT_BYTES {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn composed(length: usize) -> Composed {
        let (accesses, hidden) = <_>::default();
        Composed { text: "x".repeat(length).into(), changed: Timestamp(0), accesses, hidden }
    }

    #[test]
    fn a_text_is_kept_until_something_changes() {
        let mut texts = Texts::default();
        texts.keep(RowId(1), (7, Value::Null), composed(3));
        let is_kept = |row, commits, facts: &Value| {
            texts.find(RowId(row), commits, facts, &|_, _| true).is_some()
        };
        assert!(is_kept(1, Some(7), &Value::Null));
        assert!(!is_kept(1, Some(8), &Value::Null) && !is_kept(1, None, &Value::Null));
        assert!(!is_kept(1, Some(7), &Value::Bool(true)) && !is_kept(2, Some(7), &Value::Null));
    }

    #[test]
    fn kept_texts_are_bounded_in_number_and_bytes() {
        let mut texts = Texts::default();
        for row in 0..KEPT as u64 + 9 {
            texts.keep(RowId(row), (7, Value::Null), composed(1));
        }
        assert_eq!(texts.0.len(), KEPT);
        texts.keep(RowId(1), (7, Value::Null), composed(KEPT_BYTES));
        assert_eq!(texts.0.len(), 1);
        texts.keep(RowId(2), (7, Value::Null), composed(KEPT_BYTES + 1));
        assert_eq!(texts.0.len(), 0);
    }
}
