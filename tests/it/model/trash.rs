//! The trash in the reference: the attachments without a name. What is put
//! back is judged like a move. The names in the trash are tested in `trash`.

use std::collections::BTreeSet;
use std::ffi::OsStr;

use mediafs::library::keep::sweeper::Patience;
use mediafs::tree::request::{NameIn, RenameMode};
use mediafs::tree::{Caller, Ino};
use proptest::prelude::*;

use super::kernel::{Answer, At, Kernel, Refusal};
use super::reference::{Expected, Reference, broken, is_field};
use super::{Judged, Pair, agree};

pub const ROOT: Caller = Caller { uid: 0, gid: 0, tid: 99 };

/// A file in the trash.
#[derive(Debug, Clone)]
pub struct Lost {
    pub day: Ino,
    pub name: String,
    pub bytes: Vec<u8>,
}

impl Kernel<'_> {
    /// The files in the trash, in the order of its directories.
    pub fn trash(self) -> Vec<Lost> {
        let trash = self.lookup(ROOT, Ino(1), "trash").expect("the trash").attr.ino;
        let mut found = Vec::new();
        for day in self.names_in(trash) {
            let day = self.lookup(ROOT, trash, &day).expect("a day").attr.ino;
            for name in self.names_in(day) {
                let bytes = self.read_lost(day, &name).expect("a listed file is there");
                found.push(Lost { day, name, bytes });
            }
        }
        found
    }

    pub fn read_lost(self, day: Ino, name: &str) -> Answer<Vec<u8>> {
        let entry = self.lookup(ROOT, day, name)?;
        let opened = self.0.open(ROOT, entry.attr.ino, super::kernel::How::Read.flags())?;
        let mut bytes = vec![0; 4096];
        let length = self.0.read(opened.fh, 0, &mut bytes)?;
        bytes.truncate(length);
        assert_eq!(entry.attr.size, length as u64, "{name}");
        self.0.release(opened.fh);
        Ok(bytes)
    }

    /// The names in a directory, read as the kernel does, in its order.
    pub fn names_in(self, directory: Ino) -> Vec<String> {
        let (mut names, mut offset) = (Vec::new(), 0);
        loop {
            let page = self.0.readdir(directory, offset).expect("a page");
            let Some(last) = page.entries().last() else { break };
            offset = last.next;
            names.extend(page.entries().iter().map(|entry| entry.name.to_string()));
        }
        names.retain(|name| name != "." && name != "..");
        names
    }

    pub fn restore(self, lost: &Lost, to: At) -> Answer<()> {
        let parent = self.parent(ROOT, to)?;
        let (from, to) = (
            NameIn { parent: lost.day, name: OsStr::new(&lost.name) },
            NameIn { parent, name: OsStr::new(to.last()) },
        );
        Ok(self.0.rename(ROOT, from, to, RenameMode::Replace)?)
    }
}

impl Reference {
    /// The bytes of all attachments without a name, sorted.
    pub fn lost(&self) -> Vec<&[u8]> {
        let named: BTreeSet<_> = self.slots.values().collect();
        let lost = self.attachments.iter().filter(|(id, _)| !named.contains(id));
        let mut lost: Vec<_> = lost.map(|(_, bytes)| &bytes[..]).collect();
        lost.sort_unstable();
        lost
    }

    /// Puts the attachment with these bytes back. `None` if there are several, which cannot be told apart.
    pub fn restore(&mut self, bytes: &[u8], to: At) -> Option<Expected> {
        let named: BTreeSet<_> = self.slots.values().copied().collect();
        let same = |(id, other): &(&u32, &Vec<u8>)| !named.contains(id) && other[..] == *bytes;
        let mut found = self.attachments.iter().filter(same).map(|(id, _)| *id);
        let id = found.next().filter(|_| found.next().is_none())?;
        let Some(place) = self.place(to) else { return Some(Expected::Error(Refusal::NotFound)) };
        if !is_field(to.name) {
            return Some(Expected::Error(Refusal::NotPermitted));
        }
        if let Some(full) = self.full(None, place) {
            return Some(full);
        }
        let rules = broken(to.name, bytes);
        if !rules.is_empty() {
            return Some(Expected::Refused(rules));
        }
        self.hang(place, id);
        self.drop_placeholders(place);
        Some(Expected::Done)
    }
}

impl Pair {
    pub(super) fn restore(&mut self, data: &[u8], to: At) -> Judged {
        let lost = self.kernel().trash().into_iter().find(|lost| lost.bytes == data);
        let Some(lost) = lost else { return Ok(()) };
        let Some(expected) = self.reference.restore(data, to) else { return Ok(()) };
        agree(&expected, &self.kernel().restore(&lost, to))
    }

    pub(super) fn sweep(&mut self) -> Judged {
        let swept = self.instance.library().sweeper.sweep(Patience::None);
        prop_assert!(swept.is_ok(), "{swept:?}");
        self.reference.sweep();
        Ok(())
    }

    pub(super) fn compare_trash(&self) -> Judged {
        let mut lost: Vec<_> = self.kernel().trash().into_iter().map(|lost| lost.bytes).collect();
        lost.sort_unstable();
        prop_assert_eq!(lost, self.reference.lost(), "what the trash has");
        Ok(())
    }
}
