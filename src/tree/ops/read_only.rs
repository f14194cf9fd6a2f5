//! Operations of a read-only tree, which opens no handles.

use crate::tree::error::{Error, Result};
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use crate::tree::open::handles::Stored;
use crate::tree::ops::Tree;
use words::slot::Name;

impl Tree {
    /// The stored file of an inode, even if it has lost its name and is not swept yet.
    pub fn file_of(&self, ino: Ino) -> Result<Stored> {
        let asked = Node::at(ino)?;
        let (opened, length) = match asked {
            Node::Attachment(id, _) | Node::Original(id, _) => {
                let (side, found) = (Side::of(asked), self.library.lookup.attachment(id)?);
                let shown = side.face(found.ok_or(Error::Stale)?);
                if side == Side::Originals && side.file(&shown) != asked {
                    return Err(Error::Stale);
                }
                (self.library.blobs.open(&shown), shown.content.length)
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
            // The daemon that writes may have swept it since.
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

    /// Whether a directory is that of a row or of a collection, on either side or in `/thumbs`: its times change with its names.
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

    /// The name of a row's directory.
    pub fn name_of(&self, ino: Ino) -> Result<Option<Name>> {
        Ok(match Node::at(ino)? {
            Node::Row(_, id) | Node::OriginalRow(_, id) | Node::ThumbRow(_, id) => {
                self.library.lookup.row_by_id(id)?.map(|row| row.name)
            }
            _ => None,
        })
    }
}
