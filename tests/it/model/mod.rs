//! Random programs on the tree, without a kernel, compared with a reference that knows only CONTRACT. All answers, names and bytes
//! must agree after every call.
//!
//! `MEDIAFS_MODEL_CASES` sets the number of programs.

// The message of a failure is the shortest failing program, on several lines.
#![allow(clippy::panic)]

mod bytes;
mod call;
mod closes;
mod detached;
mod names;
mod order;
mod reference;
mod regressions;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use mediafs::tree::request::RenameMode;
use pipeline::Pipeline;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::tree::instance::{Backing, Instance, pipeline};
use crate::tree::simulated_kernel::{Answer, At, Descriptor, How, Kernel, process};
use call::{Call, call};
use reference::{Expected, Reference};

const ROWS: [&str; 2] = ["1", "2"];
/// Fields, scratch, three items of a list that takes two, scratch in that list, and an item of a dict.
const NAMES: [&str; 9] = [
    "doc",
    "note",
    "tmp.part",
    "other.part",
    "list/a",
    "list/b",
    "list/c",
    "list/x.part",
    "dict/k.txt",
];
const COLLECTIONS: [&str; 2] = ["dict", "list"];
const PROCESSES: u32 = 3;
const DESCRIPTORS: usize = 4;
/// A process that only reads.
const STRANGER: u32 = 9;
const CASES: u32 = 48;

/// The tree and the reference, which run the same calls.
struct Pair {
    instance: Instance,
    reference: Reference,
    open: [Option<Descriptor>; DESCRIPTORS],
}

type Judged = Result<(), TestCaseError>;

fn agree<T: Debug>(expected: &Expected, actual: &Answer<T>) -> Judged {
    prop_assert!(expected.agrees(actual), "expected {expected:?}, the tree says {actual:?}");
    Ok(())
}

impl Pair {
    fn new(backing: Backing, pipeline: &Arc<Pipeline>) -> Self {
        let instance = Instance::with(backing, Arc::clone(pipeline));
        let mut pair =
            Self { instance, reference: Reference::default(), open: [None; DESCRIPTORS] };
        pair.call(&Call::Mkdir(ROWS[0])).expect("a first row");
        pair
    }

    fn run(mut self, calls: &[Call]) -> Judged {
        for (number, call) in calls.iter().enumerate() {
            let step = |error| TestCaseError::fail(format!("call {number}, {call:?}: {error}"));
            self.call(call).and_then(|()| self.compare()).map_err(step)?;
        }
        self.finish()
    }

    fn kernel(&self) -> Kernel<'_> {
        self.instance.kernel()
    }

    fn call(&mut self, call: &Call) -> Judged {
        let kernel = self.instance.kernel();
        match call {
            Call::Mkdir(row) => agree(&self.reference.mkdir(row), &kernel.mkdir(process(0), row)),
            Call::Rmdir(row) => agree(&self.reference.rmdir(row), &kernel.rmdir(process(0), row)),
            Call::Clear(row) => {
                let actual = kernel.rmdir_in(process(0), row, "list");
                agree(&self.reference.clear(row), &actual)
            }
            Call::RenameRow(from, to) => {
                let expected = self.reference.rename_row(from, to);
                agree(&expected, &kernel.rename_row(process(0), from, to))
            }
            Call::Unlink { who, at } => {
                let expected = self.reference.unlink(*who, *at);
                agree(&expected, &kernel.unlink(process(*who), *at))
            }
            Call::Rename { who, from, to } => {
                let expected = self.reference.rename(*who, *from, *to);
                let mode = RenameMode::Replace;
                agree(&expected, &kernel.rename(process(*who), *from, *to, mode))
            }
            Call::Link { who, from, to } => {
                let expected = self.reference.link(*who, *from, *to);
                agree(&expected, &kernel.link(process(*who), *from, *to))
            }
            Call::Cat { who, at } => self.cat(*who, *at),
            Call::Send { who, at, data } => self.send(*who, *at, data),
            Call::Restore(data, to) => self.restore(data, *to),
            Call::Sweep => self.sweep(),
            Call::Restart => {
                self.instance.restart();
                self.stopped(false);
                Ok(())
            }
            Call::Crash => {
                let crashed = self.instance.crash();
                self.stopped(crashed);
                Ok(())
            }
            other => self.call_by_descriptor(other),
        }
    }

    fn call_by_descriptor(&mut self, call: &Call) -> Judged {
        match call {
            Call::Open { who, fd, at, how } if self.open[*fd].is_none() => {
                self.open(*who, *fd, *at, *how)
            }
            Call::Write { fd, offset, data } => self.write(*fd, *offset, data),
            Call::Truncate { fd, length } => self.truncate(*fd, *length),
            Call::Read { fd } => self.read(*fd),
            Call::Flush { who, fd } => {
                let Some(fh) = self.open[*fd] else { return Ok(()) };
                let expected = self.reference.flush(*who, *fd);
                agree(&expected, &self.kernel().flush(process(*who), fh))
            }
            Call::Close { fd } => self.close(*fd),
            _ => Ok(()),
        }
    }

    fn open(&mut self, who: u32, fd: usize, at: At, how: How) -> Judged {
        let expected = self.reference.open(who, fd, at, how);
        let actual = self.kernel().open(process(who), at, how);
        agree(&expected, &actual)?;
        self.open[fd] = actual.ok();
        Ok(())
    }

    fn writable(&self, fd: usize) -> Option<Descriptor> {
        self.open[fd].filter(|_| self.reference.writes(fd))
    }

    fn write(&mut self, fd: usize, offset: usize, data: &[u8]) -> Judged {
        let Some(fh) = self.writable(fd) else { return Ok(()) };
        let actual = self.kernel().write(fh, offset as u64, data);
        agree(&self.reference.write(fd, offset, data, &actual), &actual)
    }

    fn truncate(&mut self, fd: usize, length: usize) -> Judged {
        let Some(fh) = self.writable(fd) else { return Ok(()) };
        let actual = self.kernel().truncate(process(0), fh, length as u64);
        agree(&self.reference.truncate(fd, length), &actual)
    }

    fn read(&mut self, fd: usize) -> Judged {
        let Some(fh) = self.open[fd] else { return Ok(()) };
        let bytes = self.reference.read(fd);
        let size = self.kernel().fstat(process(0), fh).map(|attr| attr.size);
        if let Some(shown) = self.reference.fstat(fd) {
            prop_assert_eq!(size, Ok(shown), "fstat");
        }
        prop_assert_eq!(self.kernel().read(fh), Ok(bytes));
        Ok(())
    }

    fn close(&mut self, fd: usize) -> Judged {
        let Some(fh) = self.open[fd].take() else { return Ok(()) };
        let who = process(self.reference.opener(fd));
        let expected = self.reference.close(fd);
        agree(&expected, &self.kernel().close(who, fh))
    }

    /// Opens, reads and closes.
    fn cat(&mut self, who: u32, at: At) -> Judged {
        let fd = DESCRIPTORS;
        let expected = self.reference.open(who, fd, at, How::Read);
        let actual = self.kernel().open(process(who), at, How::Read);
        agree(&expected, &actual)?;
        let Ok(fh) = actual else { return Ok(()) };
        prop_assert_eq!(self.kernel().read(fh), Ok(self.reference.read(fd)));
        let expected = self.reference.close(fd);
        agree(&expected, &self.kernel().close(process(who), fh))
    }

    /// Opens, writes and closes, as `cp` does.
    fn send(&mut self, who: u32, at: At, data: &[u8]) -> Judged {
        let fd = DESCRIPTORS;
        let expected = self.reference.open(who, fd, at, How::Replace);
        let actual = self.kernel().open(process(who), at, How::Replace);
        agree(&expected, &actual)?;
        let Ok(fh) = actual else { return Ok(()) };
        let written = self.kernel().write(fh, 0, data);
        agree(&self.reference.write(fd, 0, data, &written), &written)?;
        let expected = self.reference.close(fd);
        agree(&expected, &self.kernel().close(process(who), fh))
    }

    fn stopped(&mut self, crashed: bool) {
        self.open = [None; DESCRIPTORS];
        self.reference.stop(crashed);
    }

    /// Compares each name as each process sees it.
    fn compare(&mut self) -> Judged {
        for row in ROWS {
            self.compare_lists(row)?;
            for name in NAMES {
                let at = At { row, name };
                for who in (0..PROCESSES).chain([STRANGER]) {
                    let seen = self.kernel().stat(process(who), at).ok();
                    let seen = seen.map(|attr| (attr.size, attr.links));
                    prop_assert_eq!(seen, self.reference.stat(who, at), "{:?} for {}", at, who);
                }
                self.cat(STRANGER, at)?;
            }
        }
        self.compare_trash()?;
        let kept = self.instance.library().quarantine.list().len();
        prop_assert_eq!(kept, self.reference.kept, "entries of the quarantine");
        Ok(())
    }

    /// Compares the names in a row and its collections, with the items in their order.
    fn compare_lists(&self, row: &'static str) -> Judged {
        let mut listed = self.kernel().list(process(STRANGER), row).unwrap_or_default();
        for collection in COLLECTIONS {
            let names = self.kernel().list_in(process(STRANGER), row, collection);
            let names = names.unwrap_or_default();
            let items = self.reference.items(row, collection);
            prop_assert_eq!(&names[..items.len()], &items[..], "the order of {}", collection);
            listed.extend(names.iter().map(|name| format!("{collection}/{name}")));
        }
        prop_assert_eq!(bare(&listed), self.reference.list(row), "the names in {}", row);
        Ok(())
    }

    /// Closes all descriptors, and checks that the disk has exactly the files with names.
    fn finish(mut self) -> Judged {
        for fd in 0..DESCRIPTORS {
            self.close(fd)?;
        }
        self.compare()?;
        // A start frees the reservations of rows that were removed meanwhile.
        self.call(&Call::Restart)?;
        self.sweep()?;
        let totals = self.instance.library().lookup.totals().expect("totals");
        prop_assert_eq!(totals.blobs, self.reference.contents() as u64);
        prop_assert_eq!(self.instance.files("staging"), 0, "staged files");
        prop_assert_eq!(self.instance.files("scratch"), self.reference.scratch_files());
        if self.instance.backing() == Backing::Disk {
            prop_assert_eq!(
                self.instance.files("blobs"),
                self.reference.contents(),
                "blobs on disk"
            );
        }
        Ok(())
    }
}

/// The listed names without extensions: a file that is put back after a crash is listed with the extension of its type.
fn bare(listed: &[String]) -> Vec<String> {
    let stem = |name: &String| match name.split_once('.') {
        Some((stem, _)) if ["doc", "note"].contains(&stem) => stem.to_owned(),
        _ => name.clone(),
    };
    let names: BTreeSet<_> = listed.iter().map(stem).collect();
    assert_eq!(names.len(), listed.len(), "a file is listed twice: {listed:?}");
    names.into_iter().collect()
}

fn cases() -> u32 {
    let wanted = std::env::var("MEDIAFS_MODEL_CASES").ok();
    wanted.map_or(CASES, |text| text.parse().expect("a number of cases"))
}

fn try_programs(backing: Backing) {
    let config = Config { cases: cases(), failure_persistence: None, ..Config::default() };
    let pipeline = pipeline();
    let programs = prop::collection::vec(call(), 1..60);
    let outcome =
        TestRunner::new(config).run(&programs, |calls| Pair::new(backing, &pipeline).run(&calls));
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

#[test]
fn a_library_on_disk_does_what_the_contract_says() {
    try_programs(Backing::Disk);
}

#[test]
fn a_library_in_memory_does_what_the_contract_says() {
    try_programs(Backing::Memory);
}
