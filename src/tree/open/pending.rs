//! Symbolic links under scratch names: URLs that wait to be renamed onto a field (`ln -sf` makes a link and renames it, CONTRACT
//! 8). A link that is not renamed is forgotten after a while, and by a restart.

use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::tree::bounded::BoundedMap;
use crate::tree::error::{Error, Result};
use words::place::Folder;
use words::slot::Name;
use words::timestamp::Timestamp;

/// How long a link waits. Then it is forgotten.
const WAITING_SECS: u64 = 60;
/// The most links that wait. Another one is refused with `TooBusy`.
const MAX_WAITING: usize = 4_096;

/// A symbolic link to a URL.
#[derive(Debug, Clone)]
pub struct Pending {
    pub id: u64,
    pub folder: Folder,
    pub name: Name,
    pub symlink: Symlink,
    pub made: Timestamp,
}

/// The target of a link as it was written, and the owner of the link.
#[derive(Debug, Clone)]
pub struct Symlink {
    pub target: String,
    pub uid: u32,
    pub gid: u32,
}

#[derive(Debug, Default)]
pub struct PendingLinks {
    /// Guards the links and their numbers. Never held across I/O.
    index: Mutex<Index>,
}

#[derive(Debug, Default)]
struct Index {
    last: u64,
    by_id: BoundedMap<u64, Arc<Pending>, MAX_WAITING, WAITING_SECS>,
}

impl Index {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn named(&self, folder: &Folder, name: &Name) -> Option<Arc<Pending>> {
        self.by_id.values().find(|link| link.folder == *folder && link.name == *name).cloned()
    }
}

impl PendingLinks {
    /// Makes a link. Errors: [`Error::TooBusy`] if too many wait.
    pub fn add(&self, folder: &Folder, name: &Name, symlink: Symlink) -> Result<Arc<Pending>> {
        let mut index = self.index.lock();
        if index.by_id.is_full() {
            return Err(Error::TooBusy);
        }
        let (id, made) = (index.next(), Timestamp::now());
        let link = Pending { id, folder: folder.clone(), name: name.clone(), symlink, made };
        let link = Arc::new(link);
        index.by_id.insert(id, Arc::clone(&link));
        Ok(link)
    }

    /// A number for the link in a reply, which exists no longer.
    pub fn number(&self) -> u64 {
        self.index.lock().next()
    }

    pub fn find(&self, id: u64) -> Option<Arc<Pending>> {
        self.index.lock().by_id.get(&id).cloned()
    }

    pub fn named(&self, folder: &Folder, name: &Name) -> Option<Arc<Pending>> {
        self.index.lock().named(folder, name)
    }

    /// The links in a directory, the oldest first.
    pub fn of(&self, folder: &Folder) -> Vec<Arc<Pending>> {
        let index = self.index.lock();
        index.by_id.values().filter(|link| link.folder == *folder).cloned().collect()
    }

    /// Removes a name; returns whether there was one.
    pub fn remove(&self, folder: &Folder, name: &Name) -> bool {
        let mut index = self.index.lock();
        let found = index.named(folder, name);
        found.is_some_and(|link| index.by_id.remove(&link.id).is_some())
    }

    /// Removes the links in all directories that `lies` selects.
    pub fn remove_where(&self, lies: impl Fn(&Folder) -> bool) {
        self.index.lock().by_id.retain(|link| !lies(&link.folder));
    }

    /// Gives a link another name, and removes a link that had it. The link expires when it would have under its old name.
    pub fn rename(&self, link: &Pending, folder: &Folder, name: &Name) {
        let mut index = self.index.lock();
        if let Some(other) = index.named(folder, name).filter(|other| other.id != link.id) {
            index.by_id.remove(&other.id);
        }
        if let Some(renamed) = index.by_id.get_mut(&link.id) {
            let (folder, name) = (folder.clone(), name.clone());
            *renamed = Arc::new(Pending { folder, name, ..link.clone() });
        }
    }

    /// Removes the links that have waited too long, and returns their directories.
    pub fn expire(&self, now: Instant) -> Vec<Folder> {
        let expired = self.index.lock().by_id.expire(now);
        expired.into_iter().map(|link| link.folder.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use words::attachment::RowId;

    fn name(text: &str) -> Name {
        Name::parse(text).expect("a name")
    }

    fn row(number: u64) -> Folder {
        Folder::row(RowId(number))
    }

    fn symlink() -> Symlink {
        Symlink { target: "https://x/a".into(), uid: 1, gid: 2 }
    }

    #[test]
    fn a_link_is_found_by_its_number_and_its_name_until_it_is_removed() {
        let links = PendingLinks::default();
        let link = links.add(&row(1), &name("a"), symlink()).expect("room");
        assert_eq!(links.find(link.id).map(|link| link.id), Some(link.id));
        assert!(links.named(&row(1), &name("a")).is_some());
        assert!(links.named(&row(2), &name("a")).is_none());
        links.rename(&link, &row(2), &name("b"));
        assert!(links.named(&row(1), &name("a")).is_none());
        assert_eq!(links.of(&row(2)).len(), 1);
        assert!(links.remove(&row(2), &name("b")) && !links.remove(&row(2), &name("b")));
        assert!(links.find(link.id).is_none());
    }

    #[test]
    fn a_link_that_is_renamed_over_another_takes_its_place() {
        let links = PendingLinks::default();
        let one = links.add(&row(1), &name("a"), symlink()).expect("room");
        links.add(&row(1), &name("b"), symlink()).expect("room");
        links.rename(&one, &row(1), &name("b"));
        let ids = || links.of(&row(1)).iter().map(|link| link.id).collect::<Vec<_>>();
        assert_eq!(ids(), [one.id]);
        links.rename(&one, &row(1), &name("b"));
        assert_eq!(ids(), [one.id], "its own name");
    }

    #[test]
    fn links_expire_and_are_bounded() {
        let links = PendingLinks::default();
        for _ in 0..MAX_WAITING {
            links.add(&row(1), &name("a"), symlink()).expect("room");
        }
        let refused = links.add(&row(1), &name("a"), symlink());
        assert!(matches!(refused, Err(Error::TooBusy)));
        links.expire(Instant::now());
        assert_eq!(links.of(&row(1)).len(), MAX_WAITING);
        links.expire(Instant::now() + Duration::from_secs(WAITING_SECS + 1));
        assert_eq!(links.of(&row(1)).len(), 0);
    }
}
