//! A link: a place with the attachment that hangs from it.

use crate::attachment::Attachment;
use crate::place::Place;
use crate::slot::Name;

/// A slot with what hangs from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub place: Place,
    /// The name that the field was written with: `avatar`, `avatar.JPG`.
    pub written: Name,
    pub attachment: Attachment,
    /// Its place among the items of a collection, which follow one another by it; 0 elsewhere.
    pub position: u64,
}

/// How a name may be given to what may be taken already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collision {
    /// What was there loses the name.
    Replace,
    /// [`Error::Taken`] if anything is there (`RENAME_NOREPLACE`, `link`).
    Refuse,
    /// Both change places (`RENAME_EXCHANGE`); [`Error::Missing`] if nothing is there.
    Exchange,
}
