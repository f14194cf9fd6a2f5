//! The trash, as the simulated kernel lists, reads and restores its files.

use std::ffi::OsStr;

use mediafs::tree::request::{NameIn, RenameMode};
use mediafs::tree::{Caller, Ino};

use super::simulated_kernel::{Answer, At, How, Kernel};

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
        let trash = self.walk(ROOT, &["trash"]).expect("the trash");
        let mut found = Vec::new();
        for day in self.names_in(trash) {
            let day = self.lookup(ROOT, trash, &day).expect("a day").attr.ino;
            for name in self.names_in(day) {
                let bytes = self.read_lost(day, &name).expect("a listed file");
                found.push(Lost { day, name, bytes });
            }
        }
        found
    }

    pub fn read_lost(self, day: Ino, name: &str) -> Answer<Vec<u8>> {
        let entry = self.lookup(ROOT, day, name)?;
        let opened = self.0.open(ROOT, entry.attr.ino, How::Read.flags())?;
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
        let from = NameIn { parent: lost.day, name: OsStr::new(&lost.name) };
        let to = NameIn { parent, name: OsStr::new(to.last()) };
        Ok(self.0.rename(ROOT, from, to, RenameMode::Replace)?)
    }
}
