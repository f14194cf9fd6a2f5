//! The form of a name: what is stored may have been written in another Unicode normal form than it is asked for in.

use std::ffi::OsStr;

use crate::tree::error::Result;
use crate::tree::kernel::change::Change;
use crate::tree::node::meaning::Meaning;
use crate::tree::node::{Ino, Node};
use crate::tree::ops::Tree;
use crate::tree::request::{made, sought};
use words::slot::Name;

impl Tree {
    /// A name that an operation looks for, as it is stored.
    pub(super) fn sought(&self, parent: Ino, name: &OsStr) -> Result<Name> {
        self.as_stored(parent, sought(name)?)
    }

    /// A name that an operation makes: as it is stored, or else in the form for new files.
    pub(super) fn made(&self, parent: Ino, name: &OsStr) -> Result<Name> {
        self.as_stored(parent, made(name)?)
    }

    /// Tells the kernel that a name is gone of which it asked for another form.
    pub(super) fn tell_form(&self, parent: Ino, asked: &OsStr, name: &Name) -> Result<()> {
        if asked != name.as_str() {
            self.kernel.tell(&Change::Form { parent: Node::at(parent)?, name });
        }
        Ok(())
    }

    fn as_stored(&self, parent: Ino, name: Name) -> Result<Name> {
        let mut forms = self.names.of(&name);
        for at in 0..forms.len() {
            if self.is_stored(parent, &forms[at])? {
                return Ok(forms.swap_remove(at));
            }
        }
        Ok(forms.into_iter().next().unwrap_or(name))
    }

    fn is_stored(&self, parent: Ino, name: &Name) -> Result<bool> {
        let parent = match Node::at(parent)?.as_model() {
            Node::Table(table) | Node::ThumbTable(table) => {
                return Ok(self.library.lookup.row(table, name)?.is_some());
            }
            Node::ThumbCollection(field, row) => Node::Collection(field, row),
            node => node,
        };
        let Ok(directory) = self.places.directory(parent.ino()) else { return Ok(false) };
        Ok(match self.open.paths.meaning(&directory, name)? {
            Meaning::File(spot) => {
                self.library.lookup.link(&spot.place)?.is_some()
                    || self.open.drafts.first(&spot.place, None).is_some()
            }
            Meaning::Scratch | Meaning::Report => {
                let folder = directory.folder();
                self.library.scratch.find(&folder, name)?.is_some()
                    || self.open.links.named(&folder, name).is_some()
            }
            Meaning::Variant(..)
            | Meaning::Collection(_)
            | Meaning::RowJson
            | Meaning::RowError
            | Meaning::Url(_) => true,
            Meaning::Nothing => false,
        })
    }
}
