//! `/thumbs`: a directory of variants for each image, in the tables, rows and collections of `/models`.

use std::mem::discriminant;
use std::sync::Arc;

use crate::library::Library;
use crate::library::lookup::table::Table;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::Change;
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::Node;
use crate::tree::node::mark::Mark;
use crate::tree::node::meaning::preset_format;
use crate::tree::node::places::Places;
use crate::tree::open::paths::Paths;
use crate::tree::request::Caller;
use crate::tree::show::Show;
use crate::tree::show::attr::{Entry, Shown};
use crate::tree::show::child::{Child, DOTS, by_field, fields_by_name, item_places};
use crate::tree::show::stored;
use crate::tree::view::rendering::{Lookup, Variants};
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
    pub(super) paths: Arc<Paths>,
    pub(super) variants: Arc<Variants>,
}

impl Thumbs {
    /// Looks a name up in a directory below a table. Errors: [`Error::NotDirectory`] for other nodes.
    pub fn lookup(&self, who: Caller, parent: Node, name: &Name) -> Result<Lookup> {
        Ok(Lookup::Found(match parent {
            Node::ThumbTable(table) => self.lookup_row(table, name)?,
            Node::ThumbRow(table, row) => self.lookup_field(table, row, name)?,
            Node::ThumbCollection(field, row) => {
                let (_, field) = self.library.lookup.field(field).ok_or(Error::Stale)?;
                let (field, item) = (field.name.clone(), Some(name.clone()));
                self.directory(&Place { row, field, item })?
            }
            Node::ThumbField(id, _) | Node::GuardedThumbs(id, _) => {
                return self.lookup_variant(who, parent, id, name);
            }
            _ => return Err(Error::NotDirectory),
        }))
    }

    fn lookup_row(&self, table: TableId, name: &Name) -> Result<Entry> {
        if !self.places.table(table)?.rule.allows(name) {
            return Err(Error::NotFound);
        }
        let row = self.library.lookup.row(table, name)?.ok_or(Error::NotFound)?;
        let node = Node::ThumbRow(table, row.id);
        Ok(Entry::lasting(self.show.thumbs(node, &row, row.times)))
    }

    fn lookup_field(&self, table: TableId, row: RowId, name: &Name) -> Result<Entry> {
        let table = self.places.table(table)?;
        let field = table.field(name.as_str()).ok_or(Error::NotFound)?;
        if field.collection == Collection::One {
            return self.directory(&Place::one(row, field.name.clone()));
        }
        let number = table.number(&field.name).ok_or(Error::NotFound)?;
        let row = self.places.row(row)?;
        let node = Node::ThumbCollection(number, row.id);
        Ok(Entry::lasting(self.show.thumbs(node, &row, row.times)))
    }

    /// The directory of the variants of the image at a place.
    fn directory(&self, place: &Place) -> Result<Entry> {
        let link = self.library.lookup.link(place)?.ok_or(Error::NotFound)?;
        preset_format(&link.attachment).ok_or(Error::NotFound)?;
        let node = Node::thumbs_of(&link.attachment, Mark::among(&link));
        Ok(self.show.variants(node, &link.attachment, &self.places.row(place.row)?))
    }

    /// Names that are no variant's are refused by parsing alone.
    fn lookup_variant(
        &self,
        who: Caller,
        node: Node,
        id: AttachmentId,
        name: &Name,
    ) -> Result<Lookup> {
        let variant = Variant::parse(name.as_str()).ok_or(Error::NotFound)?;
        let attachment = self.attachment(node, id)?;
        let field = self.places.field_at(&self.paths.name(who, node)?)?;
        // The kernel asks for the attributes of this directory once they were forgotten, and is then turned away from it.
        let keep =
            if matches!(node, Node::ThumbField(..)) { Entry::lasting } else { Entry::fleeting };
        self.variants.lookup(who, attachment, &field, variant, keep)
    }

    /// The attributes of a directory below a table. Errors: [`Error::Stale`] for other nodes.
    pub fn stat(&self, who: Caller, node: Node) -> Result<Shown> {
        match node {
            Node::ThumbRow(_, id) | Node::ThumbCollection(_, id) => {
                let row = self.places.row_of_inode(id)?;
                Ok(Shown::lasting(self.show.thumbs(node, &row, row.times)))
            }
            Node::ThumbField(id, _) | Node::GuardedThumbs(id, _) => {
                let attachment = self.attachment(node, id)?;
                let row = self.places.row(self.paths.name(who, node)?.row)?;
                let Entry { attr, attributes, .. } = self.show.variants(node, &attachment, &row);
                Ok(Shown { attr, attributes })
            }
            _ => Err(Error::Stale),
        }
    }

    /// The attachment whose variants an inode shows: it has a name, and the permission to read it has not changed since.
    fn attachment(&self, node: Node, id: AttachmentId) -> Result<Attachment> {
        let found = self.library.lookup.attachment(id)?.filter(|found| found.links > 0);
        let same = |found: &Attachment| {
            discriminant(&Node::thumbs_of(found, Mark::SOLE)) == discriminant(&node)
        };
        found.filter(same).ok_or(Error::Stale)
    }

    /// The children of a directory in a table. Errors: [`Error::NotDirectory`] for other nodes.
    pub fn list(&self, node: Node) -> Result<Vec<Child>> {
        match node {
            Node::ThumbRow(table, row) => self.list_row(self.places.table(table)?, row),
            Node::ThumbCollection(field, row) => self.list_collection(field, row),
            Node::ThumbField(id, _) | Node::GuardedThumbs(id, _) => self.list_variants(node, id),
            _ => Err(Error::NotDirectory),
        }
    }

    fn list_row(&self, table: &Table, row: RowId) -> Result<Vec<Child>> {
        let record = self.places.row_of_inode(row)?;
        let mut links = by_field(self.library.lookup.singles(row)?);
        let mut found = Vec::new();
        for (place, number, field) in fields_by_name(table) {
            if field.collection != Collection::One {
                let (node, name) = (Node::ThumbCollection(number, row), field.name.to_string());
                let entry = Entry::lasting(self.show.thumbs(node, &record, record.times));
                found.push(Child { node, name, place, entry: Some(entry) });
            } else if let Some(link) = links.remove(field.name.as_str()) {
                found.extend(self.listed(&link, &record, place));
            }
        }
        Ok(found)
    }

    fn list_collection(&self, field: FieldId, row: RowId) -> Result<Vec<Child>> {
        let (_, field) = self.library.lookup.field(field).ok_or(Error::Stale)?;
        let record = self.places.row_of_inode(row)?;
        let items = self.library.lookup.items(row, &field.name)?;
        let thumbs = items.iter().zip(item_places(&items));
        Ok(thumbs.filter_map(|(link, place)| self.listed(link, &record, place)).collect())
    }

    /// The directory of a link's variants in a listing; none if the attachment is no image.
    fn listed(&self, link: &Link, row: &RowRecord, place: u64) -> Option<Child> {
        preset_format(&link.attachment)?;
        let node = Node::thumbs_of(&link.attachment, Mark::among(link));
        let entry = self.show.variants(node, &link.attachment, row);
        Some(Child { node, name: link.place.name().to_string(), place, entry: Some(entry) })
    }

    /// Presets, rendered or not, and other variants that were rendered.
    fn list_variants(&self, node: Node, id: AttachmentId) -> Result<Vec<Child>> {
        self.kernel.list_variants(node);
        let attachment = self.attachment(node, id)?;
        let field = self.places.field_at(&self.places.name_of(node)?.ok_or(Error::Stale)?)?;
        let format = preset_format(&attachment).ok_or(Error::NotFound)?;
        let mut rendered = self.variants.rendered(&attachment, &field)?;
        rendered.sort_by_key(|record| record.id.0);
        let is_rendered =
            |name: &String| rendered.iter().any(|record| record.variant.to_string() == *name);
        let presets = field.presets(format).map(|variant| variant.to_string()).zip(DOTS + 1..);
        let mut found: Vec<_> = presets
            .filter(|(name, _)| !is_rendered(name))
            .map(|(name, place)| Child::new(Node::Unrendered, name, place))
            .collect();
        let kept =
            if matches!(node, Node::ThumbField(..)) { Entry::lasting } else { Entry::fleeting };
        found.extend(rendered.into_iter().map(|record| {
            let (node, name) = (Node::Variant(record.id), record.variant.to_string());
            let entry = Some(kept(stored::variant(&record)));
            Child { node, name, place: Child::variant_place(record.id.0), entry }
        }));
        Ok(found)
    }

    /// `unlink` of a variant.
    pub fn purge(&self, id: AttachmentId, name: &Name) -> Result<()> {
        let variant = Variant::parse(name.as_str()).ok_or(Error::NotFound)?;
        let original = self.library.lookup.attachment(id)?.ok_or(Error::Stale)?;
        self.variants.purge(original.blob, variant)
    }

    /// `rmdir` below a table: succeeds where nothing rendered is left, so that `rm -r` does. The directory is there again at the
    /// next lookup.
    pub fn remove(&self, parent: Node, name: &Name) -> Result<()> {
        match parent {
            Node::ThumbTable(table) => {
                let row = self.library.lookup.row(table, name)?.ok_or(Error::NotFound)?;
                self.clear(Node::ThumbRow(table, row.id), &self.library.lookup.links(row.id)?)
            }
            Node::ThumbRow(table, row) => {
                let table = self.places.table(table)?;
                let field = table.field(name.as_str()).ok_or(Error::NotFound)?;
                if field.collection == Collection::One {
                    return self.clear_image(&Place::one(row, name.clone()));
                }
                let number = table.number(name).ok_or(Error::NotFound)?;
                self.clear(
                    Node::ThumbCollection(number, row),
                    &self.library.lookup.items(row, name)?,
                )
            }
            Node::ThumbCollection(field, row) => {
                let (_, field) = self.library.lookup.field(field).ok_or(Error::Stale)?;
                let (field, item) = (field.name.clone(), Some(name.clone()));
                self.clear_image(&Place { row, field, item })
            }
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
