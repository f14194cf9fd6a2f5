//! The names in directories: `lookup` and `readdir`.

use std::ffi::OsStr;

use crate::tree::error::{Error, Result};
use crate::tree::node::meaning::{self, Directory, Meaning, Spot};
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use crate::tree::open::redirect::Seeks;
use crate::tree::ops::Tree;
use crate::tree::ops::delayed::{self, placed};
use crate::tree::request::Caller;
use crate::tree::show::attr::{Entry, Lifetime};
use crate::tree::show::listing::{DOTS, Listed, Page, dots, fixed};
use crate::tree::view::desktop_trash::DesktopTrash;
use crate::tree::view::rendering::Lookup;
use words::place::Place;
use words::slot::Name;

impl Tree {
    pub fn lookup(&self, who: Caller, parent: Ino, name: &OsStr) -> Result<Lookup> {
        let (parent, name) = placed(parent, name);
        let stored = self.sought(parent, &name);
        let is_other_form = stored.as_ref().is_ok_and(|it| *name != *it.as_str());
        let found = match stored.and_then(|name| self.find_name(who, parent, &name)) {
            Err(Error::NotFound) => self.find_unlisted(who, parent, &name)?,
            found => found?,
        };
        match found {
            Lookup::Found(entry) if !self.places.shows(Node::at(entry.attr.ino)?) => {
                Err(Error::NotFound)
            }
            Lookup::Found(entry) if is_other_form => Ok(Lookup::Found(Entry {
                name: Lifetime::None,
                ..self.show.with_generation(entry)
            })),
            Lookup::Found(entry) => Ok(Lookup::Found(self.show.with_generation(entry))),
            render @ Lookup::Render(_) => Ok(render),
        }
    }

    /// The files and directories that no directory lists and no catalogue has.
    fn find_unlisted(&self, who: Caller, parent: Ino, name: &OsStr) -> Result<Lookup> {
        if let Some(file) = self.open.litter.find(who, parent, name) {
            return Ok(Lookup::Found(Entry::fleeting(file.attr())));
        }
        let directory = delayed::directory(parent, name).ok_or(Error::NotFound)?;
        Ok(Lookup::Found(self.show_delayed(directory)?))
    }

    fn find_name(&self, who: Caller, parent: Ino, name: &Name) -> Result<Lookup> {
        let view = &self.view;
        let entry = match Node::at(parent)? {
            Node::Row(..)
            | Node::Collection(..)
            | Node::DropBox(_)
            | Node::OriginalRow(..)
            | Node::OriginalCollection(..) => {
                return self.find_file(who, &self.places.directory(parent)?, name);
            }
            Node::Table(table) => view.tables.lookup_row(table, name, Node::Row)?,
            Node::OriginalTable(table) => view.tables.lookup_row(table, name, Node::OriginalRow)?,
            Node::ThumbTable(table) => view.tables.lookup_row(table, name, Node::ThumbRow)?,
            Node::Root => match DesktopTrash::named(name) {
                Some(trash) => Entry::fleeting(view.desktop_trash.stat(trash)?),
                None => view.tables.lookup_in_root(name)?,
            },
            node @ (Node::DesktopTrash(_)
            | Node::DesktopTrashFiles(_)
            | Node::DesktopTrashInfo(_)) => view.desktop_trash.lookup(node, name)?,
            node @ (Node::Models | Node::Thumbs | Node::Originals) => {
                view.tables.lookup(node, name)?
            }
            Node::Drop => view.tables.lookup_box(name)?,
            Node::Trash => view.trash.lookup_day(name)?,
            Node::TrashDay(day) => view.trash.lookup(day, name)?,
            node @ (Node::Control | Node::Quarantine | Node::QuarantineEntry(_)) => {
                view.control.lookup(who, node, name)?
            }
            other => return view.thumbs.lookup(who, other, name),
        };
        Ok(Lookup::Found(entry))
    }

    fn find_file(&self, who: Caller, parent: &Directory<'_>, name: &Name) -> Result<Lookup> {
        let entry = match self.open.paths.meaning(parent, name)? {
            Meaning::File(spot) => {
                let entry = self.find_slot(who, parent.side(), &spot, name)?;
                self.open.redirects.answered(who.tid, &spot.place, entry.attr.ino);
                entry
            }
            Meaning::Variant(spot, Some(variant)) => {
                let link = self.library.lookup.link(&spot.place)?.ok_or(Error::NotFound)?;
                let (original, keep) = (link.attachment, Entry::fleeting);
                return self.view.variants.lookup(who, original, &spot.field, variant, keep);
            }
            Meaning::RowJson => {
                Entry::fleeting(self.view.rows.stat(who, parent.table.id, parent.row)?)
            }
            Meaning::RowError => {
                Entry::fleeting(self.view.rows.stat_error(parent.table.id, parent.row)?)
            }
            Meaning::Collection(number) => {
                let row = self.places.row(parent.row)?;
                let node = parent.side().collection(number, row.id);
                if self.open.unseen.hides(who, node) {
                    return Err(Error::NotFound);
                }
                self.show.row(node, &row)
            }
            Meaning::Url(spot) => self.view.url_files.lookup(&spot.place)?,
            Meaning::Scratch | Meaning::Report => self.find_scratch(parent, name)?,
            Meaning::Variant(_, None) | Meaning::Nothing => return Err(Error::NotFound),
        };
        Ok(Lookup::Found(entry))
    }

    /// Looks a slot up with one query. A thread that was redirected from this slot's inode gets its draft.
    fn find_slot(&self, who: Caller, side: Side, spot: &Spot, name: &Name) -> Result<Entry> {
        let Spot { place, field } = spot;
        let link = self.library.lookup.link(place)?.map(|link| side.show(link));
        if let Some(link) = &link
            && !meaning::resolves(link, field.collection, name)
        {
            return Err(Error::NotFound);
        }
        if self.open.redirects.sought(who.tid) == Some(Seeks::Draft)
            && (link.is_some() || self.open.drafts.first(place, None).is_some())
        {
            let open = self.open.writers.draft_for(who, spot, name, link)?;
            return Ok(Entry::fleeting(open.attr()));
        }
        match link {
            Some(link) => Ok(self.show.link(side, &link, field, name)),
            None => self.find_first_draft(who, place, name),
        }
    }

    /// A first draft has its name for everybody until it is committed.
    fn find_first_draft(&self, who: Caller, place: &Place, name: &Name) -> Result<Entry> {
        let drafts = &self.open.drafts;
        let tgid = if drafts.is_empty() { None } else { self.open.processes.group(who.tid) };
        let open = drafts.first(place, tgid).ok_or(Error::NotFound)?;
        if name == place.name() || *name == open.draft.target().written {
            return Ok(Entry::fleeting(open.attr()));
        }
        Err(Error::NotFound)
    }

    fn find_scratch(&self, parent: &Directory<'_>, name: &Name) -> Result<Entry> {
        let folder = parent.folder();
        if let Some(link) = self.open.links.named(&folder, name) {
            return Ok(Entry::fleeting(self.view.url_links.stat(link.id)?));
        }
        let record = self.library.scratch.find(&folder, name)?.ok_or(Error::NotFound)?;
        Ok(Entry::fleeting(self.show.scratch(&record)?))
    }

    /// The entries after a place, the same for everybody; 0 is before the first. Tables and the trash are read page by page.
    pub fn readdir(&self, ino: Ino, after: u64) -> Result<Page> {
        let (tables, trash) = (&self.view.tables, &self.view.trash);
        let place = after.saturating_sub(DOTS);
        let page = match Node::at(ino)? {
            Node::Table(table) => tables.list_rows(table, place, Node::Row)?,
            Node::OriginalTable(table) => tables.list_rows(table, place, Node::OriginalRow)?,
            Node::ThumbTable(table) => tables.list_rows(table, place, Node::ThumbRow)?,
            Node::Trash => trash.list_days(place)?,
            Node::TrashDay(day) => trash.list(day, place)?,
            other if !other.is_directory() => return Err(Error::NotDirectory),
            _ => return self.list_whole(ino, after),
        };
        let dots = dots(ino).into_iter().filter(|dot| dot.next > after);
        let page = page.into_iter().map(|child| self.show.listed(child));
        Ok(Page::part(dots.chain(page).collect()))
    }

    /// A directory that is listed as a whole. Reading from the start again (`rewinddir`) lists it anew.
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

    fn list(&self, ino: Ino) -> Result<Vec<Listed>> {
        let view = &self.view;
        let found = match Node::at(ino)? {
            Node::Root => fixed(view.tables.list_root()),
            node @ (Node::Models | Node::Thumbs | Node::Originals) => fixed(view.tables.list(node)),
            Node::Drop => fixed(view.tables.list_boxes()),
            Node::DropBox(row) => view.tables.list_box(row)?,
            Node::Row(..) | Node::OriginalRow(..) => {
                view.tables.list_row(&self.places.directory(ino)?)?
            }
            Node::Collection(..) | Node::OriginalCollection(..) => {
                view.tables.list_collection(&self.places.directory(ino)?)?
            }
            node @ (Node::Delayed(..) | Node::DelayedItems(..) | Node::DelayedRows(_)) => {
                self.list_delayed(node)?
            }
            Node::ThumbRow(table, row) => view.thumbs.list_row(table, row)?,
            Node::ThumbCollection(field, row) => view.thumbs.list_collection(field, row)?,
            node @ (Node::ThumbField(id, _) | Node::GuardedThumbs(id, _)) => {
                view.thumbs.list_variants(node, id)?
            }
            node @ (Node::DesktopTrash(_)
            | Node::DesktopTrashFiles(_)
            | Node::DesktopTrashInfo(_)) => fixed(DesktopTrash::list(node)),
            other => fixed(view.control.list(other)?),
        };
        let is_in_scope =
            |child: &Listed| Node::of(child.ino).is_some_and(|node| self.places.shows(node));
        let shown = found.into_iter().filter(is_in_scope).map(|child| self.show.listed(child));
        Ok(dots(ino).into_iter().chain(shown).collect())
    }
}
