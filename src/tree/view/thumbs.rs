//! `/thumbs`: a directory of variants for each image, in the tables, rows and collections of `/models`.

use std::mem::discriminant;
use std::sync::Arc;

use crate::library::Library;
use crate::library::read::public_urls::preset_format;
use crate::session_thread;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::Change;
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::Node;
use crate::tree::node::mark::Mark;
use crate::tree::node::places::Places;
use crate::tree::open::Open;
use crate::tree::open::redirect::Seeks;
use crate::tree::request::Caller;
use crate::tree::show::Show;
use crate::tree::show::attr::{Attr, Entry};
use crate::tree::show::listing::{DOTS, Listed, by_field, fields_by_name, item_places};
use crate::tree::view::rendering::{Keep, Lookup, Variants};
use crate::tree::view::tables::Tables;
use words::attachment::{Attachment, AttachmentId, FieldId, RowId, TableId};
use words::link::Link;
use words::place::Place;
use words::row::RowRecord;
use words::schema::Collection;
use words::slot::Name;
use words::variant::Variant;

pub struct Thumbs {
    pub(super) library: Arc<Library>,
    pub(super) places: Arc<Places>,
    pub(super) kernel: Arc<Knowledge>,
    pub(super) show: Arc<Show>,
    pub(super) open: Arc<Open>,
    pub(super) variants: Arc<Variants>,
    pub(super) tables: Arc<Tables>,
}

impl Thumbs {
    /// Looks a name up in the directory of a row or below it. Errors: [`Error::NotDirectory`] for other nodes.
    pub fn lookup(&self, who: Caller, parent: Node, name: &Name) -> Result<Lookup> {
        Ok(Lookup::Found(match parent {
            Node::ThumbRow(table, row) => self.lookup_field(who, table, row, name)?,
            Node::ThumbCollection(field, row) => {
                self.directory(who, &self.item(field, row, name)?)?
            }
            Node::ThumbField(id, _) | Node::GuardedThumbs(id, _) => {
                // A name of no variant is refused without a query.
                let variant = Variant::parse(name.as_str()).ok_or(Error::NotFound)?;
                let (attachment, place) = self.attachment(who, parent, id)?;
                let field = self.places.field_at(&place)?;
                return self.variants.lookup(who, attachment, &field, variant, keep(parent));
            }
            _ => return Err(Error::NotDirectory),
        }))
    }

    fn lookup_field(&self, who: Caller, table: TableId, row: RowId, name: &Name) -> Result<Entry> {
        let table = self.places.table(table)?;
        let field = table.field(name.as_str()).ok_or(Error::NotFound)?;
        if field.collection == Collection::One {
            return self.directory(who, &Place::one(row, field.name.clone()));
        }
        let number = table.number(&field.name).ok_or(Error::NotFound)?;
        Ok(self.show.row(Node::ThumbCollection(number, row), &self.places.row(row)?))
    }

    fn item(&self, field: FieldId, row: RowId, name: &Name) -> Result<Place> {
        let (_, field) = self.library.lookup.field(field).ok_or(Error::Stale)?;
        Ok(Place { row, field: field.name.clone(), item: Some(name.clone()) })
    }

    /// The directory of the variants of the image at a place.
    fn directory(&self, who: Caller, place: &Place) -> Result<Entry> {
        // Notes that a redirected thread has looked up again.
        let _ = self.open.redirects.sought(who.tid, place);
        let link = self.library.lookup.link(place)?.ok_or(Error::NotFound)?;
        preset_format(&link.attachment).ok_or(Error::NotFound)?;
        let node = Node::thumbs_of(&link.attachment, Mark::among(&link));
        Ok(self.show.variants(node, &link.attachment, &self.places.row(place.row)?))
    }

    pub fn stat(&self, who: Caller, node: Node, id: AttachmentId) -> Result<Entry> {
        let (attachment, place) = self.attachment(who, node, id)?;
        let row = self.places.row(place.row)?;
        Ok(self.show.variants(node, &attachment, &row))
    }

    /// The attachment of a directory of variants, and its place. Errors: [`Error::Stale`] if its mode needs another node now, or if it
    /// has lost its name; but a thread that was answered so, and has looked up again, is served what it found.
    fn attachment(&self, who: Caller, node: Node, id: AttachmentId) -> Result<(Attachment, Place)> {
        let paths = &self.open.paths;
        let found = self.kept(node, id)?;
        if let Some(living) = found.as_ref().filter(|found| found.links > 0) {
            return Ok((living.clone(), paths.name_on_the_way(who, node)?));
        }
        if found.is_none() || !self.open.redirects.has_looked(who.tid) {
            paths.redirect(who, node, Seeks::Successor)?;
        }
        let place = paths.last_place(id)?;
        found.zip(place).ok_or(Error::Stale)
    }

    /// The attachment of a directory of variants, with or without a name, unless its mode needs another node now.
    fn kept(&self, node: Node, id: AttachmentId) -> Result<Option<Attachment>> {
        let same = |found: &Attachment| {
            discriminant(&Node::thumbs_of(found, Mark::SOLE)) == discriminant(&node)
        };
        Ok(self.library.lookup.attachment(id)?.filter(same))
    }

    pub fn list_row(&self, table: TableId, row: RowId) -> Result<Vec<Listed>> {
        let table = self.places.table(table)?;
        let record = self.places.row_of_inode(row)?;
        let mut links = by_field(self.library.lookup.singles(row)?);
        let mut found = Vec::new();
        for (place, number, field) in fields_by_name(table) {
            if field.collection != Collection::One {
                let node = Node::ThumbCollection(number, row);
                let entry = Some(self.show.row(node, &record));
                found.push(Listed::new(node, field.name.as_str(), place, entry));
            } else if let Some(link) = links.remove(field.name.as_str()) {
                found.extend(self.listed(&link, &record, place));
            }
        }
        Ok(found)
    }

    pub fn list_collection(&self, field: FieldId, row: RowId) -> Result<Vec<Listed>> {
        let (_, field) = self.library.lookup.field(field).ok_or(Error::Stale)?;
        let record = self.places.row_of_inode(row)?;
        self.tables.leave_for_items(row, &field.name)?;
        let items = self.library.lookup.items(row, &field.name)?;
        let thumbs = items.iter().zip(item_places(&items));
        Ok(thumbs.filter_map(|(link, place)| self.listed(link, &record, place)).collect())
    }

    /// The directory of a link's variants in a listing. None if the attachment is no image.
    fn listed(&self, link: &Link, row: &RowRecord, place: u64) -> Option<Listed> {
        preset_format(&link.attachment)?;
        let node = Node::thumbs_of(&link.attachment, Mark::among(link));
        let entry = self.show.variants(node, &link.attachment, row);
        Some(Listed::new(node, link.place.name().as_str(), place, Some(entry)))
    }

    /// Lists the presets, rendered or not, and the other rendered variants.
    pub fn list_variants(&self, directory: Node, id: AttachmentId) -> Result<Vec<Listed>> {
        self.kernel.list_variants(directory);
        let found = self.kept(directory, id)?.filter(|found| found.links > 0);
        let attachment = found.ok_or(Error::Stale)?;
        let field = self.places.field_at(&self.places.name_of(directory)?.ok_or(Error::Stale)?)?;
        let format = preset_format(&attachment).ok_or(Error::NotFound)?;
        let mut rendered = self.variants.rendered(&attachment, &field)?;
        rendered.sort_by_key(|record| record.id.0);
        let is_rendered = |it: &Variant| rendered.iter().any(|record| record.variant == *it);
        let presets = field.presets(format).zip(DOTS + 1..);
        let unrendered = presets.filter(|(variant, _)| !is_rendered(variant));
        let mut found: Vec<_> = unrendered
            .map(|(it, place)| Listed::new(Node::Unrendered, it.to_string(), place, None))
            .collect();
        found.extend(rendered.into_iter().map(|record| {
            let (node, name) = (Node::Variant(record.id), record.variant.to_string());
            let entry = Some(keep(directory)(Attr::variant(&record)));
            Listed::new(node, name, Listed::variant_place(record.id), entry)
        }));
        Ok(found)
    }

    /// `unlink` of a variant.
    pub fn purge(&self, id: AttachmentId, name: &Name) -> Result<()> {
        let variant = Variant::parse(name.as_str()).ok_or(Error::NotFound)?;
        let original = self.library.lookup.attachment(id)?.ok_or(Error::Stale)?;
        self.variants.purge(original.blob, variant)
    }

    /// `rmdir` below a table: succeeds if no rendered variant is left. The directory exists again at the next lookup.
    pub fn remove(&self, parent: Node, name: &Name) -> Result<()> {
        match parent {
            Node::ThumbTable(table) => {
                let row = self.library.lookup.row(table, name)?.ok_or(Error::NotFound)?;
                // A row has any number of links, and each is a query.
                session_thread::leave()?;
                self.clear(Node::ThumbRow(table, row.id), &self.library.lookup.links(row.id)?)
            }
            Node::ThumbRow(table, row) => {
                let table = self.places.table(table)?;
                let field = table.field(name.as_str()).ok_or(Error::NotFound)?;
                if field.collection == Collection::One {
                    return self.clear_image(&Place::one(row, name.clone()));
                }
                let node = Node::ThumbCollection(table.number(name).ok_or(Error::NotFound)?, row);
                self.tables.leave_for_items(row, name)?;
                self.clear(node, &self.library.lookup.items(row, name)?)
            }
            Node::ThumbCollection(field, row) => self.clear_image(&self.item(field, row, name)?),
            _ => Err(Error::ReadOnly),
        }
    }

    fn clear_image(&self, place: &Place) -> Result<()> {
        let link = self.library.lookup.link(place)?.ok_or(Error::NotFound)?;
        self.clear(Node::thumbs_of(&link.attachment, Mark::among(&link)), &[link])
    }

    fn clear(&self, directory: Node, links: &[Link]) -> Result<()> {
        for link in links {
            let field = self.places.field_at(&link.place)?;
            if !self.variants.rendered(&link.attachment, &field)?.is_empty() {
                return Err(Error::NotEmpty);
            }
        }
        self.kernel.tell(&Change::Cleared { directory, folder: None });
        Ok(())
    }
}

/// Whether the kernel may keep the names in a directory of variants. In a guarded one, each lookup checks the permission.
fn keep(directory: Node) -> Keep {
    if matches!(directory, Node::ThumbField(..)) { Entry::lasting } else { Entry::fleeting }
}
