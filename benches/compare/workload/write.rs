//! A durable write of one large file.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};

use super::in_turns;
use crate::bench::Bench;
use crate::client::{Loop, Manner, alone};
use crate::failure::Outcome;
use crate::figure::{Target, Unit, float};
use crate::mounted_tree::{Daemon, Side};
use crate::photos::collect;
use crate::results::Row;

pub fn large(bench: &Bench) -> Outcome<Vec<Row>> {
    let mebibytes = bench.pick(256, 1024);
    let home = bench.fresh("write")?;
    let daemon = Daemon::start(&home, Side::Writing)?;
    let row = daemon.table("item").join("1");
    let native = home.join("native");
    fs::create_dir_all(&row)?;
    fs::create_dir_all(&native)?;
    let seeds = Cell::new(1_u64);
    let write = |file: PathBuf, manner| {
        let seed = seeds.replace(seeds.get() + 1) << 20;
        rustix::fs::sync();
        let job = Loop::Write { file: file.clone(), mebibytes, seed, manner };
        let seconds = alone(job)?.seconds;
        fs::remove_file(&file)?;
        Ok(seconds)
    };
    let mut ours = || {
        let seconds = write(row.join("a"), Manner::Close)?;
        collect(&home)?;
        Ok(seconds)
    };
    let theirs = |directory: &Path| write(directory.join("a"), Manner::Rename);
    let [ours, theirs] = in_turns(bench, bench.few_rounds(), [&mut ours, &mut || theirs(&native)])?;
    let bytes = float(mebibytes) * 1_048_576.0;
    let name = format!("sequential write of {mebibytes} MiB, durable");
    let target = Some(Target::AtMost(1.25));
    let peer = ("native, fsync", theirs.as_slice());
    let mut row = Row::compared(name, Unit::BytesPerSecond, &ours, peer, target)?;
    row.ours = row.ours.map(|seconds| bytes / seconds);
    row.theirs = row.theirs.map(|seconds| bytes / seconds);
    Ok(vec![row])
}
