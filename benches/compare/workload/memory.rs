//! The memory peak of the daemon and its workers while many readers wait for thumbnails of large pictures.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::bench::Bench;
use crate::client::{self, Loop};
use crate::corpus::Picture;
use crate::failure::{Failure, Outcome};
use crate::figure::{Target, Unit};
use crate::mounted_tree::{Daemon, Side};
use crate::photos::{forget, library, variants};
use crate::results::Row;
use crate::usage;

const CLIENTS: u32 = 8;
/// The variants that each client reads, one after the other.
const SPECS: [&str; 4] = ["w320.jpg", "w640.jpg", "w160.webp", "w480.jpg"];
/// The pause between two measurements, which take about a millisecond for each process.
const PAUSE: Duration = Duration::from_millis(10);
const BOUND: f64 = 150e6;

pub fn peak(bench: &Bench) -> Outcome<Vec<Row>> {
    let (home, rows) = library(bench, Picture::Large, CLIENTS)?;
    let daemon = Daemon::start(&home, Side::Writing)?;
    let asked = |row: &String| {
        let of = |spec: &&str| variants(&daemon, std::slice::from_ref(row), spec);
        SPECS.iter().flat_map(of).collect::<Vec<_>>()
    };
    let each: Vec<_> = rows.iter().map(asked).collect();
    forget(&home, &each.concat())?;
    let lists = each.iter().map(|paths| bench.list(paths));
    let loops = lists
        .map(|list| Ok(Loop::OpenRead { list: list?, threads: 1 }))
        .collect::<Outcome<Vec<_>>>()?;
    let peak = most(daemon.pid(), || client::run(&loops).map(drop))?;
    let name = "peak memory (PSS), daemon and workers, 8 clients reading thumbnails of 24 MP JPEGs";
    Ok(vec![Row::alone(name, Unit::Bytes, peak, Some(Target::Within(BOUND)))])
}

/// The memory peak of a process and its descendants during `work`.
fn most(pid: u32, work: impl FnOnce() -> Outcome<()>) -> Outcome<f64> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut most: f64 = 0.0;
            while !done.load(Ordering::Relaxed) {
                most = most.max(usage::memory(pid)?);
                thread::sleep(PAUSE);
            }
            Ok::<_, Failure>(most)
        });
        let worked = work();
        done.store(true, Ordering::Relaxed);
        let most = watch.join().unwrap_or_else(|_| Err(Failure::new("the watch fell")));
        worked.and(most)
    })
}
