//! Opens, reads and closes of many small files in the page cache.

use std::path::{Path, PathBuf};

use super::names::native;
use super::warm_contents;
use crate::bench::{Bench, FIELDS, fields, make_all, parts, rows};
use crate::client::{self, Loop, Manner, alone};
use crate::failure::Outcome;
use crate::figure::{Target, Unit};
use crate::mounted_tree::{Bindfs, Daemon, Side};
use crate::results::Row;

const SIZE: usize = 50_000;

/// A library of small files, and plain copies beside it.
pub struct Small {
    pub home: PathBuf,
    pub daemon: Daemon,
    /// The number of rows of four fields.
    rows: u64,
}

impl Small {
    pub fn open(bench: &Bench) -> Outcome<Self> {
        let rows = bench.pick(500, 2_500);
        let home = bench.kept("small", &format!("{rows} rows of {SIZE}, as deep"), |home| {
            fill(bench, &native(home), rows)?;
            let daemon = Daemon::start(home, Side::Writing)?;
            fill(bench, &daemon.table("item"), rows)
        })?;
        Ok(Self { daemon: Daemon::start(&home, Side::Writing)?, home, rows })
    }

    /// The list of all files below a table.
    pub fn list(&self, bench: &Bench, table: &Path) -> Outcome<PathBuf> {
        bench.list(&self.files(table))
    }

    pub fn files(&self, table: &Path) -> Vec<PathBuf> {
        fields(&rows(table, 1..=self.rows), &FIELDS)
    }

    pub fn native(&self) -> PathBuf {
        native(&self.home)
    }

    fn count(&self, threads: usize) -> String {
        let plural = if threads > 1 { "s" } else { "" };
        let files = self.rows * 4;
        format!("open+read+close of {files} files of 50 KB, warm, {threads} thread{plural}")
    }
}

fn fill(bench: &Bench, table: &Path, count: u64) -> Outcome<()> {
    let rows = rows(table, 1..=count);
    make_all(&rows)?;
    let paths = fields(&rows, &FIELDS);
    let lists: Vec<_> = parts(&paths, 16).map(|part| bench.list(part)).collect::<Outcome<_>>()?;
    let loops: Vec<_> = lists
        .into_iter()
        .zip(1..)
        .map(|(list, seed)| Loop::Create { list, size: SIZE, seed, manner: Manner::Close })
        .collect();
    client::run(&loops).map(drop)
}

pub fn openread(bench: &Bench) -> Outcome<Vec<Row>> {
    let small = Small::open(bench)?;
    let (served, native) = (small.daemon.table("item"), small.native());
    let (ours, theirs) = (small.list(bench, &served)?, small.list(bench, &native)?);
    let mut found = Vec::new();
    for (threads, bound) in [(1, 2.5), (2, 2.2)] {
        let bindfs = Bindfs::start(&small.home.join("native"), &bench.dir.join("bindfs"), threads)?;
        let bound_list = small.list(bench, &bindfs.path().join("models/item"))?;
        let time =
            |list: &PathBuf| Ok(alone(Loop::OpenRead { list: list.clone(), threads })?.each());
        let sides: [super::Side<'_>; 3] =
            [&mut || time(&ours), &mut || time(&theirs), &mut || time(&bound_list)];
        let [mediafs, disk, bindfs] = warm_contents(bench, bench.rounds(), sides)?;
        let name = small.count(threads);
        let target = Some(Target::AtMost(bound));
        found.push(Row::compared(&name, Unit::Seconds, &mediafs, ("native", &disk), target)?);
        let beside = format!("{name}: bindfs instead of mediafs");
        found.push(Row::compared(beside, Unit::Seconds, &bindfs, ("native", &disk), None)?);
    }
    Ok(found)
}

/// Measures a read-only second mount of the same library.
pub fn readonly(bench: &Bench) -> Outcome<Vec<Row>> {
    let small = Small::open(bench)?;
    let target = Some(Target::AtMost(1.05));
    let name = |threads| format!("{}, over `mount --read-only`", small.count(threads));
    let reading = match Daemon::start(&small.home, Side::Reading) {
        Ok(reading) => reading,
        Err(failure) => {
            // An older mediafs does not know the option.
            if !failure.to_string().contains("unexpected argument") {
                return Err(failure);
            }
            let why = Some("not built".to_owned());
            return Ok(vec![Row::missing(name(1), target, why)]);
        }
    };
    let ours = small.list(bench, &reading.table("item"))?;
    let theirs = small.list(bench, &small.native())?;
    let mut found = Vec::new();
    for threads in [1, 2] {
        let time =
            |list: &PathBuf| Ok(alone(Loop::OpenRead { list: list.clone(), threads })?.each());
        let [mediafs, disk] =
            warm_contents(bench, bench.rounds(), [&mut || time(&ours), &mut || time(&theirs)])?;
        let disk = ("native", disk.as_slice());
        found.push(Row::compared(name(threads), Unit::Seconds, &mediafs, disk, target)?);
    }
    Ok(found)
}
