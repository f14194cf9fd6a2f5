//! What is measured, a file for each kind of work.
//! Does not print.

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
use crate::table::Row;

/// Some rows of the table that are measured together.
pub struct Workload {
    /// What it is asked for by.
    pub name: &'static str,
    pub measure: fn(&Bench) -> Outcome<Vec<Row>>,
}

/// In the order of the table.
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

/// One side of a comparison: measures once, and says what came out.
pub type Side<'s> = &'s mut dyn FnMut() -> Outcome<f64>;

/// Measures the sides in turns, so that whatever the machine does meanwhile befalls all of them. What each said, in order.
/// Fewer rounds than asked for are made where they take long.
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

/// The same of the contents of files, which were read from the disk once before. What was just written
/// lies in the page cache in larger pieces, which is not how a server finds the files that it has had for a while.
pub fn warm_contents<const N: usize>(
    bench: &Bench,
    rounds: usize,
    sides: [Side<'_>; N],
) -> Outcome<[Vec<f64>; N]> {
    // Who may not ask for it has what there is.
    let _ = forget_pages();
    warm(bench, rounds, sides)
}

/// The same, after one round that does not count: caches are warm.
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
