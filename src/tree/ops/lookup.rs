//! Looking names up.

use std::ffi::OsStr;

use crate::tree::error::{Error, Result};
use crate::tree::node::directory::Directory;
use crate::tree::node::meaning::{self, Meaning, Spot};
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use crate::tree::open::redirect::Seeks;
use crate::tree::ops::Tree;
use crate::tree::request::{Caller, sought};
use crate::tree::show::attr::Entry;
use crate::tree::show::stored;
use crate::tree::view::rendering::{Lookup, Rendering};
use words::attachment::AttachmentId;
use words::place::Place;
use words::slot::Name;
use words::variant::Variant;

impl Tree {
    pub fn lookup(&self, who: Caller, parent: Ino, name: &OsStr) -> Result<Lookup> {
        match self.find_name(who, parent, &sought(name)?)? {
            Lookup::Found(entry) if !self.places.shows(Node::at(entry.attr.ino)?) => {
                Err(Error::NotFound)
            }
            Lookup::Found(entry) => {
                let generation = self.show.generation(&entry.attr);
                Ok(Lookup::Found(Entry { generation, ..entry }))
            }
            render @ Lookup::Render(_) => Ok(render),
        }
    }

    /// Renders a variant whose lookup waits for it.
    pub fn render(&self, rendering: &Rendering) -> Result<Entry> {
        self.view.variants.render(rendering)
    }

    /// Renders a variant that another daemon of this library was asked for.
    pub fn render_for(&self, id: AttachmentId, variant: Variant) -> Result<()> {
        self.view.variants.render_for(id, variant)
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
            Node::Table(table) => view.tables.lookup_row(table, Side::Models, name)?,
            Node::OriginalTable(table) => view.tables.lookup_row(table, Side::Originals, name)?,
            Node::Root => view.tables.lookup_in_root(name)?,
            Node::Models => view.tables.lookup(name, Node::Table)?,
            Node::Thumbs => view.tables.lookup(name, Node::ThumbTable)?,
            Node::Originals => view.tables.lookup_in_originals(name)?,
            Node::Drop => view.boxes.lookup(name)?,
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
        let entry = match self.open.contents.meaning(parent, name)? {
            Meaning::File(spot) => {
                let entry = self.find_slot(who, parent.side(), &spot, name)?;
                self.open.redirects.answered(who.tid, &spot.place, entry.attr.ino);
                entry
            }
            Meaning::Variant(spot, Some(variant)) => {
                let link = self.library.lookup.link(&spot.place)?.ok_or(Error::NotFound)?;
                let variants = &self.view.variants;
                let (original, keep) = (link.attachment, Entry::fleeting);
                return variants.lookup(who, original, &spot.field, variant, keep);
            }
            Meaning::RowJson => Entry::fleeting(self.view.rows.stat(parent.table.id, parent.row)?),
            Meaning::Collection(number) => {
                let row = self.places.row(parent.row)?;
                let node = parent.side().collection(number, row.id);
                stored::directory(node, self.show.collection(number, &row))
            }
            Meaning::Url(spot) => self.view.urls.files.lookup(&spot.place)?,
            Meaning::Scratch | Meaning::Report => self.find_scratch(parent, name)?,
            Meaning::Variant(_, None) | Meaning::Nothing => return Err(Error::NotFound),
        };
        Ok(Lookup::Found(entry))
    }

    /// One query. A thread that was turned away from this slot's inode is given its draft.
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

    /// While a first draft is uncommitted its name exists for everybody.
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
            return Ok(Entry::fleeting(self.view.urls.links.stat(link.id)?));
        }
        let record = self.library.scratch.find(&folder, name)?.ok_or(Error::NotFound)?;
        Ok(Entry::fleeting(self.show.scratch(&record)?))
    }
}
