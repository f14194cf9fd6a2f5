//! Litter that programs make, rename and remove (`tree/open/litter.rs`).

use std::ffi::OsStr;
use std::sync::Arc;

use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::Change;
use crate::tree::node::meaning::Meaning;
use crate::tree::node::{Ino, Node};
use crate::tree::open::handles::{Caching, Handle, Opened};
use crate::tree::open::litter::{LitterFile, takes};
use crate::tree::ops::Tree;
use crate::tree::request::{Caller, FILE_BITS, NameIn, sought};
use crate::tree::show::attr::Entry;

impl Tree {
    pub(super) fn make_litter(
        &self,
        who: Caller,
        parent: Ino,
        name: &OsStr,
        mode: u32,
    ) -> (Entry, Opened) {
        let file = self.open.litter.make(who, parent, name, mode & FILE_BITS);
        (Entry::fleeting(file.attr()), self.open_litter(who, file))
    }

    pub(super) fn open_litter(&self, who: Caller, file: Arc<LitterFile>) -> Opened {
        let fh = self.open.handles.add(who, Handle::Litter(file));
        Opened { fh, caching: Caching::Never }
    }

    pub(super) fn litter(&self, id: u64) -> Result<Arc<LitterFile>> {
        self.open.litter.by_number(id).ok_or(Error::Stale)
    }

    /// Renames litter, or makes litter of a scratch file that gets such a name. Returns whether the rename is done.
    pub(super) fn rename_litter(
        &self,
        who: Caller,
        from: NameIn<'_>,
        to: NameIn<'_>,
    ) -> Result<bool> {
        let (litter, is_goal) = (&self.open.litter, takes(Node::at(to.parent)?, to.name));
        if let Some(file) = litter.find(who, from.parent, from.name) {
            if !is_goal {
                return Err(Error::NotPermitted);
            }
            litter.rename(&file, to.parent, to.name);
            return Ok(true);
        }
        if !is_goal {
            return Ok(false);
        }
        // rsync finishes a file under another name, which is scratch in a row.
        let Ok(parent) = self.places.directory(from.parent) else { return Ok(false) };
        let name = sought(from.name)?;
        let Meaning::Scratch = self.open.paths.meaning(&parent, &name)? else { return Ok(false) };
        let found = self.library.scratch.find(&parent.folder(), &name)?;
        let Some(record) = found else { return Ok(false) };
        who.check_owner(record.access.uid)?;
        self.open.boxes.files.forget(record.id);
        self.library.scratch.remove(record.id)?;
        self.kernel.tell(&Change::Scratch(&parent));
        litter.make(who, to.parent, to.name, record.access.mode);
        Ok(true)
    }
}
