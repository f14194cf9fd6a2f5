//! The workloads, a file for each kind of work.

mod cached;
mod cold;
mod create;
mod fit;
mod ingest;
mod large;
mod memory;
mod metrics;
mod names;
mod pair;
mod scale;
mod small;
mod thumbnail;
mod write;

use std::time::Instant;

use crate::bench::Bench;
use crate::failure::Outcome;
use crate::machine::forget_pages;
use crate::results::Row;

/// Rows of the table that are measured together.
pub struct Workload {
    /// The name to select it by.
    pub name: &'static str,
    pub measure: fn(&Bench) -> Outcome<Vec<Row>>,
}

/// All workloads, in the order of the table.
pub const ALL: [Workload; 16] = [
    Workload { name: "sequential", measure: large::sequential },
    Workload { name: "random", measure: large::random },
    Workload { name: "openread", measure: small::openread },
    Workload { name: "readonly", measure: small::readonly },
    Workload { name: "names", measure: names::warm },
    Workload { name: "cold", measure: cold::first },
    Workload { name: "create", measure: create::small },
    Workload { name: "write", measure: write::large },
    Workload { name: "ingest", measure: ingest::files },
    Workload { name: "fit", measure: fit::cpu },
    Workload { name: "thumbnail", measure: thumbnail::first },
    Workload { name: "cached", measure: cached::read },
    Workload { name: "memory", measure: memory::peak },
    Workload { name: "scale", measure: scale::measure },
    Workload { name: "metrics", measure: metrics::read },
    Workload { name: "pair", measure: pair::two },
];

/// One side of a comparison: measures once and returns the figure.
pub type Side<'s> = &'s mut dyn FnMut() -> Outcome<f64>;

/// Measures the sides in turns, so that a disturbance of the machine affects all of them. Returns the figures of each side, in
/// order. Makes fewer rounds than asked for if they take long.
pub fn in_turns<const N: usize>(
    bench: &Bench,
    rounds: usize,
    mut sides: [Side<'_>; N],
) -> Outcome<[Vec<f64>; N]> {
    let mut found = std::array::from_fn(|_| Vec::new());
    let begun = Instant::now();
    for round in 0..rounds {
        if !bench.has_time(round, begun.elapsed()) {
            break;
        }
        for (side, found) in sides.iter_mut().zip(&mut found) {
            found.push(side()?);
        }
    }
    Ok(found)
}

/// Like `warm`, but the file contents are first read from the disk. Pages of a file that
/// was just written are in larger pieces than those that a server reads later.
pub fn warm_contents<const N: usize>(
    bench: &Bench,
    rounds: usize,
    sides: [Side<'_>; N],
) -> Outcome<[Vec<f64>; N]> {
    // Without root, measures the pages as they are.
    let _ = forget_pages();
    warm(bench, rounds, sides)
}

/// Like `in_turns`, after one round that does not count, so that caches are warm.
pub fn warm<const N: usize>(
    bench: &Bench,
    rounds: usize,
    mut sides: [Side<'_>; N],
) -> Outcome<[Vec<f64>; N]> {
    for side in &mut sides {
        side()?;
    }
    in_turns(bench, rounds, sides)
}
