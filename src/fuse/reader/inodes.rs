//! The table of the inodes that the kernel holds.
//!
//! The kernel never opens a file of a read-only mount: it reads an inode by its number, and sends FORGET when it drops the inode.
//! A descriptor is kept from the first read on, so that a file stays readable although its blob is deleted.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::File;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::tree::Ino;
use crate::tree::node::Kind;
use crate::tree::show::attr::Attr;
use words::slot::Name;

/// The inodes that the kernel holds, and no others.
#[derive(Debug)]
pub struct Inodes {
    /// How many descriptors are kept at most. The one that was read least recently goes first.
    limit: usize,
    /// Guards the inodes and descriptors. Never held across I/O.
    held: Mutex<Held>,
}

/// The names that the kernel may hold of an inode that has changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Changed {
    /// The names in the directory.
    pub names: Vec<Name>,
    /// The inode's own name, and its directory.
    pub home: Option<(Ino, Name)>,
}

#[derive(Debug, Default)]
struct Held {
    inodes: HashMap<Ino, Inode>,
    /// The inodes that have a descriptor, the oldest first.
    open: VecDeque<Ino>,
}

#[derive(Debug)]
struct Inode {
    /// The lookups that were answered with this inode, less those that the kernel has forgotten.
    lookups: u64,
    /// The attributes of the last answer.
    attr: Attr,
    file: Option<Arc<File>>,
    /// Whether it was read since its descriptor last came to the front of the queue.
    is_read: bool,
    /// Of a directory: the names in it that the kernel may hold.
    names: HashSet<Name>,
    /// The own name that the kernel may hold, and its directory. Only where the name can change without the directory.
    home: Option<(Ino, Name)>,
}

impl Inodes {
    pub fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), held: Mutex::default() }
    }

    /// Counts a lookup. Called before the reply is sent.
    pub fn answered(&self, attr: &Attr) {
        let mut held = self.held.lock();
        let inode = held.inodes.entry(attr.ino).or_insert_with(|| Inode::new(*attr));
        inode.lookups += 1;
    }

    /// Notes a name that the kernel may hold until its directory has changed.
    pub fn named(&self, parent: Ino, name: Name) {
        if let Some(parent) = self.held.lock().inodes.get_mut(&parent) {
            parent.names.insert(name);
        }
    }

    /// Notes a name that the kernel may hold until the inode itself has changed.
    pub fn called(&self, ino: Ino, parent: Ino, name: Name) {
        if let Some(inode) = self.held.lock().inodes.get_mut(&ino) {
            inode.home = Some((parent, name));
        }
    }

    /// Notes attributes that are about to be answered. Returns the names that the kernel may hold, if the times have changed.
    pub fn looked_at(&self, attr: &Attr) -> Option<Changed> {
        let mut held = self.held.lock();
        let inode = held.inodes.get_mut(&attr.ino)?;
        let before = std::mem::replace(&mut inode.attr, *attr);
        let changed = || Changed { names: inode.names.drain().collect(), home: inode.home.clone() };
        (before.times != attr.times).then(changed)
    }

    /// The last attributes of a file that is being read and has lost its name.
    pub fn lost(&self, ino: Ino) -> Option<Attr> {
        let held = self.held.lock();
        let inode = held.inodes.get(&ino).filter(|inode| inode.file.is_some())?;
        Some(Attr { links: 0, ..inode.attr })
    }

    /// Takes away lookups that the kernel has forgotten. At zero the inode leaves the table.
    pub fn forget(&self, ino: Ino, lookups: u64) {
        let mut held = self.held.lock();
        let Some(inode) = held.inodes.get_mut(&ino) else { return };
        inode.lookups = inode.lookups.saturating_sub(lookups);
        let gone = if inode.lookups == 0 { held.inodes.remove(&ino) } else { None };
        drop(held);
        // The descriptor is closed here, outside the lock. The queue passes over an inode that is gone.
        drop(gone);
    }

    /// The descriptor of an inode that was read before.
    pub fn file(&self, ino: Ino) -> Option<Arc<File>> {
        let mut held = self.held.lock();
        let inode = held.inodes.get_mut(&ino)?;
        inode.is_read = true;
        inode.file.clone()
    }

    /// Keeps the descriptor of an inode that the kernel holds. Returns the one that is kept: another thread may have been
    /// quicker.
    pub fn keep(&self, ino: Ino, file: Arc<File>) -> Arc<File> {
        let mut held = self.held.lock();
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

    pub fn all(&self) -> Vec<(Ino, Kind)> {
        self.held.lock().inodes.iter().map(|(ino, inode)| (*ino, inode.attr.kind)).collect()
    }
}

impl Inode {
    fn new(attr: Attr) -> Self {
        Self { lookups: 0, attr, file: None, is_read: false, names: HashSet::new(), home: None }
    }
}

impl Held {
    /// Takes out the descriptors beyond the limit. One that was read since its last turn gets another turn.
    fn shrink(&mut self, limit: usize) -> Vec<Arc<File>> {
        let mut over = Vec::new();
        // Two turns for each descriptor end the loop where every one of them was read.
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
        let inodes = Inodes::new(9);
        let picture = entry(7, Kind::File, 1);
        inodes.answered(&picture.attr);
        inodes.answered(&picture.attr);
        let kept = inodes.keep(Ino(7), file());
        assert!(Arc::ptr_eq(&inodes.keep(Ino(7), file()), &kept), "one descriptor an inode");
        inodes.forget(Ino(7), 1);
        assert!(inodes.file(Ino(7)).is_some_and(|found| Arc::ptr_eq(&found, &kept)));
        assert_eq!(inodes.lost(Ino(7)).map(|attr| (attr.size, attr.links)), Some((1, 0)));
        inodes.forget(Ino(7), 1);
        assert!(inodes.lost(Ino(7)).is_none());
        assert!(inodes.file(Ino(7)).is_none() && inodes.all().is_empty());
        assert_eq!(Arc::strong_count(&kept), 1, "closed");
        inodes.keep(Ino(8), file());
        assert!(inodes.file(Ino(8)).is_none(), "nothing is kept that the kernel does not hold");
    }

    #[test]
    fn descriptors_are_bounded_and_those_that_are_read_stay() {
        let inodes = Inodes::new(3);
        for ino in 1..=4 {
            inodes.answered(&entry(ino, Kind::File, 1).attr);
        }
        for ino in 1..=3 {
            inodes.keep(Ino(ino), file());
        }
        inodes.file(Ino(1));
        inodes.keep(Ino(4), file());
        let open = |ino| inodes.file(Ino(ino)).is_some();
        assert_eq!([1, 2, 3, 4].map(open), [true, false, true, true]);
    }

    #[test]
    fn the_names_in_a_directory_are_forgotten_once_when_it_has_changed() {
        let inodes = Inodes::new(3);
        let (row, later) = (entry(1, Kind::Directory, 5), entry(1, Kind::Directory, 6));
        inodes.answered(&row.attr);
        assert_eq!(inodes.looked_at(&row.attr), None);
        inodes.named(Ino(1), name("avatar"));
        inodes.called(Ino(1), Ino(9), name("42"));
        assert_eq!(inodes.looked_at(&row.attr), None, "as it was");
        let home = Some((Ino(9), name("42")));
        let changed = Changed { names: vec![name("avatar")], home: home.clone() };
        assert_eq!(inodes.looked_at(&later.attr), Some(changed));
        assert_eq!(inodes.looked_at(&later.attr), None);
        assert_eq!(inodes.looked_at(&row.attr), Some(Changed { names: Vec::new(), home }));
    }
}
