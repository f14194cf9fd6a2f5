//! Two clients beside one: the gain of the second.

use std::cell::Cell;
use std::path::PathBuf;

use super::create::Rows;
use super::small::Small;
use super::{Side as Measured, in_turns, large, warm};
use crate::bench::{Bench, parts};
use crate::client::{self, Loop, Manner};
use crate::corpus::Picture;
use crate::failure::Outcome;
use crate::figure::{Target, Unit};
use crate::mounted_tree::{Daemon, Side};
use crate::photos::{attach, forget, library, sources, variants};
use crate::results::Row;

const TARGET: Target = Target::AtLeast(1.7);

/// Makes the loop for a file or a list.
type Work = fn(PathBuf) -> Loop;

pub fn two(bench: &Bench) -> Outcome<Vec<Row>> {
    let mut found = reads(bench)?;
    found.extend(large_reads(bench)?);
    found.extend(creates(bench)?);
    found.push(ingests(bench)?);
    found.push(renders(bench)?);
    Ok(found)
}

/// A row with the ratio of the throughputs, from the seconds per operation of one client and of two.
fn row(what: &str, one: &[f64], both: &[f64]) -> Outcome<Row> {
    let rates = |seconds: &[f64]| seconds.iter().map(|it| it.recip()).collect::<Vec<_>>();
    let (one, both) = (rates(one), rates(both));
    let name = format!("two clients against one: {what}");
    // The gain on the disk itself shows the limit of the machine.
    let target = (!what.ends_with("(native)")).then_some(TARGET);
    Row::compared(name, Unit::FilesPerSecond, &both, ("one client", &one), target)
}

/// Loops over shares of the files, one for each client.
fn shared<'a>(
    bench: &'a Bench,
    files: &'a [PathBuf],
    clients: usize,
    work: Work,
) -> impl FnMut() -> Outcome<f64> + 'a {
    move || {
        let lists = parts(files, clients).map(|part| bench.list(part));
        let loops = lists.map(|list| Ok(work(list?))).collect::<Outcome<Vec<_>>>()?;
        Ok(client::run(&loops)?.each())
    }
}

fn reads(bench: &Bench) -> Outcome<Vec<Row>> {
    let small = Small::open(bench)?;
    let trees = [
        ("", small.files(&small.daemon.table("item"))),
        (" (native)", small.files(&small.native())),
    ];
    let openread = |list| Loop::OpenRead { list, threads: 1 };
    let stat = |list| Loop::Stat { list };
    let loops: [(&str, Work); 2] =
        [("open+read+close of 50 KB, warm", openread), ("stat, warm", stat)];
    let mut found = Vec::new();
    for (what, work) in loops {
        for (tree, files) in &trees {
            let mut both = shared(bench, files, 2, work);
            let mut one = shared(bench, files, 1, work);
            let [both, one] = warm(bench, bench.rounds(), [&mut both, &mut one])?;
            found.push(row(&format!("{what}{tree}"), &one, &both)?);
        }
    }
    Ok(found)
}

fn large_reads(bench: &Bench) -> Outcome<Vec<Row>> {
    let (daemon, native) = large::open(bench)?;
    let sequential = |file| Loop::Sequential { file };
    let random = |file| Loop::Random { file, count: 50_000, seed: 7 };
    let loops: [(&str, Unit, Work); 2] = [
        ("sequential read, warm", Unit::BytesPerSecond, sequential),
        ("random 4K reads, warm", Unit::FilesPerSecond, random),
    ];
    let mut found = Vec::new();
    for (what, unit, work) in loops {
        for (tree, file) in [("", daemon.table("item").join("1/a")), (" (native)", native.clone())]
        {
            let time = |clients| Ok(client::run(&vec![work(file.clone()); clients])?.each());
            let [both, one] = warm(bench, bench.rounds(), [&mut || time(2), &mut || time(1)])?;
            found.push(Row { unit, ..row(&format!("{what}{tree}"), &one, &both)? });
        }
    }
    Ok(found)
}

fn creates(bench: &Bench) -> Outcome<Vec<Row>> {
    let home = bench.fresh("create")?;
    let daemon = Daemon::start(&home, Side::Writing)?;
    let rows = Rows::default();
    let each = bench.pick(40, 100);
    let mut found = Vec::new();
    for (tree, table, manner) in [
        ("", daemon.table("item"), Manner::Close),
        (" (native)", home.join("native"), Manner::Rename),
    ] {
        let time = |writers| rows.create(bench, &table, (writers, each), manner);
        let sides: [Measured<'_>; 2] = [&mut || time(2), &mut || time(1)];
        let [both, one] = in_turns(bench, bench.few_rounds() + 1, sides)?;
        found.push(row(&format!("create+write+close of 50 KB, durable{tree}"), &one, &both)?);
    }
    Ok(found)
}

fn ingests(bench: &Bench) -> Outcome<Row> {
    let home = bench.fresh("ingest")?;
    let daemon = Daemon::start(&home, Side::Writing)?;
    let (table, next) = (daemon.table("photo"), Cell::new(0));
    let count = bench.pick(30, 100);
    let time = |clients| {
        let first = next.replace(next.get() + count);
        let sources = sources(bench, Picture::Small, first..first + count)?;
        rustix::fs::sync();
        Ok(attach(bench, &table, &sources, "whole", clients)?.each())
    };
    let sides: [Measured<'_>; 2] = [&mut || time(2), &mut || time(1)];
    let [both, one] = in_turns(bench, bench.few_rounds() + 1, sides)?;
    row("ingest of 2 MP JPEGs", &one, &both)
}

fn renders(bench: &Bench) -> Outcome<Row> {
    let (home, rows) = library(bench, Picture::Large, 8)?;
    let daemon = Daemon::start(&home, Side::Writing)?;
    let pictures = variants(&daemon, &rows, "w320.jpg");
    let time = |clients| {
        forget(&home, &pictures)?;
        shared(bench, &pictures, clients, |list| Loop::OpenRead { list, threads: 1 })()
    };
    let [both, one] = warm(bench, bench.few_rounds() + 1, [&mut || time(2), &mut || time(1)])?;
    row("first read of a 320 px thumbnail of a 24 MP JPEG", &one, &both)
}
