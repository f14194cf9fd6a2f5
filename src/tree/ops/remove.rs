//! Removing names: files, variants and rows.
//! Does not delete blobs: what loses its last name is held, and swept later.

use std::ffi::OsStr;

use crate::tree::directory::Directory;
use crate::tree::mark::Mark;
use crate::tree::name::{self, Meaning};
use crate::tree::node::Node;
use crate::tree::side::Side;
use crate::tree::{Caller, Error, Ino, Result, Tree, node, sought};
use words::attachment::{AttachmentId, BlobKey};
use words::link::Link;
use words::place::Place;
use words::schema::{Collection, Field};
use words::slot::Name;
use words::variant::Variant;

impl Tree {
    pub fn unlink(&self, who: Caller, parent: Ino, name: &OsStr) -> Result<()> {
        let name = sought(name)?;
        match node(parent)? {
            Node::QuarantineEntry(id) => return self.unlink_quarantined(id, &name),
            Node::ThumbField(id, _) | Node::GuardedThumbs(id, _) => {
                return self.purge_thumb(id, &name);
            }
            _ => {}
        }
        let parent = self.directory(parent)?;
        match self.meaning(&parent, &name)? {
            Meaning::File(place, field) => {
                self.unlink_file(who, parent.side(), (&place, &field), &name)
            }
            Meaning::Collection(_) => Err(Error::IsDirectory),
            Meaning::Scratch | Meaning::Report => {
                if self.links.remove(&parent.folder(), &name) {
                    self.relist_beyond(parent.folder());
                    return Ok(());
                }
                let record =
                    self.library.scratch.find(&parent.folder(), &name)?.ok_or(Error::NotFound)?;
                self.arrivals.forget(record.id);
                self.library.scratch.remove(record.id)?;
                self.scratch_changed(&parent);
                Ok(())
            }
            Meaning::Variant(place, _, Some(variant)) => {
                let link = self.library.lookup.link(&place)?.ok_or(Error::NotFound)?;
                self.purge(link.attachment.blob, variant)
            }
            Meaning::RowJson => Err(Error::NotPermitted),
            Meaning::Variant(_, _, None) | Meaning::Url(..) | Meaning::Nothing => {
                Err(Error::NotFound)
            }
        }
    }

    fn purge_thumb(&self, id: AttachmentId, name: &Name) -> Result<()> {
        let variant = Variant::parse(name.as_str()).ok_or(Error::NotFound)?;
        let original = self.library.lookup.attachment(id)?.ok_or(Error::Stale)?;
        self.purge(original.blob, variant)
    }

    /// A variant that is not wanted any more, or not as it is: whoever asks for it next has it rendered anew.
    fn purge(&self, original: BlobKey, variant: Variant) -> Result<()> {
        if !self.library.variants.purge(original, variant)? {
            return Err(Error::NotFound);
        }
        self.variants_changed();
        Ok(())
    }

    /// The owner of a draft takes its draft back and nothing else; anybody else detaches what is stored (CONTRACT 2.12).
    fn unlink_file(
        &self,
        who: Caller,
        side: Side,
        (place, field): (&Place, &Field),
        name: &Name,
    ) -> Result<()> {
        let tgid = self.processes.group(who.tid);
        if let Some(own) = self.drafts.owned(place, tgid)
            && !own.is_placeholder()
        {
            let was_shown = own.is_shown();
            self.put_back(&own);
            own.draft.detach();
            self.drafts.part(&own);
            if was_shown {
                self.relist_beyond(place.folder());
            }
            return Ok(());
        }
        let leads = |link: &Link| name::resolves(&side.show(link.clone()), field.collection, name);
        match self.library.lookup.link(place)? {
            Some(link) if leads(&link) => {
                let Some(lost) = self.library.links.unlink(place)? else {
                    return Err(Error::NotFound);
                };
                self.drafts.of(place).iter().for_each(|open| open.unlink());
                self.note_unlinked(who, &link, &lost);
                self.row_changed(place);
                match side {
                    Side::Models => self.forget_listed(&link, field, name),
                    Side::Originals => self.forget_link(&link),
                }
                Ok(())
            }
            Some(_) => Err(Error::NotFound),
            None => {
                self.unlink_first_draft(place)?;
                self.relist_beyond(place.folder());
                Ok(())
            }
        }
    }

    /// On a free slot: a placeholder goes; a draft under way goes on, unseen, and commits when it is closed.
    fn unlink_first_draft(&self, place: &Place) -> Result<()> {
        let visible: Vec<_> =
            self.drafts.of(place).into_iter().filter(|open| open.is_shown()).collect();
        if visible.is_empty() {
            return Err(Error::NotFound);
        }
        for open in visible {
            open.unlink();
            if open.is_placeholder() {
                self.drafts.remove(open.id);
            }
        }
        Ok(())
    }

    /// `rmdir` of a row or a collection: attachments keep it, scratch, drafts and placeholders do not. A collection is there
    /// again at the next lookup: removing an empty one lets `rm -r` of its row succeed. So are directories of variants, where
    /// nothing rendered is left.
    pub fn rmdir(&self, _: Caller, parent: Ino, name: &OsStr) -> Result<()> {
        let name = sought(name)?;
        let node = node(parent)?;
        match node.as_model() {
            Node::Table(table) => {
                let row = self.library.lookup.row(table, &name)?.ok_or(Error::NotFound)?;
                self.library.rows.remove(&row)?;
                self.row_renamed(table, row.id, &[]);
                if Side::of(node) == Side::Originals {
                    self.forget_row(table, row.id, &name);
                }
                self.drop_placeholders_where(|place| place.row == row.id);
                self.drafts.of_row(row.id).iter().for_each(|open| open.unlink());
                self.links.remove_where(|folder| folder.row == row.id);
                self.generations.forget(Node::ThumbRow(table, row.id).ino());
                for (number, _) in self.table(table)?.collections() {
                    for side in [Side::Models, Side::Originals] {
                        self.generations.forget(side.collection(number, row.id).ino());
                    }
                    self.generations.forget(Node::ThumbCollection(number, row.id).ino());
                }
                self.table_changed(table);
                Ok(())
            }
            Node::Root | Node::Models | Node::Drop => Err(Error::NotPermitted),
            Node::Row(..) => self.clear_collection(&self.directory(parent)?, &name),
            Node::Collection(..) | Node::DropBox(_) => Err(Error::NotDirectory),
            // An entry of the quarantine goes with its bytes.
            Node::Quarantine => self.remove_quarantined(&name),
            parent => self.remove_thumbs(parent, &name),
        }
    }

    fn remove_thumbs(&self, parent: Node, name: &Name) -> Result<()> {
        let (directory, links) = match parent {
            Node::ThumbTable(table) => {
                let row = self.library.lookup.row(table, name)?.ok_or(Error::NotFound)?;
                (Node::ThumbRow(table, row.id), self.library.lookup.links(row.id)?)
            }
            Node::ThumbRow(table, row) => {
                let table = self.table(table)?;
                let field = table.field(name.as_str()).ok_or(Error::NotFound)?;
                if field.collection == Collection::One {
                    return self.remove_images_thumbs(&Place::one(row, name.clone()));
                }
                let number = table.number(name).ok_or(Error::NotFound)?;
                (Node::ThumbCollection(number, row), self.library.lookup.items(row, name)?)
            }
            Node::ThumbCollection(field, row) => {
                let (_, field) = self.library.lookup.field(field).ok_or(Error::Stale)?;
                let (field, item) = (field.name.clone(), Some(name.clone()));
                return self.remove_images_thumbs(&Place { row, field, item });
            }
            _ => return Err(Error::ReadOnly),
        };
        self.clear_thumbs(directory, &links)
    }

    fn remove_images_thumbs(&self, place: &Place) -> Result<()> {
        let link = self.library.lookup.link(place)?.ok_or(Error::NotFound)?;
        self.clear_thumbs(Node::thumbs_of(&link.attachment, Mark::among(&link)), &[link])
    }

    fn clear_thumbs(&self, directory: Node, links: &[Link]) -> Result<()> {
        for link in links {
            let field = self.field_at(&link.place)?;
            if !self.rendered(&link.attachment, &field)?.is_empty() {
                return Err(Error::NotEmpty);
            }
        }
        self.generations.renew(directory.ino());
        self.listings.changed();
        Ok(())
    }

    fn clear_collection(&self, row: &Directory<'_>, name: &Name) -> Result<()> {
        let Meaning::Collection(number) = name::meaning(row, name) else {
            return Err(Error::NotDirectory);
        };
        let collection = self.directory(Node::Collection(number, row.row).ino())?;
        self.library.rows.clear_collection(row.row, name)?;
        self.drop_placeholders_where(|place| collection.lists(place));
        self.links.remove_where(|folder| *folder == collection.folder());
        self.generations.renew(row.side().collection(number, row.row).ino());
        self.relist_beyond(collection.folder());
        Ok(())
    }

    fn drop_placeholders_where(&self, lies: impl Fn(&Place) -> bool) {
        for open in self.drafts.all() {
            if lies(open.place()) && open.is_placeholder() {
                self.drafts.remove(open.id);
            }
        }
    }
}
