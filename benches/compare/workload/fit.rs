//! Ingest of a photograph of 24 megapixels, shrunk to 1600 pixels: processor time.

use std::cell::Cell;

use super::in_turns;
use crate::bench::Bench;
use crate::corpus::Picture;
use crate::failure::Outcome;
use crate::figure::{Target, Unit, float};
use crate::image_tools;
use crate::mounted_tree::{Daemon, Side};
use crate::photos::{attach, sources};
use crate::results::Row;

/// The JPEG quality that mediafs stores with.
const QUALITY: u8 = 90;
/// The scale at which mediafs has libjpeg-turbo decode 6000 pixels for a result of 1600: as small as leaves enough of them.
const SHRINK: u8 = 2;

pub fn cpu(bench: &Bench) -> Outcome<Vec<Row>> {
    let count = bench.pick(6, 12);
    let home = bench.fresh("fit")?;
    let daemon = Daemon::start(&home, Side::Writing)?;
    let table = daemon.table("photo");
    let next = Cell::new(0);
    let mut ours = || {
        let first = next.replace(next.get() + count);
        let sources = sources(bench, Picture::Large, first..first + count)?;
        let before = daemon.cpu()?;
        attach(bench, &table, &sources, "fitted", 1)?;
        Ok((daemon.cpu()? - before) / float(count.into()))
    };
    let list = bench.list(&sources(bench, Picture::Large, 0..count)?)?;
    let render = |task: &str| image_tools::render(bench, task, QUALITY, &list);
    let shrunk = format!("jpeg 1600 shrink {SHRINK}");
    let sides: [super::Side<'_>; 3] =
        [&mut ours, &mut || render(&shrunk), &mut || render("jpeg 1600")];
    let [ours, shrunk, own] = in_turns(bench, bench.few_rounds() + 1, sides)?;
    let name = "ingest of 24 MP JPEG, fit 1600, CPU";
    let (same, whole) = ("pyvips, decoded at 1/2 too", "pyvips thumbnail_buffer, decoded whole");
    let target = Some(Target::AtMost(1.0));
    Ok(vec![
        Row::compared(name, Unit::Seconds, &ours, (same, &shrunk), target)?,
        Row::compared(name, Unit::Seconds, &ours, (whole, &own), None)?,
    ])
}
