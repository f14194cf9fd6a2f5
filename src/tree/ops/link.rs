//! The names of files: `link`, `unlink`, and `symlink` and `readlink` of links to URLs (CONTRACT 8). No blob is deleted: an attachment
//! that loses its last name is held, and swept later.

use std::ffi::OsStr;

use crate::library::limit::permission::Act;
use crate::library::lookup::target::Target;
use crate::session_thread;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::{Change, Maker};
use crate::tree::node::meaning::{self, Directory, Meaning, Spot};
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use crate::tree::open::paths::Goal;
use crate::tree::ops::Tree;
use crate::tree::ops::delayed::placed;
use crate::tree::request::Caller;
use crate::tree::show::attr::Entry;
use crate::tree::view::url_links::{Linked, UrlLinks};
use words::link::Link;
use words::place::Folder;
use words::slot::Name;

impl Tree {
    pub(super) fn link_file(
        &self,
        who: Caller,
        ino: Ino,
        new_parent: Ino,
        new_name: &OsStr,
    ) -> Result<Entry> {
        let parent = self.places.directory(new_parent)?;
        let name = self.made(new_parent, new_name)?;
        let goal = self.open.paths.goal(&parent, &name)?;
        let (source, from) = self.open.paths.meant(who, ino)?;
        let spot = match (source.as_model(), goal) {
            (Node::Attachment(..) | Node::Scratch(_) | Node::Trashed(_), Goal::File(spot)) => spot,
            (Node::Attachment(..), Goal::Scratch(_)) => return Err(Error::CrossDevice),
            (Node::Draft(_), _) => return Err(Error::Busy),
            _ => return Err(Error::NotPermitted),
        };
        if let Node::Scratch(_) = source {
            self.open.admission.check_extension(who, &spot, &name)?;
        }
        let target = self.places.target(&spot, &name)?;
        match source {
            Node::Scratch(id) => self.link_scratch(who, id, &target)?,
            Node::Trashed(id) => self.view.trash.restore_by_link(who, id, &target)?,
            _ => {
                let from = if let Some(found) = from {
                    self.linkable(who, found)?
                } else {
                    let named = self.open.paths.name(who, source)?;
                    self.library.lookup.link(&named)?.ok_or(Error::Stale)?
                };
                self.share(who, from, &target)?;
            }
        }
        let link = self.library.lookup.link(&target.place)?.ok_or(Error::NotFound)?;
        let side = parent.side();
        Ok(self.show.link(side, &side.show(link), &target.field, &target.written))
    }

    /// The link that a place has now, if the caller may give it another name: its owner, or a user who may read and write it
    /// (`protected_hardlinks`, `proc_sys_fs(5)`).
    fn linkable(&self, who: Caller, found: Link) -> Result<Link> {
        if who.check_owner(found.attachment.access.uid).is_err() {
            self.open.rights.check(who, Act::Read, &found)?;
            self.open.rights.check(who, Act::Write, &found)?;
        }
        Ok(found)
    }

    /// Gives an attachment a second name.
    fn share(&self, who: Caller, from: Link, target: &Target) -> Result<()> {
        let source = self.places.field_at(&from.place)?;
        let author = self.open.processes.author(who);
        let taken = self.library.lookup.link(&target.place)?.is_some();
        self.open.admission.check_arrival(who, target, taken, None)?;
        self.library.links.share(&from, &source.rules, target, author)?;
        let id = from.attachment.id;
        if from.attachment.links == 1 {
            self.places.note_first_name(id, from.place);
        }
        self.open.drafts.drop_placeholders(&target.place, 0);
        self.kernel.tell(&Change::Linked { place: &target.place, id, displaced: None });
        Ok(())
    }

    pub(super) fn make_symlink(
        &self,
        who: Caller,
        parent: Ino,
        name: &OsStr,
        target: &[u8],
    ) -> Result<Linked> {
        let symlink = UrlLinks::symlink_to(who, target)?;
        let directory = self.places.directory(parent)?;
        self.view.url_links.make(who, &directory, &self.made(parent, name)?, symlink)
    }

    pub fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        match Node::at(ino)? {
            Node::Link(id) => self.view.url_links.read(id),
            _ => Err(Error::Invalid("it is no symbolic link")),
        }
    }

    pub(super) fn unlink_any(&self, who: Caller, parent: Ino, name: &OsStr) -> Result<()> {
        let (parent, name) = placed(parent, name);
        if self.open.litter.remove(who, parent, &name) {
            return Ok(());
        }
        let asked = name;
        let name = self.sought(parent, &asked)?;
        match Node::at(parent)? {
            Node::QuarantineEntry(id) => return self.view.control.quarantine.unlink(id, &name),
            Node::ThumbField(id, _) | Node::GuardedThumbs(id, _) => {
                return self.view.thumbs.purge(id, &name);
            }
            _ => {}
        }
        let directory = self.places.directory(parent)?;
        self.unlink_in(who, &directory, &name)?;
        self.tell_form(parent, &asked, &name)
    }

    fn unlink_in(&self, who: Caller, parent: &Directory<'_>, name: &Name) -> Result<()> {
        match self.open.paths.meaning(parent, name)? {
            Meaning::File(spot) => self.unlink_file(who, parent.side(), &spot, name),
            Meaning::Collection(_) => Err(Error::IsDirectory),
            Meaning::Scratch | Meaning::Report => self.unlink_scratch(parent, name),
            Meaning::Variant(spot, Some(variant)) => {
                let link = self.library.lookup.link(&spot.place)?.ok_or(Error::NotFound)?;
                self.view.variants.purge(link.attachment.blob, variant)
            }
            Meaning::RowJson | Meaning::RowError => Err(Error::NotPermitted),
            Meaning::Variant(_, None) | Meaning::Url(_) | Meaning::Nothing => Err(Error::NotFound),
        }
    }

    /// The owner of a draft discards its draft and nothing else; any other process detaches the attachment (CONTRACT 2.12).
    fn unlink_file(&self, who: Caller, side: Side, spot: &Spot, name: &Name) -> Result<()> {
        let Spot { place, field } = spot;
        if let Some(own) = self.open.writers.own(who, place).first()
            && !own.is_placeholder()
        {
            own.draft.settled()?;
            self.open.writers.take_back(who, own);
            return Ok(());
        }
        let leads =
            |link: &Link| meaning::resolves(&side.show(link.clone()), field.collection, name);
        match self.library.lookup.link(place)? {
            Some(link) if leads(&link) => {
                self.open.rights.check(who, Act::Displace, &link)?;
                let lost = self.library.links.unlink(place)?.ok_or(Error::NotFound)?;
                // Drafts of others go on, hidden.
                self.open.drafts.of(place).iter().for_each(|open| open.unlink());
                self.open.unlinked.note(who, &link, &lost);
                self.kernel.tell(&match side {
                    Side::Models => Change::Alias { link: &link, field, asked: name },
                    Side::Originals => Change::ByOriginal(&link),
                });
                Ok(())
            }
            None if self.open.drafts.unlink_shown(place) => {
                self.relist(place.folder());
                Ok(())
            }
            Some(_) | None => Err(Error::NotFound),
        }
    }

    fn unlink_scratch(&self, parent: &Directory<'_>, name: &Name) -> Result<()> {
        let folder = parent.folder();
        if self.open.links.remove(&folder, name) {
            self.relist(folder);
            return Ok(());
        }
        let record = self.library.scratch.find(&folder, name)?.ok_or(Error::NotFound)?;
        session_thread::leave_for_bytes(self.library.scratch.size(&record))?;
        self.open.boxes.files.forget(record.id);
        self.library.scratch.remove(record.id)?;
        self.kernel.tell(&Change::Scratch(parent));
        Ok(())
    }

    /// Tells of a removed name that was not in the catalogue.
    fn relist(&self, folder: Folder) {
        self.kernel.tell(&Change::Unstored { folder, by: Maker::Kernel });
    }
}
