//! Symbolic links to URLs. On a field, a link attaches the file of its URL; under a scratch name it waits to be renamed onto a
//! field (CONTRACT 8). No link stays: the next lookup of the field finds the file.

use std::sync::Arc;

use crate::library::Library;
use crate::tree::error::{Error, Result};
use crate::tree::kernel::change::{Change, Maker};
use crate::tree::kernel::tell::Knowledge;
use crate::tree::node::meaning::{Directory, Meaning, Spot};
use crate::tree::node::places::Places;
use crate::tree::node::{Kind, Node};
use crate::tree::open::Open;
use crate::tree::open::paths::Goal;
use crate::tree::open::pending::{Pending, Symlink};
use crate::tree::request::{Caller, RenameMode};
use crate::tree::show::attr::{Attr, Entry};
use crate::tree::view::fetching::{Destination, Fetching};
use words::attachment::{Access, Times};
use words::locator::Url;
use words::place::Folder;
use words::slot::Name;
use words::timestamp::Timestamp;

/// The result of `symlink`.
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
    pub(super) open: Arc<Open>,
    pub(super) fetching: Arc<Fetching>,
}

impl UrlLinks {
    /// The target and owner of a new link. Errors: [`Error::NotPermitted`] for a target that is no URL.
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
        match self.open.paths.meaning(parent, name)? {
            Meaning::File(spot) => self.download(who, &spot, name, symlink),
            // A box receives files, and a link is none.
            Meaning::Scratch if matches!(parent.node, Node::DropBox(_)) => Err(Error::NotPermitted),
            Meaning::Scratch => self.make_scratch(&parent.folder(), name, symlink),
            Meaning::Variant(..) => Err(Error::ReadOnly),
            Meaning::Collection(_) => Err(Error::Exists),
            Meaning::Url(_)
            | Meaning::RowJson
            | Meaning::RowError
            | Meaning::Report
            | Meaning::Nothing => Err(Error::NotPermitted),
        }
    }

    fn download(&self, who: Caller, spot: &Spot, name: &Name, symlink: Symlink) -> Result<Linked> {
        self.open.admission.check_extension(who, spot, name)?;
        if self.library.lookup.link(&spot.place)?.is_some() {
            return Err(Error::Exists);
        }
        self.open.admission.check_items(who, spot, name)?;
        let to = self.fetching.link_to(who, self.places.target(spot, name)?);
        Ok(Linked::Fetch(Arc::new(Download { to, symlink })))
    }

    fn make_scratch(&self, folder: &Folder, name: &Name, symlink: Symlink) -> Result<Linked> {
        let taken = self.open.links.named(folder, name).is_some()
            || self.library.scratch.find(folder, name)?.is_some();
        if taken {
            return Err(Error::Exists);
        }
        let link = self.open.links.add(folder, name, symlink)?;
        self.relist(folder);
        Ok(Linked::Made(Entry::fleeting(attr(link.id, &link.symlink, link.made))))
    }

    /// Fetches and attaches. The kernel insists on a link as the answer; the next lookup finds the file.
    pub fn attach(&self, download: &Download) -> Result<Entry> {
        let Download { to, symlink } = download;
        self.fetching.attach(Url::parse(&symlink.target), to.clone(), None)?;
        Ok(Entry::fleeting(attr(self.open.links.number(), symlink, Timestamp::now())))
    }

    /// Answers a link for which the queue of downloads is full. The attachment that was unlinked for it is put back.
    pub fn abandon(&self, download: &Download) -> Result<Entry> {
        self.open.unlinked.put_back_unfetched(&download.to.target, download.to.replaced.clone());
        Err(Error::TooBusy)
    }

    pub fn read(&self, id: u64) -> Result<Vec<u8>> {
        let link = self.open.links.find(id).ok_or(Error::Stale)?;
        Ok(link.symlink.target.clone().into_bytes())
    }

    pub fn stat(&self, id: u64) -> Result<Attr> {
        let link = self.open.links.find(id).ok_or(Error::Stale)?;
        Ok(attr(link.id, &link.symlink, link.made))
    }

    /// Renames a link that waits, which its maker alone may do. On a field it attaches the file of its URL.
    pub fn rename(
        &self,
        who: Caller,
        link: &Pending,
        parent: &Directory<'_>,
        name: &Name,
        mode: RenameMode,
    ) -> Result<()> {
        who.check_owner(link.symlink.uid)?;
        let spot = match self.open.paths.goal(parent, name)? {
            Goal::File(spot) => spot,
            Goal::Scratch(folder) => {
                return self.rename_to_scratch(who, link, &folder, name, mode);
            }
            Goal::Url(_) | Goal::Json(_) => return Err(Error::NotPermitted),
        };
        let target = self.places.target(&spot, name)?;
        self.open.admission.check_extension(who, &spot, name)?;
        let before = self.open.admission.check_rename(who, &target, parent.side(), mode)?;
        let to = self.fetching.link_to(who, target);
        self.fetching.attach(Url::parse(&link.symlink.target), to, before.as_ref())?;
        self.open.links.remove(&link.folder, &link.name);
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
        let taken = scratch.is_some() || self.open.links.named(folder, name).is_some();
        self.open.admission.check_displaced(who, folder, name)?;
        match (mode, scratch) {
            (RenameMode::Exchange, _) => return Err(Error::Invalid("links cannot be exchanged")),
            (RenameMode::NoReplace, _) if taken => return Err(Error::Exists),
            (_, Some(scratch)) => self.library.scratch.remove(scratch.id)?,
            (_, None) => {}
        }
        self.open.links.rename(link, folder, name);
        self.relist(&link.folder);
        self.relist(folder);
        Ok(())
    }

    fn relist(&self, folder: &Folder) {
        self.kernel.tell(&Change::Unstored { folder: folder.clone(), by: Maker::Kernel });
    }
}

fn attr(number: u64, symlink: &Symlink, made: Timestamp) -> Attr {
    let access = Access { uid: symlink.uid, gid: symlink.gid, mode: 0o777 };
    let size = symlink.target.len() as u64;
    Attr { kind: Kind::Symlink, ..Attr::file(Node::Link(number), size, access, Times::all(made)) }
}
