//! Random programs: system calls of a few processes on a few names.

use proptest::prelude::*;

use super::{DESCRIPTORS, NAMES, PROCESSES, ROWS};
use crate::tree::simulated_kernel::{At, How};

/// One system call of one process.
#[derive(Debug, Clone)]
pub enum Call {
    Mkdir(&'static str),
    Rmdir(&'static str),
    RenameRow(&'static str, &'static str),
    /// `rmdir` of the list: it becomes empty and stays.
    Clear(&'static str),
    Open {
        who: u32,
        fd: usize,
        at: At,
        how: How,
    },
    Write {
        fd: usize,
        offset: usize,
        data: Vec<u8>,
    },
    Truncate {
        fd: usize,
        length: usize,
    },
    Read {
        fd: usize,
    },
    /// `close` of a duplicate, by any process.
    Flush {
        who: u32,
        fd: usize,
    },
    Close {
        fd: usize,
    },
    Cat {
        who: u32,
        at: At,
    },
    Send {
        who: u32,
        at: At,
        data: Vec<u8>,
    },
    Unlink {
        who: u32,
        at: At,
    },
    Rename {
        who: u32,
        from: At,
        to: At,
    },
    Link {
        who: u32,
        from: At,
        to: At,
    },
    /// Restores the first file of the trash with these bytes.
    Restore(Vec<u8>, At),
    Sweep,
    Restart,
    Crash,
}

pub fn call() -> impl Strategy<Value = Call> {
    let row = || prop::sample::select(&ROWS[..]);
    let at = || (row(), prop::sample::select(&NAMES[..])).prop_map(|(row, name)| At { row, name });
    let who = || 0..PROCESSES;
    let fd = || 0..DESCRIPTORS;
    let how = prop::sample::select(vec![
        How::Read,
        How::Update,
        How::Append,
        How::Replace,
        How::Replace,
        How::New,
    ]);
    prop_oneof![
        2 => row().prop_map(Call::Mkdir),
        1 => row().prop_map(Call::Rmdir),
        1 => (row(), row()).prop_map(|(from, to)| Call::RenameRow(from, to)),
        1 => row().prop_map(Call::Clear),
        10 => (who(), fd(), at(), how)
            .prop_map(|(who, fd, at, how)| Call::Open { who, fd, at, how }),
        9 => (fd(), prop_oneof![3 => Just(0), 2 => 0..70_usize], data())
            .prop_map(|(fd, offset, data)| Call::Write { fd, offset, data }),
        3 => (fd(), prop_oneof![2 => Just(0), 1 => 1..70_usize])
            .prop_map(|(fd, length)| Call::Truncate { fd, length }),
        3 => fd().prop_map(|fd| Call::Read { fd }),
        3 => (who(), fd()).prop_map(|(who, fd)| Call::Flush { who, fd }),
        7 => fd().prop_map(|fd| Call::Close { fd }),
        3 => (who(), at()).prop_map(|(who, at)| Call::Cat { who, at }),
        5 => (who(), at(), data()).prop_map(|(who, at, data)| Call::Send { who, at, data }),
        4 => (who(), at()).prop_map(|(who, at)| Call::Unlink { who, at }),
        5 => (who(), at(), at()).prop_map(|(who, from, to)| Call::Rename { who, from, to }),
        2 => (who(), at(), at()).prop_map(|(who, from, to)| Call::Link { who, from, to }),
        3 => (data(), at()).prop_map(|(data, to)| Call::Restore(data, to)),
        1 => Just(Call::Sweep),
        1 => Just(Call::Restart),
        1 => Just(Call::Crash),
    ]
}

/// A good text, one that is too short, one that is too long, and another type.
fn data() -> impl Strategy<Value = Vec<u8>> {
    let text = |letter: char, length: usize| letter.to_string().repeat(length).into_bytes();
    prop::sample::select(vec![
        text('a', 8),
        text('b', 8),
        text('c', 20),
        text('d', 40),
        text('x', 2),
        text('z', 80),
        b"%PDF-1.4 ".to_vec(),
    ])
}
