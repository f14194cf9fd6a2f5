//! Collections that `mkdir` may still make. A collection exists as soon as its row does, and again after `rmdir`, because
//! programs write into it without making it. But `cp -r` and `mv` make each directory of a new one without looking first, and
//! fail if it exists. So a collection can be made by a process that was not shown it yet.

use parking_lot::Mutex;

use crate::tree::bounded::BoundedMap;
use crate::tree::node::Node;
use crate::tree::open::processes::Processes;
use crate::tree::open::system_call::makes_directory;
use crate::tree::request::Caller;

/// The most collections that can be made. Making one that was forgotten is EEXIST.
const MAX: usize = 16_384;

pub struct Unseen {
    pub(super) processes: Processes,
    /// Guards the collections that can be made, by their nodes under `/models`. Never held across I/O.
    pub(super) collections: Mutex<BoundedMap<Node, Maker, MAX>>,
}

/// The process that made the row, or emptied the collection. It is answered by what it was shown alone, whatever others do.
#[derive(Debug, Clone, Copy)]
pub struct Maker {
    tgid: u32,
    shown_to_others: bool,
}

impl Unseen {
    /// Notes collections that are there anew.
    pub fn note(&self, who: Caller, collections: impl Iterator<Item = Node>) {
        let Some(tgid) = self.processes.group(who.tid) else { return };
        let mut known = self.collections.lock();
        collections.for_each(|node| {
            known.insert(node, Maker { tgid, shown_to_others: false });
        });
    }

    /// Whether a lookup is answered with ENOENT, because the caller is making the collection. Else it is shown to the caller.
    pub fn hides(&self, who: Caller, collection: Node) -> bool {
        let Some(maker) = self.maker(collection) else { return false };
        let own = self.processes.group(who.tid) == Some(maker.tgid);
        let hidden = (own || !maker.shown_to_others)
            && self.processes == Processes::Kernel
            && makes_directory(who.tid);
        if !hidden {
            self.show(own, collection);
        }
        hidden
    }

    /// Notes that a listing shows a collection to the caller.
    pub fn listed(&self, who: Caller, collection: Node) {
        if let Some(maker) = self.maker(collection) {
            self.show(self.processes.group(who.tid) == Some(maker.tgid), collection);
        }
    }

    /// Whether a collection can be made. Afterwards it cannot.
    pub fn make(&self, collection: Node) -> bool {
        self.collections.lock().remove(&collection.as_model()).is_some()
    }

    fn maker(&self, collection: Node) -> Option<Maker> {
        self.collections.lock().get(&collection.as_model()).copied()
    }

    fn show(&self, to_maker: bool, collection: Node) {
        let (mut known, node) = (self.collections.lock(), collection.as_model());
        if to_maker {
            known.remove(&node);
        } else if let Some(maker) = known.get_mut(&node) {
            maker.shown_to_others = true;
        }
    }
}
