//! `unlink`. No blob is deleted: an attachment that loses its last name is held, and swept later.

use std::ffi::OsStr;

use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::{Change, Maker};
use crate::tree::node::directory::Directory;
use crate::tree::node::meaning::{self, Meaning, Spot};
use crate::tree::node::side::Side;
use crate::tree::node::{Ino, Node};
use crate::tree::ops::Tree;
use crate::tree::request::{Caller, sought};
use words::link::Link;
use words::place::Folder;
use words::slot::Name;

impl Tree {
    pub fn unlink(&self, who: Caller, parent: Ino, name: &OsStr) -> Result<()> {
        let name = sought(name)?;
        match Node::at(parent)? {
            Node::QuarantineEntry(id) => return self.view.control.quarantine.unlink(id, &name),
            Node::ThumbField(id, _) | Node::GuardedThumbs(id, _) => {
                return self.view.thumbs.purge(id, &name);
            }
            _ => {}
        }
        let parent = self.places.directory(parent)?;
        match self.open.contents.meaning(&parent, &name)? {
            Meaning::File(spot) => self.unlink_file(who, parent.side(), &spot, &name),
            Meaning::Collection(_) => Err(Error::IsDirectory),
            Meaning::Scratch | Meaning::Report => self.unlink_scratch(&parent, &name),
            Meaning::Variant(spot, Some(variant)) => {
                let link = self.library.lookup.link(&spot.place)?.ok_or(Error::NotFound)?;
                self.view.variants.purge(link.attachment.blob, variant)
            }
            Meaning::RowJson => Err(Error::NotPermitted),
            Meaning::Variant(_, None) | Meaning::Url(_) | Meaning::Nothing => Err(Error::NotFound),
        }
    }

    /// The owner of a draft takes its draft back and nothing else; any other process detaches what is stored (CONTRACT 2.12).
    fn unlink_file(&self, who: Caller, side: Side, spot: &Spot, name: &Name) -> Result<()> {
        let Spot { place, field } = spot;
        let tgid = self.open.processes.group(who.tid);
        if let Some(own) = self.open.drafts.owned(place, tgid)
            && !own.is_placeholder()
        {
            self.open.writers.take_back(&own);
            return Ok(());
        }
        let leads =
            |link: &Link| meaning::resolves(&side.show(link.clone()), field.collection, name);
        match self.library.lookup.link(place)? {
            Some(link) if leads(&link) => {
                if !self.open.names.unlink(who, &link)? {
                    return Err(Error::NotFound);
                }
                self.kernel.tell(&match side {
                    Side::Models => Change::Alias { link: &link, field, asked: name },
                    Side::Originals => Change::ByOriginal { link: &link },
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
        self.open.box_files.forget(record.id);
        self.library.scratch.remove(record.id)?;
        self.kernel.tell(&Change::Scratch { directory: parent });
        Ok(())
    }

    /// A name that the catalogue does not know is gone.
    fn relist(&self, folder: Folder) {
        self.kernel.tell(&Change::Unstored { folder, by: Maker::Kernel });
    }
}
