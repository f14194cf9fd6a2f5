//! Symbolic links to URLs: on a field one attaches what its URL leads to, under a scratch name it waits to be renamed onto a field
//! (CONTRACT 8). No link stays: the next lookup of the field finds the file.

use std::sync::Arc;

use crate::library::Library;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::{Change, Maker};
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::directory::Directory;
use crate::tree::node::meaning::{Meaning, Spot};
use crate::tree::node::places::Places;
use crate::tree::node::side::Side;
use crate::tree::node::{Kind, Node};
use crate::tree::open::admission::Admission;
use crate::tree::open::contents::Contents;
use crate::tree::open::pending::{Pending, PendingLinks, Symlink};
use crate::tree::open::permits::owned;
use crate::tree::open::unlinked::Unlinked;
use crate::tree::request::{Caller, RenameMode};
use crate::tree::show::attr::{Attr, Entry};
use crate::tree::view::url::fetching::{Destination, Fetching};
use words::attachment::{Access, Times};
use words::locator::Url;
use words::place::Folder;
use words::slot::Name;
use words::timestamp::Timestamp;

/// What becomes of a symbolic link.
#[derive(Debug)]
pub enum Linked {
    Made(Entry),
    /// To be answered by [`UrlLinks::attach`], from the bounded pool of downloads.
    Fetch(Arc<Download>),
}

/// A download that the maker of a link waits for, while the kernel has the directory locked.
#[derive(Debug)]
pub struct Download {
    to: Destination,
    symlink: Symlink,
}

pub struct UrlLinks {
    pub(super) library: Arc<Library>,
    pub(super) places: Arc<Places>,
    pub(super) kernel: Arc<Knowledge>,
    pub(super) links: Arc<PendingLinks>,
    pub(super) contents: Arc<Contents>,
    pub(super) admission: Arc<Admission>,
    pub(super) unlinked: Arc<Unlinked>,
    pub(super) fetching: Arc<Fetching>,
}

impl UrlLinks {
    /// The target and owner of a link that a caller makes. Errors: [`Error::NotPermitted`] for a target that is no URL, which would
    /// lead out of the tree.
    pub fn symlink_to(who: Caller, target: &[u8]) -> Result<Symlink> {
        let text = std::str::from_utf8(target).ok().filter(|_| Url::is_meant(target));
        let target = text.ok_or(Error::NotPermitted)?.to_owned();
        Ok(Symlink { target, uid: who.uid, gid: who.gid })
    }

    pub fn make(
        &self,
        who: Caller,
        parent: &Directory<'_>,
        name: &Name,
        symlink: Symlink,
    ) -> Result<Linked> {
        match self.contents.meaning(parent, name)? {
            Meaning::File(spot) => self.make_on_field(who, &spot, name, symlink),
            // A link is no file that a box could receive.
            Meaning::Scratch if matches!(parent.node, Node::DropBox(_)) => Err(Error::NotPermitted),
            Meaning::Scratch => self.make_scratch(&parent.folder(), name, symlink),
            Meaning::Variant(..) => Err(Error::ReadOnly),
            Meaning::Collection(_) => Err(Error::Exists),
            Meaning::Url(_) | Meaning::RowJson | Meaning::Report | Meaning::Nothing => {
                Err(Error::NotPermitted)
            }
        }
    }

    fn make_on_field(
        &self,
        who: Caller,
        spot: &Spot,
        name: &Name,
        symlink: Symlink,
    ) -> Result<Linked> {
        self.admission.check_extension(who, spot, name)?;
        if self.library.lookup.link(&spot.place)?.is_some() {
            return Err(Error::Exists);
        }
        self.admission.check_items(who, spot, name)?;
        let to = self.fetching.link_to(who, self.places.target(spot, name)?);
        Ok(Linked::Fetch(Arc::new(Download { to, symlink })))
    }

    fn make_scratch(&self, folder: &Folder, name: &Name, symlink: Symlink) -> Result<Linked> {
        let taken = self.links.named(folder, name).is_some()
            || self.library.scratch.find(folder, name)?.is_some();
        if taken {
            return Err(Error::Exists);
        }
        let link = self.links.add(folder, name, symlink).map_err(|_| Error::TooBusy)?;
        self.relist(folder);
        Ok(Linked::Made(Entry::fleeting(pending_attr(&link))))
    }

    /// Fetches and attaches. The kernel insists on a link as the answer; the next lookup finds the file.
    pub fn attach(&self, download: &Download) -> Result<Entry> {
        let Download { to, symlink } = download;
        self.fetching.attach(Url::parse(&symlink.target), to.clone(), None)?;
        Ok(Entry::fleeting(attr(self.links.number(), symlink, Timestamp::now())))
    }

    /// Gives up a link that finds no room among the downloads: what was unlinked for it is put back.
    pub fn abandon(&self, download: &Download) {
        self.unlinked.put_back_unfetched(&download.to.target, download.to.replaced.clone());
    }

    /// The target of a link that waits.
    pub fn read(&self, id: u64) -> Result<Vec<u8>> {
        let link = self.links.find(id).ok_or(Error::Stale)?;
        Ok(link.symlink.target.clone().into_bytes())
    }

    pub fn stat(&self, id: u64) -> Result<Attr> {
        let link = self.links.find(id).ok_or(Error::Stale)?;
        Ok(pending_attr(&link))
    }

    /// Renames a link that waits. It is for its maker alone, as scratch is.
    pub fn rename(
        &self,
        who: Caller,
        link: &Pending,
        parent: &Directory<'_>,
        name: &Name,
        mode: RenameMode,
    ) -> Result<()> {
        owned(link.symlink.uid, who)?;
        match self.contents.meaning(parent, name)? {
            Meaning::File(spot) => {
                let to = Onto { spot: &spot, name, side: parent.side() };
                self.rename_onto_field(who, link, to, mode)
            }
            Meaning::Scratch => self.rename_to_scratch(who, link, &parent.folder(), name, mode),
            Meaning::Variant(..) => Err(Error::ReadOnly),
            Meaning::Collection(_) => Err(Error::IsDirectory),
            Meaning::Url(_) | Meaning::RowJson | Meaning::Report | Meaning::Nothing => {
                Err(Error::NotPermitted)
            }
        }
    }

    /// Attaches what the link leads to; what hangs from the field stays until then.
    fn rename_onto_field(
        &self,
        who: Caller,
        link: &Pending,
        to: Onto<'_>,
        mode: RenameMode,
    ) -> Result<()> {
        let target = self.places.target(to.spot, to.name)?;
        self.admission.check_extension(who, to.spot, to.name)?;
        let before = self.admission.check_rename(who, &target, to.side, mode)?;
        let to = self.fetching.link_to(who, target);
        self.fetching.attach(Url::parse(&link.symlink.target), to, before.as_ref())?;
        self.links.remove(&link.folder, &link.name);
        self.relist(&link.folder);
        Ok(())
    }

    fn rename_to_scratch(
        &self,
        who: Caller,
        link: &Pending,
        folder: &Folder,
        name: &Name,
        mode: RenameMode,
    ) -> Result<()> {
        let scratch = self.library.scratch.find(folder, name)?;
        let taken = scratch.is_some() || self.links.named(folder, name).is_some();
        self.admission.check_displaced(who, folder, name)?;
        match (mode, scratch) {
            (RenameMode::Exchange, _) => return Err(Error::Invalid("links cannot be exchanged")),
            (RenameMode::NoReplace, _) if taken => return Err(Error::Exists),
            (_, Some(scratch)) => self.library.scratch.remove(scratch.id)?,
            (_, None) => {}
        }
        self.links.rename(link, folder, name);
        self.relist(&link.folder);
        self.relist(folder);
        Ok(())
    }

    fn relist(&self, folder: &Folder) {
        self.kernel.tell(&Change::Unstored { folder: folder.clone(), by: Maker::Kernel });
    }
}

/// The field that a link is renamed onto, the name that is used and its side.
#[derive(Clone, Copy)]
struct Onto<'a> {
    spot: &'a Spot,
    name: &'a Name,
    side: Side,
}

fn pending_attr(link: &Pending) -> Attr {
    attr(link.id, &link.symlink, link.made)
}

fn attr(number: u64, symlink: &Symlink, made: Timestamp) -> Attr {
    Attr {
        ino: Node::Link(number).ino(),
        kind: Kind::Symlink,
        size: symlink.target.len() as u64,
        links: 1,
        access: Access { uid: symlink.uid, gid: symlink.gid, mode: 0o777 },
        times: Times::all(made),
    }
}
