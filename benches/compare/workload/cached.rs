//! Reads of thumbnails that were rendered before.

use std::fs;
use std::path::PathBuf;

use super::warm_contents;
use crate::bench::Bench;
use crate::client::{Loop, alone};
use crate::corpus::Picture;
use crate::failure::Outcome;
use crate::figure::{Target, Unit};
use crate::mounted_tree::{Daemon, Side};
use crate::photos::{library, variants};
use crate::results::Row;

/// The reads of each file in a round, so that a round is long enough to time.
const TIMES: usize = 10;

pub fn read(bench: &Bench) -> Outcome<Vec<Row>> {
    let count = bench.pick(40, 200);
    let (home, rows) = library(bench, Picture::Small, count)?;
    let daemon = Daemon::start(&home, Side::Writing)?;
    let served = variants(&daemon, &rows, "w320.jpg");
    let native = home.join("native");
    fs::create_dir_all(&native)?;
    let copies: Vec<PathBuf> = rows.iter().map(|row| native.join(row)).collect();
    for (variant, copy) in served.iter().zip(&copies) {
        fs::copy(variant, copy)?;
    }
    let again = |paths: &[PathBuf]| bench.list(&[paths; TIMES].concat());
    let (ours, theirs) = (again(&served)?, again(&copies)?);
    let time =
        |list: &PathBuf| Ok(alone(Loop::OpenRead { list: list.clone(), threads: 1 })?.each());
    let [ours, theirs] =
        warm_contents(bench, bench.rounds(), [&mut || time(&ours), &mut || time(&theirs)])?;
    let name = "open+read+close of cached 320 px thumbnails, warm, 1 thread";
    // The target for any small file.
    let target = Some(Target::AtMost(2.5));
    Ok(vec![Row::compared(name, Unit::Seconds, &ours, ("native", &theirs), target)?])
}
