//! Ingest of photographs: validated, turned upright, stripped and stored, without a resize.

use std::cell::Cell;
use std::thread;

use super::in_turns;
use crate::bench::Bench;
use crate::corpus::Picture;
use crate::failure::Outcome;
use crate::figure::{Target, Unit, float};
use crate::image_tools;
use crate::mounted_tree::{Daemon, Side};
use crate::photos::{attach, sources};
use crate::results::Row;

pub fn files(bench: &Bench) -> Outcome<Vec<Row>> {
    let small = compared(bench, "2", Picture::Small, bench.pick(40, 200))?;
    let medium = compared(bench, "12", Picture::Medium, bench.pick(10, 50))?;
    Ok(vec![small, medium])
}

/// Uses one client, and one process of the other side, per processor.
fn compared(bench: &Bench, megapixels: &str, picture: Picture, count: u32) -> Outcome<Row> {
    let processes = thread::available_parallelism()?.get();
    let home = bench.fresh("ingest")?;
    let daemon = Daemon::start(&home, Side::Writing)?;
    let table = daemon.table("photo");
    let next = Cell::new(0);
    let mut ours = || {
        let first = next.replace(next.get() + count);
        let sources = sources(bench, picture, first..first + count)?;
        rustix::fs::sync();
        Ok(attach(bench, &table, &sources, "whole", processes)?.each().recip())
    };
    let mut theirs = || {
        let sources = sources(bench, picture, 0..count)?;
        rustix::fs::sync();
        let seconds = image_tools::ingest(bench, &bench.list(&sources)?, processes)?;
        Ok(float(count.into()) / seconds)
    };
    let [ours, theirs] = in_turns(bench, bench.few_rounds(), [&mut ours, &mut theirs])?;
    let name = format!("ingest of {megapixels} MP JPEGs, {processes} clients");
    let peer = ("sqlalchemy-media", theirs.as_slice());
    Row::compared(name, Unit::FilesPerSecond, &ours, peer, Some(Target::AtLeast(5.0)))
}
