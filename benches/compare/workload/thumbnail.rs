//! The first read of a thumbnail, which renders it: processor time, and the time until the reader has it.

use std::fs;
use std::time::Instant;

use super::warm;
use crate::bench::Bench;
use crate::client::{Loop, alone};
use crate::corpus::Picture;
use crate::failure::Outcome;
use crate::figure::{Target, Unit, float};
use crate::image_tools;
use crate::mounted_tree::{Daemon, Side};
use crate::photos::{forget, library, sources, variants};
use crate::program;
use crate::results::Row;

/// The quality of mediafs's variants.
const JPEG: u8 = 85;
const WEBP: u8 = 80;

pub fn first(bench: &Bench) -> Outcome<Vec<Row>> {
    let mut rows = jpeg(bench)?;
    rows.push(webp(bench)?);
    Ok(rows)
}

fn jpeg(bench: &Bench) -> Outcome<Vec<Row>> {
    let count = 8;
    let (home, rows) = library(bench, Picture::Large, count)?;
    let daemon = Daemon::start(&home, Side::Writing)?;
    let pictures = variants(&daemon, &rows, "w320.jpg");
    let sources = sources(bench, Picture::Large, 0..count)?;
    let list = bench.list(&sources)?;
    let mut cpu = || {
        forget(&home, &pictures)?;
        let before = daemon.cpu()?;
        alone(Loop::OpenRead { list: bench.list(&pictures)?, threads: 1 })?;
        Ok((daemon.cpu()? - before) / float(count.into()))
    };
    let mut pyvips = || image_tools::render(bench, "jpeg 320", JPEG, &list);
    let [ours, theirs] = warm(bench, bench.few_rounds() + 1, [&mut cpu, &mut pyvips])?;
    let mut wait = || {
        forget(&home, &pictures)?;
        let done = alone(Loop::Fetch { list: bench.list(&pictures)? })?;
        Ok(done.median.unwrap_or_else(|| done.each()))
    };
    let mut spawned = || {
        let begun = Instant::now();
        let output = bench.dir.join("thumbnail.jpg[Q=85,strip]");
        let words = ["-s", "320", "-o", &output.to_string_lossy()];
        let source = sources[0].to_string_lossy();
        program::run("vipsthumbnail", &[words.as_slice(), &[&*source]].concat())?;
        Ok(begun.elapsed().as_secs_f64())
    };
    let [waited, spawned] = warm(bench, bench.few_rounds() + 1, [&mut wait, &mut spawned])?;
    let name = "first read of a 320 px thumbnail of a 24 MP JPEG";
    let (cpu, latency) = (format!("{name}, CPU"), format!("{name}, until it is read"));
    let (pyvips, program) = (("pyvips", theirs.as_slice()), ("vipsthumbnail", spawned.as_slice()));
    Ok(vec![
        Row::compared(cpu, Unit::Seconds, &ours, pyvips, Some(Target::AtMost(1.0)))?,
        Row::compared(latency, Unit::Seconds, &waited, program, Some(Target::AtMost(0.5)))?,
    ])
}

/// Renders one picture repeatedly: a PNG cannot get bytes of its own without compressing it anew.
fn webp(bench: &Bench) -> Outcome<Row> {
    let count = bench.pick(6, 12);
    let home = bench.fresh("webp")?;
    let daemon = Daemon::start(&home, Side::Writing)?;
    let source = home.join("source.png");
    fs::write(&source, Picture::Png.bytes(bench.corpus.as_deref(), &bench.dir)?)?;
    let row = daemon.table("photo").join("1");
    fs::create_dir(&row)?;
    fs::copy(&source, row.join("whole"))?;
    let variant = variants(&daemon, &["1".to_owned()], "w320.webp");
    let read = bench.list(&variant)?;
    let mut ours = || {
        let mut used = 0.0;
        for _ in 0..count {
            forget(&home, &variant)?;
            let before = daemon.cpu()?;
            alone(Loop::OpenRead { list: read.clone(), threads: 1 })?;
            used += daemon.cpu()? - before;
        }
        Ok(used / float(count))
    };
    let list = bench.list(&vec![source; usize::try_from(count)?])?;
    let mut theirs = || image_tools::render(bench, "webp 320", WEBP, &list);
    let [ours, theirs] = warm(bench, bench.few_rounds() + 1, [&mut ours, &mut theirs])?;
    let name = "4 MP PNG to a 320 px WebP, CPU";
    let target = Some(Target::AtMost(0.75));
    Row::compared(name, Unit::Seconds, &ours, ("pyvips", &theirs), target)
}
