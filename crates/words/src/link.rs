//! A link: a name of an attachment in the tree.

use crate::attachment::Attachment;
use crate::place::Place;
use crate::slot::Name;

/// A slot with the attachment that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    pub place: Place,
    /// The name that the field was written with: `avatar`, `avatar.JPG`.
    pub written: Name,
    pub attachment: Attachment,
    /// The position that orders the items of a collection; 0 in a field that holds one file.
    pub position: u64,
}

/// The treatment of a name that is taken already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Collision {
    /// The attachment that had the name loses it.
    Replace,
    /// Fails if the name is taken (`RENAME_NOREPLACE`, `link`).
    Refuse,
    /// The two attachments change places (`RENAME_EXCHANGE`). Fails if the name is free.
    Exchange,
}
