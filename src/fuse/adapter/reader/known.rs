//! The inodes that the kernel holds, with what must be remembered of each until it lets go of it.
//! Does not know what they are.
//!
//! Files are never opened here: the kernel reads an inode by its number, for as long as it holds it, and says when it does not any
//! more. A descriptor is kept from the first read on, so that what is being read stays readable whatever becomes of its blob.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::tree::Ino;
use crate::tree::node::Kind;
use crate::tree::show::attr::Attr;
use words::slot::Name;

/// What the kernel holds, and nothing else.
#[derive(Debug)]
pub struct Known {
    /// Descriptors that are kept at most. Beyond them those go that were not read for the longest time.
    limit: usize,
    /// Guards the inodes and descriptors. Never held across I/O.
    held: Mutex<Held>,
}

/// What the kernel may know of an inode that has changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Changed {
    /// The names in it.
    pub names: Vec<Name>,
    /// Its own name, and where.
    pub home: Option<(Ino, Name)>,
}

#[derive(Debug, Default)]
struct Held {
    inodes: HashMap<Ino, Inode>,
    /// The inodes with a descriptor, the oldest first.
    open: VecDeque<Ino>,
}

#[derive(Debug)]
struct Inode {
    /// How often it was answered to a lookup, less what the kernel has forgotten.
    lookups: u64,
    /// As it was when it was last answered.
    attr: Attr,
    file: Option<Arc<File>>,
    /// Read since its descriptor was last looked at.
    is_read: bool,
    /// Of a directory, the names in it that the kernel may keep.
    names: HashSet<Name>,
    /// Its own name that the kernel may keep, and in which directory, where that changes by itself.
    home: Option<(Ino, Name)>,
}

impl Known {
    pub fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), held: Mutex::default() }
    }

    /// An inode is answered to a lookup. Before the reply is sent.
    pub fn answered(&self, attr: &Attr) {
        let mut held = self.lock();
        let inode = held.inodes.entry(attr.ino).or_insert_with(|| Inode::new(*attr));
        inode.lookups += 1;
    }

    /// A name in a directory is answered, which the kernel may keep until that directory has changed.
    pub fn named(&self, parent: Ino, name: Name) {
        if let Some(parent) = self.lock().inodes.get_mut(&parent) {
            parent.names.insert(name);
        }
    }

    /// The name of an inode is answered, which the kernel may keep until the inode itself has changed.
    pub fn called(&self, ino: Ino, parent: Ino, name: Name) {
        if let Some(inode) = self.lock().inodes.get_mut(&ino) {
            inode.home = Some((parent, name));
        }
    }

    /// The attributes of an inode are about to be answered. Of one that has changed since, what the kernel may know of its
    /// names.
    pub fn looked_at(&self, attr: &Attr) -> Option<Changed> {
        let mut held = self.lock();
        let inode = held.inodes.get_mut(&attr.ino)?;
        let before = std::mem::replace(&mut inode.attr, *attr);
        let changed = || Changed { names: inode.names.drain().collect(), home: inode.home.clone() };
        (before.times != attr.times).then(changed)
    }

    /// The attributes of a file that is being read and has lost its name.
    pub fn lost(&self, ino: Ino) -> Option<Attr> {
        let held = self.lock();
        let inode = held.inodes.get(&ino).filter(|inode| inode.file.is_some())?;
        Some(Attr { links: 0, ..inode.attr })
    }

    /// The kernel lets go of some lookups of an inode.
    pub fn forget(&self, ino: Ino, lookups: u64) {
        let mut held = self.lock();
        let Some(inode) = held.inodes.get_mut(&ino) else { return };
        inode.lookups = inode.lookups.saturating_sub(lookups);
        let gone = if inode.lookups == 0 { held.inodes.remove(&ino) } else { None };
        drop(held);
        // Its descriptor is closed here; its turn in the queue finds nothing.
        drop(gone);
    }

    /// The descriptor of an inode that was read before.
    pub fn file(&self, ino: Ino) -> Option<Arc<File>> {
        let mut held = self.lock();
        let inode = held.inodes.get_mut(&ino)?;
        inode.is_read = true;
        inode.file.clone()
    }

    /// Keeps the descriptor of an inode that the kernel holds. Returns the one that is kept: somebody may have been quicker.
    pub fn keep(&self, ino: Ino, file: Arc<File>) -> Arc<File> {
        let mut held = self.lock();
        let Some(inode) = held.inodes.get_mut(&ino) else { return file };
        if let Some(kept) = &inode.file {
            return Arc::clone(kept);
        }
        inode.file = Some(Arc::clone(&file));
        held.open.push_back(ino);
        let over = held.shrink(self.limit);
        drop(held);
        drop(over);
        file
    }

    /// Everything that the kernel holds.
    pub fn all(&self) -> Vec<(Ino, Kind)> {
        self.lock().inodes.iter().map(|(ino, inode)| (*ino, inode.attr.kind)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inode {
    fn new(attr: Attr) -> Self {
        Self { lookups: 0, attr, file: None, is_read: false, names: HashSet::new(), home: None }
    }
}

impl Held {
    /// Takes descriptors out beyond a limit; who was read since the last look gets another turn.
    fn shrink(&mut self, limit: usize) -> Vec<Arc<File>> {
        let mut over = Vec::new();
        // Each gets one more turn at most.
        let mut turns = 2 * self.open.len();
        while self.open.len() > limit && turns > 0 {
            turns -= 1;
            let Some(oldest) = self.open.pop_front() else { break };
            let Some(inode) = self.inodes.get_mut(&oldest) else { continue };
            if std::mem::take(&mut inode.is_read) {
                self.open.push_back(oldest);
            } else {
                over.extend(inode.file.take());
            }
        }
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::show::attr::{Entry, Lifetime};
    use words::attachment::{Access, Times};
    use words::timestamp::Timestamp;

    fn entry(ino: u64, kind: Kind, at: i64) -> Entry {
        let access = Access { uid: 0, gid: 0, mode: 0o644 };
        let times = Times::all(Timestamp(at));
        let attr = Attr { ino: Ino(ino), kind, size: 1, links: 1, access, times };
        Entry { attr, name: Lifetime::Long, attributes: Lifetime::Long, generation: 0 }
    }

    fn file() -> Arc<File> {
        Arc::new(File::open("/dev/null").expect("a file"))
    }

    fn name(text: &str) -> Name {
        Name::parse(text).expect("a name")
    }

    #[test]
    fn an_inode_and_its_descriptor_are_kept_until_the_kernel_has_forgotten_every_lookup() {
        let known = Known::new(9);
        let picture = entry(7, Kind::File, 1);
        known.answered(&picture.attr);
        known.answered(&picture.attr);
        let kept = known.keep(Ino(7), file());
        assert!(Arc::ptr_eq(&known.keep(Ino(7), file()), &kept), "one descriptor an inode");
        known.forget(Ino(7), 1);
        assert!(known.file(Ino(7)).is_some_and(|found| Arc::ptr_eq(&found, &kept)));
        assert_eq!(known.lost(Ino(7)).map(|attr| (attr.size, attr.links)), Some((1, 0)));
        known.forget(Ino(7), 1);
        assert!(known.lost(Ino(7)).is_none());
        assert!(known.file(Ino(7)).is_none() && known.all().is_empty());
        assert_eq!(Arc::strong_count(&kept), 1, "closed");
        known.keep(Ino(8), file());
        assert!(known.file(Ino(8)).is_none(), "nothing is kept that the kernel does not hold");
    }

    #[test]
    fn descriptors_are_bounded_and_those_that_are_read_stay() {
        let known = Known::new(3);
        for ino in 1..=4 {
            known.answered(&entry(ino, Kind::File, 1).attr);
        }
        for ino in 1..=3 {
            known.keep(Ino(ino), file());
        }
        known.file(Ino(1));
        known.keep(Ino(4), file());
        let open = |ino| known.file(Ino(ino)).is_some();
        assert_eq!([1, 2, 3, 4].map(open), [true, false, true, true]);
    }

    #[test]
    fn the_names_in_a_directory_are_forgotten_once_when_it_has_changed() {
        let known = Known::new(3);
        let (row, later) = (entry(1, Kind::Directory, 5), entry(1, Kind::Directory, 6));
        known.answered(&row.attr);
        assert_eq!(known.looked_at(&row.attr), None);
        known.named(Ino(1), name("avatar"));
        known.called(Ino(1), Ino(9), name("42"));
        assert_eq!(known.looked_at(&row.attr), None, "as it was");
        let home = Some((Ino(9), name("42")));
        let changed = Changed { names: vec![name("avatar")], home: home.clone() };
        assert_eq!(known.looked_at(&later.attr), Some(changed));
        assert_eq!(known.looked_at(&later.attr), None);
        assert_eq!(known.looked_at(&row.attr), Some(Changed { names: Vec::new(), home }));
    }
}
