//! Litter: files that desktops leave in every folder, where nothing could be attached. It is taken and forgotten, so that people can
//! copy their folders: no byte is kept, and no directory lists it. For a minute its own user finds it, empty, because programs
//! set its times, rename it or look at it after they have closed it.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use parking_lot::Mutex;

use crate::tree::bounded::BoundedMap;
use crate::tree::node::meaning::{DELAYED, is_temporary};
use crate::tree::node::{Ino, Node};
use crate::tree::request::Caller;
use crate::tree::show::attr::Attr;
use words::attachment::{Access, Times};
use words::slot::Name;
use words::timestamp::Timestamp;

/// The most files of one user, and of all. The oldest are forgotten first.
const MAX_OF_USER: usize = 64;
const MAX: usize = 4_096;
const SPAN_SECS: u64 = 60;

/// Names of macOS, Windows and KDE, in any case.
const NAMES: [&[u8]; 9] = [
    b".ds_store",
    b".localized",
    b".apdisk",
    b".volumeicon.icns",
    b"icon\r",
    b"thumbs.db",
    b"ehthumbs.db",
    b"desktop.ini",
    b".directory",
];
/// The resource forks of macOS (`AppleDouble`).
const FORK: &[u8] = b"._";

#[derive(Debug)]
pub struct LitterFile {
    id: u64,
    key: Key,
    access: Access,
    made: Timestamp,
}

/// The user, the directory and the name.
type Key = (u32, Ino, OsString);

impl LitterFile {
    pub fn attr(&self) -> Attr {
        Attr::file(Node::Litter(self.id), 0, self.access, Times::all(self.made))
    }
}

#[derive(Debug, Default)]
pub struct Litter {
    /// Guards the files that their users still find. Never held across I/O.
    files: Mutex<BoundedMap<Key, Arc<LitterFile>, MAX, SPAN_SECS>>,
    last: AtomicU64,
}

impl Litter {
    pub fn make(&self, who: Caller, parent: Ino, name: &OsStr, mode: u32) -> Arc<LitterFile> {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let key = (who.uid, parent, name.to_owned());
        self.note(LitterFile { id, key, access: who.makes(mode), made: Timestamp::now() })
    }

    fn note(&self, file: LitterFile) -> Arc<LitterFile> {
        let file = Arc::new(file);
        let mut files = self.files.lock();
        let own: Vec<_> = files.values().filter(|it| it.key.0 == file.key.0).cloned().collect();
        if own.len() >= MAX_OF_USER {
            files.remove(&own[0].key);
        }
        files.insert(file.key.clone(), Arc::clone(&file));
        file
    }

    pub fn find(&self, who: Caller, parent: Ino, name: &OsStr) -> Option<Arc<LitterFile>> {
        // The name is looked at first: most lookups that find nothing are of other names.
        let is_one = is_litter(name);
        is_one.then(|| self.files.lock().get(&(who.uid, parent, name.to_owned())).cloned())?
    }

    pub fn by_number(&self, id: u64) -> Option<Arc<LitterFile>> {
        self.files.lock().values().find(|file| file.id == id).cloned()
    }

    pub fn remove(&self, who: Caller, parent: Ino, name: &OsStr) -> bool {
        let key = || (who.uid, parent, name.to_owned());
        is_litter(name) && self.files.lock().remove(&key()).is_some()
    }

    /// Gives a file another name, which replaces what has it.
    pub fn rename(&self, file: &LitterFile, parent: Ino, name: &OsStr) {
        self.files.lock().remove(&file.key);
        let key = (file.key.0, parent, name.to_owned());
        self.note(LitterFile { id: file.id, key, access: file.access, made: file.made });
    }

    pub fn forget_old(&self, now: Instant) {
        self.files.lock().expire(now);
    }
}

/// Whether a directory takes a name as litter. Where files are attached, a name that is scratch by rights is scratch.
pub fn takes(directory: Node, name: &OsStr) -> bool {
    let is_scratch = || Name::parse_bytes(name.as_bytes()).is_ok_and(|name| is_temporary(&name));
    match directory.as_model() {
        Node::Root | Node::Models | Node::Table(_) | Node::Drop => is_litter(name),
        Node::Row(..) | Node::Collection(..) | Node::DropBox(_) => is_litter(name) && !is_scratch(),
        _ => false,
    }
}

/// Whether a name is litter's, or one that rsync (`.Thumbs.db.Ab12Cd`) or `ProFTPD` (`.in.Thumbs.db.`) gives to unfinished litter.
fn is_litter(name: &OsStr) -> bool {
    const RANDOM: usize = 7;
    let name = name.as_bytes();
    let name = name.strip_prefix(DELAYED.as_bytes()).unwrap_or(name);
    let is_one = |name: &[u8]| {
        name.starts_with(FORK) || NAMES.iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    let unfinished = || {
        let (stem, random) = name.split_at_checked(name.len().checked_sub(RANDOM)?)?;
        (random[0] == b'.').then_some(stem)
    };
    let hidden = || name.strip_prefix(b".in.")?.strip_suffix(b".");
    let or_after_dot = |name: &[u8]| is_one(name) || name.strip_prefix(b".").is_some_and(is_one);
    is_one(name) || unfinished().is_some_and(or_after_dot) || hidden().is_some_and(is_one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use words::attachment::{RowId, TableId};

    #[test]
    fn litter_is_what_desktops_and_their_copies_leave() {
        for name in [
            ".DS_Store",
            "._a.jpg",
            "Thumbs.db",
            "thumbs.db",
            "Desktop.ini",
            ".directory",
            "Icon\r",
            ".DS_Store.Ab12Cd",
            ".Thumbs.db.Ab12Cd",
            "._a.jpg.Ab12Cd",
            ".in..DS_Store.",
        ] {
            assert!(is_litter(OsStr::new(name)), "{name}");
        }
        for name in ["a.jpg", "Thumbs.db.jpg", ".hidden", "desktop.ini.Ab12Cd.x", ".in.a.jpg.", "x"]
        {
            assert!(!is_litter(OsStr::new(name)), "{name}");
        }
    }

    #[test]
    fn a_row_keeps_as_scratch_what_is_scratch_there() {
        let (row, table) = (Node::Row(TableId(1), RowId(2)), Node::Table(TableId(1)));
        let takes = |node, name: &str| takes(node, OsStr::new(name));
        assert!(takes(table, ".DS_Store") && !takes(row, ".DS_Store"));
        assert!(takes(table, "desktop.ini") && takes(row, "desktop.ini"));
        assert!(!takes(Node::Control, ".DS_Store"));
    }

    #[test]
    fn a_user_has_a_bounded_number_and_takes_no_others_place() {
        let litter = Litter::default();
        let user = |uid| Caller { uid, gid: 0, tid: 1 };
        let name = OsStr::new(".DS_Store");
        litter.make(user(2), Ino(1), name, 0o644);
        for parent in 0..200 {
            litter.make(user(1), Ino(parent), name, 0o644);
        }
        assert_eq!(litter.files.lock().len(), MAX_OF_USER + 1);
        assert!(litter.find(user(2), Ino(1), name).is_some());
        assert!(litter.find(user(1), Ino(1), name).is_none());
        assert!(litter.find(user(1), Ino(199), name).is_some());
    }
}
