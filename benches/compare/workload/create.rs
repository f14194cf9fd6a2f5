//! Writes of small files that are durable when `close` returns, by one writer and by many.

use std::cell::Cell;
use std::path::Path;

use super::in_turns;
use crate::bench::{Bench, FIELDS, fields, make_all, parts, rows};
use crate::client::{self, Loop, Manner};
use crate::failure::Outcome;
use crate::figure::{Target, Unit};
use crate::mounted_tree::{Daemon, Side};
use crate::results::Row;

const SIZE: usize = 50_000;
/// Numbers of writers, and rows of four files for each writer in a round.
const WRITERS: [(usize, u64); 3] = [(1, 100), (2, 50), (16, 16)];

pub fn small(bench: &Bench) -> Outcome<Vec<Row>> {
    let home = bench.fresh("create")?;
    let daemon = Daemon::start(&home, Side::Writing)?;
    let (served, native) = (daemon.table("item"), home.join("native"));
    let rows = Rows::default();
    let mut found = Vec::new();
    let mut rates = Vec::new();
    for (writers, each) in WRITERS {
        let each = each * bench.pick(1, 3);
        let time = |table: &Path, manner| rows.create(bench, table, (writers, each), manner);
        let sides: [super::Side<'_>; 2] =
            [&mut || time(&served, Manner::Close), &mut || time(&native, Manner::Rename)];
        let [ours, theirs] = in_turns(bench, bench.few_rounds() + 1, sides)?;
        let plural = if writers > 1 { "s" } else { "" };
        let name = format!("create+write+close of 50 KB, durable, {writers} writer{plural}");
        let peer = ("write, fsync, rename, fsync(dir)", theirs.as_slice());
        let target = Some(Target::AtMost(1.5));
        found.push(Row::compared(name, Unit::Seconds, &ours, peer, target)?);
        rates.push(ours.iter().map(|seconds| seconds.recip()).collect::<Vec<_>>());
    }
    let name = "the same, files a second of 16 writers against one";
    let one = ("one writer", rates[0].as_slice());
    let target = Some(Target::AtLeast(4.0));
    found.push(Row::compared(name, Unit::FilesPerSecond, &rates[2], one, target)?);
    Ok(found)
}

/// Unused row numbers, so that each round makes new files.
#[derive(Default)]
pub struct Rows {
    next: Cell<u64>,
}

impl Rows {
    /// Seconds per file, with these writers at the same time, each in rows of its own.
    pub fn create(
        &self,
        bench: &Bench,
        table: &Path,
        (writers, each): (usize, u64),
        manner: Manner,
    ) -> Outcome<f64> {
        let count = each * u64::try_from(writers)?;
        let first = self.next.replace(self.next.get() + count) + 1;
        let rows = rows(table, first..first + count);
        make_all(&rows)?;
        // Writes out the dirty pages of earlier rounds.
        rustix::fs::sync();
        let paths = fields(&rows, &FIELDS);
        let loops = parts(&paths, writers)
            .zip(first..)
            .map(|(part, seed)| {
                // Neighbouring seeds of xorshift begin with similar words, though not with equal files.
                let seed = seed << 20;
                Ok(Loop::Create { list: bench.list(part)?, size: SIZE, seed, manner })
            })
            .collect::<Outcome<Vec<_>>>()?;
        Ok(client::run(&loops)?.each())
    }
}
