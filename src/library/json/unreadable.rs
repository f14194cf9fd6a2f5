//! The files of a row that a reader of `row.json` may not read. The document says of them what `ls -l` says.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::library::limit::permission::Act;
use words::attachment::{Access, Attachment};
use words::link::Link;

/// Whether a user may do something to a file of the row with this access.
pub type May<'m> = &'m dyn Fn(Act, Access) -> bool;

/// The accesses that hide a file from a reader. All readers from whom nothing is hidden share one document; so do all others from
/// whom the same is hidden.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Hidden(BTreeSet<Access>);

impl Hidden {
    pub fn among(accesses: &BTreeSet<Access>, may: May<'_>) -> Self {
        Self(accesses.iter().copied().filter(|access| !may(Act::Read, *access)).collect())
    }

    pub fn has(&self, attachment: &Attachment) -> bool {
        self.0.contains(&attachment.access)
    }
}

/// The accesses of the files of a row, of which there are few.
pub(super) fn accesses(links: &[Link]) -> BTreeSet<Access> {
    links.iter().map(|link| link.attachment.access).collect()
}

/// A hidden attachment: its size alone. The name is that of its field, item or key.
pub(super) fn outline(attachment: &Attachment) -> Map<String, Value> {
    Map::from_iter([("length".into(), json!(attachment.content.length))])
}
