//! Symbolic links under scratch names: URLs on their way to a field (`ln -sf` makes one and renames it, CONTRACT 8).
//! Does not fetch; a link that nobody renames is forgotten like a placeholder, and by a restart.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use words::place::Folder;
use words::slot::Name;
use words::timestamp::Timestamp;

/// How long a link waits.
const WAITING: Duration = Duration::from_secs(60);
/// Links that wait at most; more is a program that does not know what it does.
const MAX_WAITING: usize = 4_096;

/// A symbolic link that seems to lead to a URL.
#[derive(Debug)]
pub struct Pending {
    pub id: u64,
    pub folder: Folder,
    pub name: Name,
    pub lead: Lead,
    pub made: Timestamp,
    since: Instant,
}

/// Where a link leads, as it was written, and whose it is.
#[derive(Debug, Clone)]
pub struct Lead {
    pub text: String,
    pub uid: u32,
    pub gid: u32,
}

#[derive(Debug, Default)]
pub struct Links {
    /// Guards the index alone. Never held across I/O.
    index: Mutex<Index>,
}

#[derive(Debug, Default)]
struct Index {
    last: u64,
    by_id: BTreeMap<u64, Arc<Pending>>,
}

impl Index {
    fn named(&self, folder: &Folder, name: &Name) -> Option<Arc<Pending>> {
        self.by_id.values().find(|link| link.folder == *folder && link.name == *name).cloned()
    }
}

impl Links {
    /// Makes a link, unless too many wait.
    pub fn add(&self, folder: &Folder, name: &Name, lead: Lead) -> Result<Arc<Pending>, Full> {
        let mut index = self.lock();
        if index.by_id.len() >= MAX_WAITING {
            return Err(Full);
        }
        let id = index.next();
        let (made, since) = (Timestamp::now(), Instant::now());
        let link =
            Arc::new(Pending { id, folder: folder.clone(), name: name.clone(), lead, made, since });
        index.by_id.insert(id, Arc::clone(&link));
        Ok(link)
    }

    /// A number for a link that is gone as soon as it is answered.
    pub fn number(&self) -> u64 {
        self.lock().next()
    }

    pub fn find(&self, id: u64) -> Option<Arc<Pending>> {
        self.lock().by_id.get(&id).cloned()
    }

    pub fn named(&self, folder: &Folder, name: &Name) -> Option<Arc<Pending>> {
        self.lock().named(folder, name)
    }

    /// The links in a directory, by age.
    pub fn of(&self, folder: &Folder) -> Vec<Arc<Pending>> {
        self.lock().by_id.values().filter(|link| link.folder == *folder).cloned().collect()
    }

    /// Takes a name away; whether there was one.
    pub fn remove(&self, folder: &Folder, name: &Name) -> bool {
        let mut index = self.lock();
        let found = index.named(folder, name);
        found.is_some_and(|link| index.by_id.remove(&link.id).is_some())
    }

    /// Forgets the links in such directories.
    pub fn remove_where(&self, lie: impl Fn(&Folder) -> bool) {
        self.lock().by_id.retain(|_, link| !lie(&link.folder));
    }

    /// Gives a link another name, over whatever link has it.
    pub fn rename(&self, link: &Pending, folder: &Folder, name: &Name) {
        let mut index = self.lock();
        if let Some(other) = index.named(folder, name) {
            index.by_id.remove(&other.id);
        }
        let Pending { id, made, since, .. } = *link;
        let lead = link.lead.clone();
        let renamed = Pending { id, folder: folder.clone(), name: name.clone(), lead, made, since };
        index.by_id.insert(id, Arc::new(renamed));
    }

    /// Forgets what waited too long. Returns where it was.
    pub fn expire(&self, now: Instant) -> Vec<Folder> {
        let over = |link: &Pending| now.duration_since(link.since) > WAITING;
        let mut index = self.lock();
        let folders = index.by_id.values().filter(|link| over(link));
        let folders = folders.map(|link| link.folder.clone()).collect();
        index.by_id.retain(|_, link| !over(link));
        folders
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

/// Too many links wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

#[cfg(test)]
mod tests {
    use super::*;
    use words::attachment::RowId;

    fn name(text: &str) -> Name {
        Name::parse(text).expect("a name")
    }

    fn row(number: u64) -> Folder {
        Folder::row(RowId(number))
    }

    fn lead() -> Lead {
        Lead { text: "https://x/a".into(), uid: 1, gid: 2 }
    }

    #[test]
    fn a_link_is_found_by_its_number_and_its_name_until_it_is_removed() {
        let links = Links::default();
        let link = links.add(&row(1), &name("a"), lead()).expect("room");
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
        let links = Links::default();
        let one = links.add(&row(1), &name("a"), lead()).expect("room");
        links.add(&row(1), &name("b"), lead()).expect("room");
        links.rename(&one, &row(1), &name("b"));
        assert_eq!(links.of(&row(1)).iter().map(|link| link.id).collect::<Vec<_>>(), [one.id]);
    }

    #[test]
    fn links_expire_and_are_bounded() {
        let links = Links::default();
        for _ in 0..MAX_WAITING {
            links.add(&row(1), &name("a"), lead()).expect("room");
        }
        assert_eq!(links.add(&row(1), &name("a"), lead()).err(), Some(Full));
        links.expire(Instant::now());
        assert_eq!(links.of(&row(1)).len(), MAX_WAITING);
        links.expire(Instant::now() + WAITING + Duration::from_secs(1));
        assert_eq!(links.of(&row(1)).len(), 0);
    }
}
