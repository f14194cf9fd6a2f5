//! Operations of a tree for those who only read, which opens no handles.

use crate::tree::error::{Error, Result};
use crate::tree::node::side::{Side, as_sent};
use crate::tree::node::{Ino, Node};
use crate::tree::open::opened::Stored;
use crate::tree::ops::Tree;
use words::slot::Name;

impl Tree {
    /// The bytes of an inode, also of one that has lost its name and is not swept yet.
    pub fn file_of(&self, ino: Ino) -> Result<Stored> {
        let asked = Node::at(ino)?;
        let (opened, length) = match asked {
            Node::Attachment(id, _) => {
                let found = self.library.lookup.attachment(id)?.ok_or(Error::Stale)?;
                (self.library.blobs.open(&found), found.content.length)
            }
            Node::Original(id, _) => {
                let sent = as_sent(self.library.lookup.attachment(id)?.ok_or(Error::Stale)?);
                if Side::Originals.file(&sent) != asked {
                    return Err(Error::Stale);
                }
                (self.library.blobs.open(&sent), sent.content.length)
            }
            Node::Variant(id) => {
                let found = self.library.variants.by_id(id)?.ok_or(Error::Stale)?;
                (self.library.blobs.open_rendered(&found), found.content.length)
            }
            other if other.is_directory() => return Err(Error::IsDirectory),
            _ => return Err(Error::Stale),
        };
        match opened {
            Ok(file) => Ok(Stored { file, length }),
            // Swept since, by the daemon that writes.
            Err(error) => Err(if self.is_gone(asked)? { Error::Stale } else { error.into() }),
        }
    }

    fn is_gone(&self, asked: Node) -> Result<bool> {
        Ok(match asked {
            Node::Attachment(id, _) | Node::Original(id, _) => {
                self.library.lookup.attachment(id)?.is_none()
            }
            Node::Variant(id) => self.library.variants.by_id(id)?.is_none(),
            _ => true,
        })
    }

    /// Whether the names in a directory change only when its own times do: those of a row, or of a collection, do.
    pub fn names_move(&self, directory: Ino) -> bool {
        matches!(
            Node::of(directory),
            Some(
                Node::Row(..)
                    | Node::Collection(..)
                    | Node::OriginalRow(..)
                    | Node::OriginalCollection(..)
                    | Node::ThumbRow(..)
                    | Node::ThumbCollection(..)
            )
        )
    }

    /// The name of the row that an inode stands for.
    pub fn name_of(&self, ino: Ino) -> Result<Option<Name>> {
        Ok(match Node::at(ino)? {
            Node::Row(_, id) | Node::OriginalRow(_, id) | Node::ThumbRow(_, id) => {
                self.library.lookup.row_by_id(id)?.map(|row| row.name)
            }
            _ => None,
        })
    }

    /// Counts changes, here and elsewhere.
    pub fn changes(&self) -> u64 {
        self.kernel.changes()
    }

    /// Another daemon has changed something in the library.
    pub fn changed_elsewhere(&self) {
        self.kernel.count_change();
    }
}
