//! Editions: the bytes that were sent for an attachment, told apart from those that were sent for it before.

use crate::tree::node::mark::Mark;
use words::attachment::{Attachment, BlobKey};

/// 16 bits that differ between what was sent for an attachment at different times: the same picture may be sent with another
/// comment. An inode of `/originals` carries them, so that its bytes never change and the kernel may keep its pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Edition(u16);

impl Edition {
    /// The lower bits of the number of the blob.
    pub fn of(key: BlobKey) -> Self {
        Self::from_number(key.generation)
    }

    pub fn from_number(number: u64) -> Self {
        Self(u16::try_from(number & 0xffff).unwrap_or_default())
    }

    pub fn number(self) -> u64 {
        self.0.into()
    }

    /// The edition combined with one of the attachment's names, in the same 16 bits.
    pub fn under(self, mark: Mark) -> Self {
        Self::from_number(self.number() ^ mark.number())
    }

    /// The name that [`Edition::under`] combined it with, if the bytes are those that are shown now.
    pub fn mark(self, shown: &Attachment) -> Mark {
        Mark::from_number(self.number() ^ Self::of(shown.blob).number())
    }
}
