//! A table of a million rows beside one of ten thousand.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::in_turns;
use crate::bench::{Bench, FIELDS, fields, rows};
use crate::bulk;
use crate::client::{Loop, alone};
use crate::failure::{Failure, Outcome};
use crate::figure::{Target, Unit, median};
use crate::machine::forget_names;
use crate::mounted_tree::{Daemon, Side};
use crate::program;
use crate::results::Row;

const FEW: u64 = 10_000;
/// The number of fields that a round looks up.
const LOOKUPS: u64 = 2_000;
/// Coprime to every number of rows here, so that its multiples are spread over the table.
const STRIDE: u64 = 7_919;

pub fn measure(bench: &Bench) -> Outcome<Vec<Row>> {
    let count = bench.pick(100_000, 1_000_000);
    let made = |count: u64| {
        let words = format!("{count} rows of 3");
        bench.kept(&format!("scale-{count}"), &words, |home| bulk::fill(home, count, &FIELDS[..3]))
    };
    let (many, few) = (made(count)?, made(FEW)?);
    let called = format!("{},{:03},000 rows x 3 fields", count / 1_000_000, count / 1000 % 1000);
    let called = called.trim_start_matches("0,").to_owned();
    let mut found = lookups(bench, &called, (&many, count), &few)?;
    found.extend(start(bench, &called, (&many, count))?);
    Ok(found)
}

/// Looks up names that the kernel does not know yet, and the same names again.
fn lookups(bench: &Bench, called: &str, many: (&Path, u64), few: &Path) -> Outcome<Vec<Row>> {
    let mut found = Vec::new();
    for (what, again) in [("lookup p50", false), ("stat p50, looked up before", true)] {
        let time = |home: &Path, count: u64| {
            let daemon = Daemon::start(home, Side::Writing)?;
            let list = bench.list(&spread(&daemon.table("item"), count, LOOKUPS))?;
            let look = || alone(Loop::Lookup { list: list.clone() });
            let first = look()?;
            let done = if again { look()? } else { first };
            Ok(done.median.unwrap_or_else(|| done.each()))
        };
        let sides: [super::Side<'_>; 2] = [&mut || time(many.0, many.1), &mut || time(few, FEW)];
        let [ours, theirs] = in_turns(bench, bench.few_rounds() + 1, sides)?;
        let target = Some(Target::AtMost(1.5));
        let (name, peer) = (format!("{called}: {what}"), ("10,000 rows", theirs.as_slice()));
        found.push(Row::compared(name, Unit::Seconds, &ours, peer, target)?);
    }
    Ok(found)
}

/// Paths of fields that are spread over a table.
fn spread(table: &Path, count: u64, lookups: u64) -> Vec<PathBuf> {
    let numbers = (1..=lookups).map(|at| at * STRIDE % count + 1);
    fields(&rows(table, numbers), &FIELDS[1..2])
}

/// Measures a daemon that has just started.
fn start(bench: &Bench, called: &str, (home, count): (&Path, u64)) -> Outcome<Vec<Row>> {
    let (mut ready, mut listed) = (Vec::new(), Vec::new());
    for _ in 0..=bench.few_rounds() {
        forget_names();
        let daemon = Daemon::start(home, Side::Writing)?;
        ready.push(daemon.ready.as_secs_f64());
        listed.push(first_entry(&daemon.table("item"))?);
    }
    let memorable = "memory (PSS) after the table was listed and 100,000 fields were looked up";
    let daemon = Daemon::start(home, Side::Writing)?;
    let table = daemon.table("item");
    let fields = spread(&table, count, 100_000);
    alone(Loop::Lookup { list: bench.list(&fields)? })?;
    program::run("ls", &[Path::new("-U1"), &table])?;
    let memory = daemon.memory()?;
    let alone = |what: &str, unit, value, bound| {
        Row::alone(format!("{called}: {what}"), unit, value, Some(Target::Within(bound)))
    };
    let nothing = || Failure::new("nothing was measured");
    Ok(vec![
        alone("first entry of `ls -U`", Unit::Seconds, median(&listed).ok_or_else(nothing)?, 0.05),
        alone(memorable, Unit::Bytes, memory, 200e6),
        alone("ready after start", Unit::Seconds, median(&ready).ok_or_else(nothing)?, 1.0),
    ])
}

/// Seconds until the first output of `ls`.
fn first_entry(table: &Path) -> Outcome<f64> {
    let begun = Instant::now();
    let mut ls = Command::new("ls").arg("-U1").arg(table).stdout(Stdio::piped()).spawn()?;
    let mut out = ls.stdout.take().ok_or_else(|| Failure::new("ls without output"))?;
    out.read_exact(&mut [0])?;
    let seconds = begun.elapsed().as_secs_f64();
    ls.kill()?;
    ls.wait()?;
    Ok(seconds)
}
