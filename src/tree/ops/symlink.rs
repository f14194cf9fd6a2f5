//! Symbolic links: on a field one attaches what its URL leads to, elsewhere it waits to be renamed onto a field (CONTRACT 8).
//! Does not keep links: the next lookup of the field finds the file.

use std::ffi::OsStr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::library::lookup::target::Target;
use crate::tree::attr::{Attr, Entry, Kind, RenameMode};
use crate::tree::directory::Directory;
use crate::tree::name::{self, Meaning};
use crate::tree::node::Node;
use crate::tree::ops::Work;
use crate::tree::ops::stat::fleeting;
use crate::tree::ops::url::Written;
use crate::tree::pending::{Lead, Pending};
use crate::tree::permission::owned;
use crate::tree::{Caller, Error, Ino, Result, Tree, made, node, sought};
use words::access::FILE_MODE;
use words::attachment::{Access, Times};
use words::link::Link;
use words::locator::Url;
use words::place::{Folder, Place};
use words::schema::Field;
use words::slot::Name;
use words::timestamp::Timestamp;

/// What becomes of a symbolic link.
#[derive(Debug)]
pub enum Linked {
    Made(Entry),
    /// To be answered by [`Tree::attach_link`], from the bounded pool of downloads.
    Fetch(Arc<Errand>),
}

/// A download that somebody waits for with a directory in his hand.
#[derive(Debug)]
pub struct Errand {
    written: Written,
    lead: Lead,
}

/// A link that attaches has 30 s in all, because it holds its directory and its maker cannot be killed (CONTRACT 8): so much to
/// wait for its turn, so much to fetch, and the rest to be judged.
const QUEUED: Duration = Duration::from_secs(5);
const FETCHED: Duration = Duration::from_secs(20);

impl Tree {
    /// Only URLs: anything else would lead out of the tree.
    pub fn symlink(&self, who: Caller, parent: Ino, name: &OsStr, target: &[u8]) -> Result<Linked> {
        if !Url::is_meant(target) {
            return Err(Error::NotPermitted);
        }
        let text = std::str::from_utf8(target).map_err(|_| Error::NotPermitted)?.to_owned();
        let lead = Lead { text, uid: who.uid, gid: who.gid };
        let parent = self.directory(parent)?;
        let name = made(name)?;
        match self.meaning(&parent, &name)? {
            Meaning::File(place, field) => self.link_file(who, &place, &field, &name, lead),
            // A link is no file that could arrive.
            Meaning::Scratch if matches!(parent.node, Node::DropBox(_)) => Err(Error::NotPermitted),
            Meaning::Scratch => self.link_scratch_name(&parent.folder(), &name, lead),
            Meaning::Variant(..) => Err(Error::ReadOnly),
            Meaning::Collection(_) => Err(Error::Exists),
            Meaning::Url(..) | Meaning::RowJson | Meaning::Report | Meaning::Nothing => {
                Err(Error::NotPermitted)
            }
        }
    }

    fn link_file(
        &self,
        who: Caller,
        place: &Place,
        field: &Arc<Field>,
        name: &Name,
        lead: Lead,
    ) -> Result<Linked> {
        self.check_extension(who, place, field, name)?;
        if self.library.lookup.link(place)?.is_some() {
            return Err(Error::Exists);
        }
        self.check_items(who, place, field, name)?;
        let target = self.target(place, field, name)?;
        let written = self.written(who, target);
        Ok(Linked::Fetch(Arc::new(Errand { written, lead })))
    }

    /// A link under a scratch name.
    fn link_scratch_name(&self, folder: &Folder, name: &Name, lead: Lead) -> Result<Linked> {
        let taken = self.links.named(folder, name).is_some()
            || self.library.scratch.find(folder, name)?.is_some();
        if taken {
            return Err(Error::Exists);
        }
        let link = self.links.add(folder, name, lead).map_err(|_| Error::TooBusy)?;
        self.relist_beyond(folder.clone());
        Ok(Linked::Made(fleeting(pending_attr(&link))))
    }

    /// Fetches and attaches. The kernel insists on a link as the answer; the next lookup finds the file.
    pub fn attach_link(&self, errand: &Errand) -> Result<Entry> {
        let Errand { written, lead } = errand;
        self.attach_read(Url::parse(&lead.text), written.clone(), None)?;
        Ok(fleeting(link_attr(self.links.number(), lead, Timestamp::now())))
    }

    /// For a link that finds no room among the downloads: what was unlinked for it is put back.
    pub fn abandon_link(&self, errand: &Errand) -> Result<Entry> {
        self.put_back_unfetched(&errand.written.target, errand.written.replaced.clone());
        Err(Error::TooBusy)
    }

    pub fn readlink(&self, ino: Ino) -> Result<Vec<u8>> {
        match node(ino)? {
            Node::Link(id) => {
                let link = self.links.find(id).ok_or(Error::Stale)?;
                Ok(link.lead.text.clone().into_bytes())
            }
            _ => Err(Error::Invalid("it is no symbolic link")),
        }
    }

    pub(in crate::tree) fn stat_link(&self, id: u64) -> Result<Attr> {
        let link = self.links.find(id).ok_or(Error::Stale)?;
        Ok(pending_attr(&link))
    }

    /// What a rename may cost: one that attaches from a URL waits for a server.
    pub fn rename_work(
        &self,
        (parent, name): (Ino, &OsStr),
        (new_parent, new_name): (Ino, &OsStr),
    ) -> Work {
        let (Ok(parent), Ok(new_parent)) = (self.directory(parent), self.directory(new_parent))
        else {
            return Work::Large;
        };
        let (Ok(name), Ok(new_name)) = (sought(name), made(new_name)) else { return Work::Large };
        let waits = match name::meaning(&new_parent, &new_name) {
            Meaning::Url(..) => true,
            Meaning::File(..) => self.links.named(&parent.folder(), &name).is_some(),
            Meaning::Scratch
            | Meaning::Variant(..)
            | Meaning::Collection(_)
            | Meaning::RowJson
            | Meaning::Report
            | Meaning::Nothing => false,
        };
        if waits { self.link_work() } else { Work::Large }
    }

    /// What a link costs that attaches.
    pub fn link_work(&self) -> Work {
        Work::Download { patience: QUEUED }
    }

    /// A link is its maker's alone, as scratch is.
    pub(in crate::tree) fn rename_pending(
        &self,
        who: Caller,
        link: &Pending,
        parent: &Directory<'_>,
        name: &Name,
        mode: RenameMode,
    ) -> Result<()> {
        owned(link.lead.uid, who)?;
        match self.meaning(parent, name)? {
            Meaning::File(place, field) => {
                let target = self.target(&place, &field, name)?;
                self.check_extension(who, &place, &field, name)?;
                let before = self.way_in(who, (&target, parent.side()), mode)?;
                self.attach_pending(who, link, target, before.as_ref())
            }
            Meaning::Scratch => self.move_pending(who, link, (&parent.folder(), name), mode),
            Meaning::Variant(..) => Err(Error::ReadOnly),
            Meaning::Collection(_) => Err(Error::IsDirectory),
            Meaning::Url(..) | Meaning::RowJson | Meaning::Report | Meaning::Nothing => {
                Err(Error::NotPermitted)
            }
        }
    }

    fn move_pending(
        &self,
        who: Caller,
        link: &Pending,
        (folder, name): (&Folder, &Name),
        mode: RenameMode,
    ) -> Result<()> {
        let scratch = self.library.scratch.find(folder, name)?;
        let taken = scratch.is_some() || self.links.named(folder, name).is_some();
        self.check_displaced(who, folder, name)?;
        match (mode, scratch) {
            (RenameMode::Exchange, _) => return Err(Error::Invalid("links cannot be exchanged")),
            (RenameMode::NoReplace, _) if taken => return Err(Error::Exists),
            (_, Some(scratch)) => self.library.scratch.remove(scratch.id)?,
            (_, None) => {}
        }
        self.links.rename(link, folder, name);
        self.relist_beyond(link.folder.clone());
        self.relist_beyond(folder.clone());
        Ok(())
    }

    /// A link that is renamed onto a field attaches there; what hangs from it stays until then.
    fn attach_pending(
        &self,
        who: Caller,
        link: &Pending,
        target: Target,
        before: Option<&Link>,
    ) -> Result<()> {
        let written = self.written(who, target);
        self.attach_read(Url::parse(&link.lead.text), written, before)?;
        self.links.remove(&link.folder, &link.name);
        self.relist_beyond(link.folder.clone());
        Ok(())
    }

    /// A link's way into its field. From here on its time runs.
    pub(in crate::tree) fn written(&self, who: Caller, target: Target) -> Written {
        let author = Self::author(who, &self.processes.owner(who.tid));
        let access = who.makes(FILE_MODE);
        let replaced = self.made_room(who, &target.place);
        let deadline = Instant::now() + self.library.settings.fetch.timeout.min(FETCHED);
        Written { target, author, access, deadline, replaced }
    }
}

fn pending_attr(link: &Pending) -> Attr {
    link_attr(link.id, &link.lead, link.made)
}

fn link_attr(number: u64, lead: &Lead, made: Timestamp) -> Attr {
    Attr {
        ino: Node::Link(number).ino(),
        kind: Kind::Symlink,
        size: lead.text.len() as u64,
        links: 1,
        access: Access { uid: lead.uid, gid: lead.gid, mode: 0o777 },
        times: Times::all(made),
    }
}
