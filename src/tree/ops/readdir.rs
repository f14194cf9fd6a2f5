//! Listing directories. A directory lists the same for everybody.

use crate::tree::error::{Error, Result};
use crate::tree::node::{Ino, Node};
use crate::tree::ops::Tree;
use crate::tree::show::child::{DOTS, dots, fixed};
use crate::tree::show::listing::{Listed, Page};

impl Tree {
    /// Entries that follow a place; reading begins at 0. A table of any size is read page by page.
    pub fn readdir(&self, ino: Ino, after: u64) -> Result<Page> {
        match Node::at(ino)? {
            Node::Table(_)
            | Node::OriginalTable(_)
            | Node::ThumbTable(_)
            | Node::Trash
            | Node::TrashDay(_) => self.list_page(ino, after),
            other if !other.is_directory() => Err(Error::NotDirectory),
            _ => self.list_whole(ino, after),
        }
    }

    /// A whole directory. Reading from the start again (`rewinddir`) sees what there is now.
    fn list_whole(&self, directory: Ino, after: u64) -> Result<Page> {
        let changes = self.kernel.changes();
        if after > 0
            && let Some(rest) = self.listings.after(directory, after, changes)
        {
            return Ok(rest);
        }
        let entries = self.list(directory)?;
        let page = self.listings.keep(directory, entries, changes, self.kernel.changes());
        Ok(page.from(after))
    }

    /// A page begins with the dots if it is the first.
    fn list_page(&self, directory: Ino, offset: u64) -> Result<Page> {
        let mut listed = if offset < DOTS { dots(directory) } else { Vec::new() };
        listed.drain(..usize::try_from(offset).unwrap_or(0).min(listed.len()));
        let after = offset.saturating_sub(DOTS);
        let (tables, trash) = (&self.view.tables, &self.view.trash);
        let page = match Node::at(directory)? {
            Node::Table(table) => tables.list_rows(table, after, Node::Row)?,
            Node::OriginalTable(table) => tables.list_rows(table, after, Node::OriginalRow)?,
            Node::ThumbTable(table) => tables.list_rows(table, after, Node::ThumbRow)?,
            Node::Trash => trash.list_days(after)?,
            Node::TrashDay(day) => trash.list(day, after)?,
            _ => return Err(Error::NotDirectory),
        };
        listed.extend(page.into_iter().map(|child| self.show.listed(child)));
        Ok(Page::part(listed))
    }

    fn list(&self, ino: Ino) -> Result<Vec<Listed>> {
        let view = &self.view;
        let found = match Node::at(ino)? {
            Node::Root => fixed(view.tables.list_root()),
            node @ (Node::Models | Node::Thumbs | Node::Originals) => fixed(view.tables.list(node)),
            Node::Drop => fixed(view.boxes.list()),
            Node::DropBox(row) => view.listing.drop_box(row)?,
            Node::Row(..) | Node::OriginalRow(..) => {
                view.listing.row(&self.places.directory(ino)?)?
            }
            Node::Collection(..) | Node::OriginalCollection(..) => {
                view.listing.collection(&self.places.directory(ino)?)?
            }
            node @ (Node::ThumbRow(..)
            | Node::ThumbCollection(..)
            | Node::ThumbField(..)
            | Node::GuardedThumbs(..)) => view.thumbs.list(node)?,
            other => fixed(view.control.list(other)?),
        };
        let shown = found.into_iter().filter(|child| self.places.shows(child.node));
        Ok(dots(ino).into_iter().chain(shown.map(|child| self.show.listed(child))).collect())
    }
}
