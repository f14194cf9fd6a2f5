//! Names and attributes of many fields in the kernel's caches.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::bench::{Bench, FIELDS, fields, make_all, rows};
use crate::bulk;
use crate::client::{Loop, alone};
use crate::failure::Outcome;
use crate::figure::{Target, Unit};
use crate::mounted_tree::{Daemon, Side};
use crate::program;
use crate::results::Row;

/// 100,000 fields in rows of four.
const ROWS: u64 = 25_000;

/// A library of many small rows, and plain files of the same names beside it. Both have equally many and equally deep names,
/// since the kernel walks a path name by name. The plain files are empty and the blobs are missing: only names are looked at.
pub fn made(bench: &Bench) -> Outcome<PathBuf> {
    bench.kept("names", &format!("{ROWS} rows, and files as deep"), |home| {
        bulk::fill(home, ROWS, &FIELDS)?;
        let rows = rows(&native(home), 1..=ROWS);
        make_all(&rows)?;
        fields(&rows, &FIELDS).iter().try_for_each(|path| Ok(File::create(path).map(drop)?))
    })
}

/// The plain tree, as deep below `home` as the table of the library.
pub fn native(home: &Path) -> PathBuf {
    home.join("native/models/item")
}

fn row(bench: &Bench, what: &str, sides: [super::Side<'_>; 2]) -> Outcome<Row> {
    let [ours, theirs] = super::warm(bench, bench.rounds(), sides)?;
    let name = format!("{what} of 100,000 fields, warm");
    let target = Some(Target::AtMost(1.1));
    Row::compared(name, Unit::Seconds, &ours, ("native", &theirs), target)
}

pub fn warm(bench: &Bench) -> Outcome<Vec<Row>> {
    let home = made(bench)?;
    let daemon = Daemon::start(&home, Side::Writing)?;
    let (served, native) = (daemon.table("item"), native(&home));
    let list = |table: &Path| bench.list(&fields(&rows(table, 1..=ROWS), &FIELDS));
    let (ours, theirs) = (list(&served)?, list(&native)?);
    let stat = |list: &PathBuf| Ok(alone(Loop::Stat { list: list.clone() })?.seconds);
    let walk = |tree: &PathBuf| Ok(alone(Loop::Walk { tree: tree.clone() })?.seconds);
    Ok(vec![
        row(bench, "stat", [&mut || stat(&ours), &mut || stat(&theirs)])?,
        row(bench, "walk with stat", [&mut || walk(&served), &mut || walk(&native)])?,
        row(bench, "`find -type f`", [&mut || find(&served), &mut || find(&native)])?,
    ])
}

/// Seconds that `find` takes over a tree.
pub fn find(tree: &Path) -> Outcome<f64> {
    let begun = Instant::now();
    let tree = tree.to_string_lossy();
    program::run("find", &[&*tree, "-type", "f", "-fprint", "/dev/null"])?;
    Ok(begun.elapsed().as_secs_f64())
}
