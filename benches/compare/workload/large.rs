//! Reads of one large attachment in the page cache.

use std::fs;
use std::path::PathBuf;

use super::warm_contents;
use crate::bench::{Bench, make_all, rows};
use crate::client::{Loop, Manner, alone};
use crate::failure::Outcome;
use crate::figure::{Target, Unit, float};
use crate::mounted_tree::{Daemon, Side};
use crate::results::Row;

const MEBIBYTES: u64 = 512;
const TARGET: Target = Target::AtMost(1.15);

pub fn sequential(bench: &Bench) -> Outcome<Vec<Row>> {
    let name = "sequential read of a 512 MB attachment, warm";
    Ok(vec![compared(bench, name, |file| Loop::Sequential { file })?])
}

pub fn random(bench: &Bench) -> Outcome<Vec<Row>> {
    let count = bench.pick(50_000, 100_000);
    let name = "random 4K reads of a 512 MB attachment, warm";
    Ok(vec![compared(bench, name, |file| Loop::Random { file, count, seed: 7 })?])
}

fn compared(bench: &Bench, name: &str, work: impl Fn(PathBuf) -> Loop) -> Outcome<Row> {
    let (daemon, native) = open(bench)?;
    let served = daemon.table("item").join("1/a");
    let is_sequential = matches!(work(native.clone()), Loop::Sequential { .. });
    let unit = if is_sequential { Unit::BytesPerSecond } else { Unit::Seconds };
    // Compares times, so that a ratio above 1 is slower.
    let time = |file: &PathBuf| Ok(alone(work(file.clone()))?.each());
    let [ours, theirs] =
        warm_contents(bench, bench.rounds(), [&mut || time(&served), &mut || time(&native)])?;
    let mut row = Row::compared(name, unit, &ours, ("native", &theirs), Some(TARGET))?;
    if is_sequential {
        row.ours = row.ours.map(f64::recip);
        row.theirs = row.theirs.map(f64::recip);
    }
    Ok(row)
}

/// A mounted library with the attachment, and a plain file with the same bytes beside it.
pub fn open(bench: &Bench) -> Outcome<(Daemon, PathBuf)> {
    let home = bench.kept("large", &format!("{} MiB", float(MEBIBYTES)), |home| {
        let native = home.join("native");
        let manner = Manner::Close;
        alone(Loop::Write { file: native.clone(), mebibytes: MEBIBYTES, seed: 3, manner })?;
        let daemon = Daemon::start(home, Side::Writing)?;
        let row = rows(&daemon.table("item"), 1..2);
        make_all(&row)?;
        fs::copy(&native, row[0].join("a"))?;
        Ok(())
    })?;
    Ok((Daemon::start(&home, Side::Writing)?, home.join("native")))
}
