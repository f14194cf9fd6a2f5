//! Looking names up.
//! Does not render: a variant that is not there yet is handed back as work for the render pool.

use std::ffi::OsStr;
use std::sync::Arc;

use crate::tree::attr::{Attr, Entry};
use crate::tree::directory::Directory;
use crate::tree::drafts::OpenDraft;
use crate::tree::mark::Mark;
use crate::tree::name::{self, Meaning};
use crate::tree::node::Node;
use crate::tree::ops::stat::{draft_attr, fleeting, lasting, variant_attr};
use crate::tree::permission::READ;
use crate::tree::redirect::Seeks;
use crate::tree::side::Side;
use crate::tree::{Caller, Error, Ino, Result, Tree, node, sought};
use words::attachment::{Attachment, AttachmentId, FieldId, RowId, TableId};
use words::dimensions::Dimensions;
use words::place::Place;
use words::schema::{Collection, Field};
use words::slot::Name;
use words::variant::Variant;

/// The answer to a lookup.
#[derive(Debug)]
pub enum Lookup {
    Found(Entry),
    /// To be answered by [`Tree::render`], from the bounded render pool.
    Render(Rendering),
}

/// A variant that must be rendered before its lookup can be answered.
#[derive(Debug)]
pub struct Rendering {
    original: Attachment,
    variant: Variant,
    keep: fn(Attr) -> Entry,
}

impl Tree {
    pub fn lookup(&self, who: Caller, parent: Ino, name: &OsStr) -> Result<Lookup> {
        Ok(match self.look(who, parent, name)? {
            Lookup::Found(entry) if !self.shows(node(entry.attr.ino)?) => {
                return Err(Error::NotFound);
            }
            Lookup::Found(entry) => {
                Lookup::Found(Entry { generation: self.generation_of(&entry.attr), ..entry })
            }
            render @ Lookup::Render(_) => render,
        })
    }

    fn look(&self, who: Caller, parent: Ino, name: &OsStr) -> Result<Lookup> {
        let name = sought(name)?;
        let entry = match node(parent)? {
            Node::Row(..)
            | Node::Collection(..)
            | Node::DropBox(_)
            | Node::OriginalRow(..)
            | Node::OriginalCollection(..) => {
                return self.lookup_file(who, &self.directory(parent)?, &name);
            }
            node @ (Node::ThumbField(id, _) | Node::GuardedThumbs(id, _)) => {
                return self.lookup_thumb(who, (node, id), &name);
            }
            Node::Table(table) => self.lookup_row(table, Side::Models, &name)?,
            Node::OriginalTable(table) => self.lookup_row(table, Side::Originals, &name)?,
            Node::ThumbTable(table) => self.lookup_thumb_row(table, &name)?,
            Node::ThumbRow(table, row) => self.lookup_thumb_field(table, row, &name)?,
            Node::ThumbCollection(field, row) => self.lookup_thumb_item(field, row, &name)?,
            Node::Root => self.lookup_root(&name)?,
            Node::Drop => self.lookup_box(&name)?,
            Node::Models => self.lookup_table(&name, Node::Table)?,
            Node::Thumbs => self.lookup_table(&name, Node::ThumbTable)?,
            Node::Originals => self.lookup_original_table(&name)?,
            Node::Trash => self.lookup_trash_day(&name)?,
            Node::TrashDay(day) => self.lookup_trashed(day, &name)?,
            Node::Control | Node::Quarantine | Node::QuarantineEntry(_) => {
                self.lookup_control(who, node(parent)?, &name)?
            }
            _ => return Err(Error::NotDirectory),
        };
        Ok(Lookup::Found(entry))
    }

    /// Renders a variant, or waits for whoever is rendering it.
    pub fn render(&self, rendering: &Rendering) -> Result<Entry> {
        let Rendering { original, variant, keep } = rendering;
        let record = self.library.variants.find_or_render(original, *variant)?;
        self.variants_changed();
        Ok(keep(variant_attr(&record)))
    }

    /// Renders a variant that another daemon of this library was asked for.
    pub fn render_for(&self, id: AttachmentId, variant: Variant) -> Result<()> {
        let found = self.library.lookup.attachment(id)?.filter(|found| found.links > 0);
        let original = found.ok_or(Error::NotFound)?;
        let readable = original.content.media_type.format().is_some();
        let dimensions = original.content.dimensions.filter(|_| readable).ok_or(Error::NotFound)?;
        // The other daemon has asked the field whose name was used.
        if !self.is_allowed(id, variant, dimensions)? {
            return Err(Error::NotFound);
        }
        self.library.variants.find_or_render(&original, variant)?;
        self.variants_changed();
        Ok(())
    }

    fn lookup_root(&self, name: &Name) -> Result<Entry> {
        let node = match name.as_str() {
            "models" => Node::Models,
            "thumbs" => Node::Thumbs,
            "originals" if self.keeps_originals() => Node::Originals,
            "drop" if !self.library.lookup.boxes().is_empty() => Node::Drop,
            "trash" => Node::Trash,
            ".mediafs" => Node::Control,
            _ => return Err(Error::NotFound),
        };
        Ok(lasting(self.fixed(node)))
    }

    fn lookup_table(&self, name: &Name, node: fn(TableId) -> Node) -> Result<Entry> {
        let table = self.library.lookup.tables().iter().find(|table| table.name == *name);
        Ok(lasting(self.fixed(node(table.ok_or(Error::NotFound)?.id))))
    }

    fn lookup_original_table(&self, name: &Name) -> Result<Entry> {
        let table = self.original_tables().find(|table| table.name == *name);
        Ok(fleeting(self.fixed(Node::OriginalTable(table.ok_or(Error::NotFound)?.id))))
    }

    fn lookup_row(&self, table: TableId, side: Side, name: &Name) -> Result<Entry> {
        if !self.table(table)?.rule.allows(name) {
            return Err(Error::NotFound);
        }
        let row = self.library.lookup.row(table, name)?.ok_or(Error::NotFound)?;
        Ok(side.directory(side.row(table, row.id), self.row_attr(&row)))
    }

    fn lookup_file(&self, who: Caller, parent: &Directory<'_>, name: &Name) -> Result<Lookup> {
        match self.meaning(parent, name)? {
            Meaning::File(place, field) => {
                let entry = self.lookup_slot(who, parent.side(), (&place, &field), name)?;
                self.redirects.answered(who.tid, &place, entry.attr.ino);
                Ok(Lookup::Found(entry))
            }
            Meaning::Variant(place, field, Some(variant)) => {
                let link = self.library.lookup.link(&place)?.ok_or(Error::NotFound)?;
                self.lookup_variant(who, (link.attachment, &field), variant, fleeting)
            }
            Meaning::RowJson => {
                let attr = self.row_json_attr(parent.table.id, parent.row)?;
                Ok(Lookup::Found(fleeting(attr)))
            }
            Meaning::Collection(number) => {
                let row = self.row(parent.row)?;
                let node = parent.side().collection(number, row.id);
                let attr = self.collection_attr(number, &row);
                Ok(Lookup::Found(parent.side().directory(node, attr)))
            }
            Meaning::Variant(_, _, None) | Meaning::Nothing => Err(Error::NotFound),
            Meaning::Url(place, _) => Ok(Lookup::Found(self.lookup_url(&place)?)),
            Meaning::Scratch | Meaning::Report => {
                if let Some(link) = self.links.named(&parent.folder(), name) {
                    return Ok(Lookup::Found(fleeting(self.stat_link(link.id)?)));
                }
                let record =
                    self.library.scratch.find(&parent.folder(), name)?.ok_or(Error::NotFound)?;
                Ok(Lookup::Found(fleeting(self.scratch_attr(&record)?)))
            }
        }
    }

    /// What a name stands for. In a collection `front@w200.jpg` is a variant if there is an item `front`, and no item that is
    /// called so itself: the catalogue is asked only for names that look like one.
    pub(in crate::tree) fn meaning(
        &self,
        directory: &Directory<'_>,
        name: &Name,
    ) -> Result<Meaning> {
        let meaning = name::meaning(directory, name);
        let Meaning::File(place, field) = &meaning else { return Ok(meaning) };
        let Some((original, base, variant)) = name::variant_in(directory, name) else {
            return Ok(meaning);
        };
        if self.library.lookup.link(place)?.is_some() || !self.drafts.found(place).is_empty() {
            return Ok(meaning);
        }
        match self.library.lookup.link(&original)? {
            Some(link) if name::resolves(&link, field.collection, &base) => {
                Ok(Meaning::Variant(original, Arc::clone(field), Some(variant)))
            }
            _ => Ok(meaning),
        }
    }

    /// One query. A thread that was turned away from this slot's inode is given its draft.
    fn lookup_slot(
        &self,
        who: Caller,
        side: Side,
        (place, field): (&Place, &Arc<Field>),
        name: &Name,
    ) -> Result<Entry> {
        let link = self.library.lookup.link(place)?.map(|link| side.show(link));
        if let Some(link) = &link
            && !name::resolves(link, field.collection, name)
        {
            return Err(Error::NotFound);
        }
        if self.redirects.sought(who.tid) == Some(Seeks::Draft)
            && (link.is_some() || self.first_draft(place, None).is_some())
        {
            let open = self.draft_for(who, place, field, name, link)?;
            return Ok(fleeting(draft_attr(&open)));
        }
        match link {
            Some(link) => Ok(self.entry(side, &link, field, name)),
            None => self.lookup_first_draft(who, place, name),
        }
    }

    /// While a first draft is uncommitted its name exists for everybody.
    fn lookup_first_draft(&self, who: Caller, place: &Place, name: &Name) -> Result<Entry> {
        let tgid = if self.drafts.is_empty() { None } else { self.processes.group(who.tid) };
        let open = self.first_draft(place, tgid).ok_or(Error::NotFound)?;
        if name == place.name() || *name == open.draft.target().written {
            return Ok(fleeting(draft_attr(&open)));
        }
        Err(Error::NotFound)
    }

    /// The draft that a free slot shows: the asker's own unless it is committed, else the first that is shown to all.
    pub(in crate::tree) fn first_draft(
        &self,
        place: &Place,
        tgid: Option<u32>,
    ) -> Option<Arc<OpenDraft>> {
        let drafts = self.drafts.found(place);
        let own = drafts.iter().find(|open| open.belongs_to(tgid));
        own.or_else(|| drafts.iter().find(|open| open.is_shown())).cloned()
    }

    fn lookup_thumb_row(&self, table: TableId, name: &Name) -> Result<Entry> {
        if !self.table(table)?.rule.allows(name) {
            return Err(Error::NotFound);
        }
        let row = self.library.lookup.row(table, name)?.ok_or(Error::NotFound)?;
        Ok(lasting(self.thumb_view(Node::ThumbRow(table, row.id), &row, row.times)))
    }

    fn lookup_thumb_field(&self, table: TableId, row: RowId, name: &Name) -> Result<Entry> {
        let table = self.table(table)?;
        let field = table.field(name.as_str()).ok_or(Error::NotFound)?;
        if field.collection == Collection::One {
            return self.lookup_thumbs(&Place::one(row, field.name.clone()));
        }
        let number = table.number(&field.name).ok_or(Error::NotFound)?;
        let row = self.row(row)?;
        Ok(lasting(self.thumb_view(Node::ThumbCollection(number, row.id), &row, row.times)))
    }

    fn lookup_thumb_item(&self, field: FieldId, row: RowId, name: &Name) -> Result<Entry> {
        let (_, field) = self.library.lookup.field(field).ok_or(Error::Stale)?;
        self.lookup_thumbs(&Place { row, field: field.name.clone(), item: Some(name.clone()) })
    }

    /// The directory of an image's variants.
    fn lookup_thumbs(&self, place: &Place) -> Result<Entry> {
        let link = self.library.lookup.link(place)?.ok_or(Error::NotFound)?;
        name::preset_format(&link.attachment).ok_or(Error::NotFound)?;
        let node = Node::thumbs_of(&link.attachment, Mark::among(&link));
        Ok(self.thumbs_entry(node, &link.attachment, &self.row(place.row)?))
    }

    /// Names that are no variant are refused by parsing alone.
    fn lookup_thumb(
        &self,
        who: Caller,
        (node, id): (Node, AttachmentId),
        name: &Name,
    ) -> Result<Lookup> {
        let variant = Variant::parse(name.as_str()).ok_or(Error::NotFound)?;
        let attachment = self.thumbed(node, id)?;
        let field = self.field_at(&self.place_of(who, node)?)?;
        // The kernel asks for the attributes of this directory once they were forgotten, and is then turned away from it.
        let keep = if matches!(node, Node::ThumbField(..)) { lasting } else { fleeting };
        self.lookup_variant(who, (attachment, &field), variant, keep)
    }

    /// Who may not read the original may not read its variants.
    fn lookup_variant(
        &self,
        who: Caller,
        (original, field): (Attachment, &Field),
        variant: Variant,
        keep: fn(Attr) -> Entry,
    ) -> Result<Lookup> {
        if !self.may(who, original.access, READ) {
            return Err(Error::Denied);
        }
        let readable = original.content.media_type.format().is_some();
        let dimensions = original.content.dimensions.filter(|_| readable).ok_or(Error::NotFound)?;
        if !field.allows(variant, dimensions) {
            return Err(Error::NotFound);
        }
        Ok(match self.library.variants.find(original.blob, variant)? {
            Some(record) => {
                self.library.counts.variants_found.add(1);
                Lookup::Found(keep(variant_attr(&record)))
            }
            None => Lookup::Render(Rendering { original, variant, keep }),
        })
    }

    /// Whether a field that the attachment hangs from lets a variant be asked for.
    fn is_allowed(&self, id: AttachmentId, variant: Variant, size: Dimensions) -> Result<bool> {
        for place in self.library.lookup.places(id)? {
            if self.field_at(&place)?.allows(variant, size) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(in crate::tree) fn field_at(&self, place: &Place) -> Result<Arc<Field>> {
        let row = self.row(place.row)?;
        let field = self.table(row.table)?.field(place.field.as_str());
        field.cloned().ok_or(Error::NotFound)
    }
}
